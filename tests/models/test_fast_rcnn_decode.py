"""From judged regions to detections."""

from __future__ import annotations

import math

import torch

from amidst.models.config_rcnn import RegionDecodeConfig
from amidst.models.fast_rcnn_decode import decode_regions
from amidst.models.fast_rcnn_head import RegionOutputs, Regions
from amidst.models.structures import Detections

CONFIG = RegionDecodeConfig()
SIZES = [(100, 100), (100, 100)]


def decode(
    probabilities: list[list[float]],
    boxes: list[list[float]],
    image: list[int],
    codes: torch.Tensor | None = None,
    config: RegionDecodeConfig = CONFIG,
) -> list[Detections]:
    """Of two classes and background."""
    logits = torch.tensor(probabilities).view(-1, 3).log()
    outputs = RegionOutputs(logits, torch.zeros(len(logits), 2, 4) if codes is None else codes)
    regions = Regions(torch.tensor(boxes).view(-1, 4), torch.tensor(image, dtype=torch.int64))
    return decode_regions(outputs, regions, SIZES, config)


def test_no_regions() -> None:
    assert [len(found) for found in decode([], [], [])] == [0, 0]


def test_one_region_may_give_several_classes_and_background_gives_none() -> None:
    boxes = [[0.0, 0, 10, 10], [50, 50, 60, 60]]
    first, second = decode([[0.6, 0.3, 0.1], [0.04, 0.03, 0.93]], boxes, [0, 0])
    assert first.class_index.tolist() == [0, 1]
    torch.testing.assert_close(first.scores, torch.tensor([0.6, 0.3]))
    assert len(second) == 0


def test_codes_of_the_class_are_weighed_and_clipped() -> None:
    """(10, 0, 5 ln 2, 0) moves by the width and doubles it: (0, 0, 40, 10) -> (20, 0, 100, 10), cut at 70."""
    codes = torch.zeros(1, 2, 4)
    codes[0, 1] = torch.tensor([10.0, 0, 5 * math.log(2), 0])
    outputs = RegionOutputs(torch.tensor([[0.01, 0.98, 0.01]]).log(), codes)
    regions = Regions(torch.tensor([[0.0, 0, 40, 10]]), torch.tensor([0]))
    (found,) = decode_regions(outputs, regions, [(100, 70)], CONFIG)
    torch.testing.assert_close(found.boxes_xyxy, torch.tensor([[20.0, 0, 70, 10]]))


def test_suppresses_within_a_class_of_an_image() -> None:
    box, near = [0.0, 0, 10, 10], [0.0, 0, 10, 9]
    same = decode([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1]], [box, near], [0, 0])[0]
    assert same.class_index.tolist() == [0, 1]
    other = decode([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]], [box, near], [0, 0])[0]
    assert len(other) == 2
    apart = decode([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05]], [box, near], [0, 1])
    assert [len(found) for found in apart] == [1, 1]


def test_the_best_are_kept() -> None:
    boxes = [[20.0 * i, 0, 20.0 * i + 10, 10] for i in range(4)]
    scores = [[0.2, 0.0, 0.8], [0.5, 0.0, 0.5], [0.4, 0.0, 0.6], [0.3, 0.0, 0.7]]
    found = decode(scores, boxes, [0] * 4, config=RegionDecodeConfig(max_detections=2))[0]
    torch.testing.assert_close(found.scores, torch.tensor([0.5, 0.4]))
