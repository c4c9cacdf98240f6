from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from amidst.coco import masks
from amidst.errors import UsageError
from amidst.inference.assist import masks_at, open_scene
from amidst.models.build import build_model
from amidst.models.config import BackboneConfig, FPNConfig, FPNMasksConfig, RetinaNetConfig
from amidst.models.config_fpn_masks import FPNMasksDecodeConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import MaskProposals
from amidst.models.weights import ModelInfo
from amidst.ops.images import ImageBatch

CONFIG = FPNMasksConfig(backbone=BackboneConfig(name="tiny"))
SMALL = FPNMasksConfig(
    backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
    fpn=FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool"),
    hidden=16,
    decode=FPNMasksDecodeConfig(num_proposals=10, mask_threshold=0.1),
)
INFO = ModelInfo(CONFIG, (), {"resize": {"short": 50, "long": 100}})
IMAGE = np.zeros((100, 200, 3), np.uint8)


class Oracle(nn.Module):
    """Proposes filled windows given in pixels of the resized image."""

    def __init__(self, windows: list[list[float]], scores: list[float]) -> None:
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))
        self.windows, self.scores = torch.tensor(windows).reshape(-1, 4), torch.tensor(scores)

    def forward(self, images: ImageBatch) -> list[MaskProposals]:
        assert images.sizes_hw == ((50, 100),)
        logits = torch.full((len(self.scores), 14, 14), 4.0)
        return [MaskProposals(self.scores, logits, self.windows)]


def oracle() -> Oracle:
    """Large and likely, small inside it and less likely, and one elsewhere: in the image twice as large."""
    return Oracle([[0, 0, 40, 40], [10, 10, 20, 20], [60, 10, 90, 40]], [0.9, 0.6, 0.3])


def test_a_scene_without_proposals_suggests_nothing() -> None:
    scene = open_scene(Oracle([], []), INFO, IMAGE)
    assert scene.at_point(5, 5) == []
    assert scene.at_box((0, 0, 10, 10)) == []
    assert masks_at(Oracle([], []), INFO, IMAGE, points=[(1, 1)], boxes=[(0, 0, 5, 5)]) == [None, None]


@pytest.mark.parametrize(
    ("x", "y", "boxes"),
    [
        (30, 30, [(0, 0, 80, 80), (20, 20, 20, 20)]),
        (70, 70, [(0, 0, 80, 80)]),
        (150, 40, [(120, 20, 60, 60)]),
        (100, 90, []),
        (199, 99, []),
    ],
)
def test_a_click_gives_the_masks_that_hold_it(x: float, y: float, boxes: list[tuple[int, ...]]) -> None:
    scene = open_scene(oracle(), INFO, IMAGE)
    found = scene.at_point(x, y)
    assert [suggestion.box_xywh for suggestion in found] == boxes
    for suggestion in found:
        mask = masks.decode([suggestion.rle])[0]
        assert mask.shape == (100, 200)
        assert mask[int(y), int(x)] == 1


@pytest.mark.parametrize("asked", [3, 2000])
def test_a_scene_has_as_many_proposals_as_are_asked_for(asked: int) -> None:
    torch.manual_seed(0)
    model = prepare_for_inference(build_model(SMALL))
    info = ModelInfo(SMALL, (), {"resize": {"short": 192, "long": 192}})
    scene = open_scene(model, info, np.zeros((192, 192, 3), np.uint8), proposals=asked)
    assert SMALL.decode.num_proposals < len(scene.rles) if asked == 2000 else len(scene.rles) <= asked
    assert len(scene.rles) <= asked
    assert model.config == SMALL


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((5, 7, 3)), "found float64 5x7x3"),
        (np.zeros((5, 7), np.uint8), "found uint8 5x7"),
        (np.zeros((5, 7, 4), np.uint8), "found uint8 5x7x4"),
        (np.zeros((0, 7, 3), np.uint8), "found uint8 0x7x3"),
        (np.zeros((3, 5, 7), np.uint8), "found uint8 3x5x7"),
        (np.uint8(3), "found uint8"),
        (torch.zeros(5, 7, 3, dtype=torch.uint8), "found Tensor"),
        ("photo.jpg", "found str"),
    ],
)
def test_another_kind_of_image_is_refused(image: Any, said: str) -> None:
    with pytest.raises(UsageError, match=f"expected .*uint8 .H, W, 3.*{said}"):
        open_scene(oracle(), INFO, image)


def test_a_detector_has_no_scene() -> None:
    info = ModelInfo(RetinaNetConfig(), ())
    with pytest.raises(UsageError, match="proposes no masks"):
        open_scene(oracle(), info, IMAGE)


def test_a_box_gives_the_mask_of_its_size() -> None:
    scene = open_scene(oracle(), INFO, IMAGE)
    small = scene.at_box((18, 18, 42, 42))
    assert small[0].box_xywh == (20, 20, 20, 20)
    large = scene.at_box((0, 0, 78, 82))
    assert large[0].box_xywh == (0, 0, 80, 80)
    assert large[0].score > large[-1].score


def test_points_come_before_boxes() -> None:
    found = masks_at(oracle(), INFO, IMAGE, points=[(150, 40), (100, 90)], boxes=[(0, 0, 80, 80)])
    assert [None if one is None else one.box_xywh for one in found] == [
        (120, 20, 60, 60),
        None,
        (0, 0, 80, 80),
    ]


@pytest.mark.parametrize("point", [(-1, 5), (200, 5), (5, 100), (float("nan"), 5)])
def test_a_point_outside_is_refused(point: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="outside the image of 200 x 100"):
        open_scene(oracle(), INFO, IMAGE).at_point(*point)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 9, 5, 5), (1, 2, 3)])
def test_a_box_without_area_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="box"):
        open_scene(oracle(), INFO, IMAGE).at_box(box)
