"""The whole Fast R-CNN: what it returns, that it learns, that empty input is fine."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from amidst.errors import UsageError
from amidst.models.config import BackboneConfig, FastRCNNConfig, FPNConfig
from amidst.models.config_rcnn import (
    Maps,
    PoolingConfig,
    RegionHeadConfig,
    RegionLossConfig,
    RegionPartConfig,
)
from amidst.models.fast_rcnn import FastRCNN, within
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import Detections, Target
from amidst.ops.images import ImageBatch

EMPTY = ImageBatch(torch.zeros(0, 3, 0, 0), ())


def make(maps: Maps = "pyramid", name: str = "tiny", **pooling: object) -> FastRCNN:
    torch.manual_seed(0)
    return FastRCNN(
        FastRCNNConfig(
            num_classes=3,
            backbone=BackboneConfig(name=name, freeze_at=0),  # type: ignore[arg-type]
            fpn=FPNConfig(channels=16, min_level=2, max_level=5, extra_from="pool"),
            maps=maps,
            roi=RegionPartConfig(
                pooling=PoolingConfig(**pooling),  # type: ignore[arg-type]
                head=RegionHeadConfig(kind="conv5" if maps == "C4" else "fc", width=32),
                loss=RegionLossConfig(sampled=32),
            ),
        )
    )


@pytest.fixture
def proposed(images: ImageBatch) -> ImageBatch:
    """Both images with a grid of boxes of two sizes, sorted by nothing."""
    corner = torch.cartesian_prod(torch.arange(0.0, 90, 15), torch.arange(0.0, 90, 15))
    boxes = torch.cat([torch.cat((corner, corner + side), dim=1) for side in (30, 60)])
    return replace(images, proposals_xyxy=(boxes, boxes))


def without_proposals(images: ImageBatch) -> ImageBatch:
    return replace(images, proposals_xyxy=(torch.zeros(0, 4),) * 2)


def test_no_file_of_proposals_is_an_error_and_an_empty_list_is_not(
    images: ImageBatch, targets: list[Target]
) -> None:
    model = make()
    for arguments in ((images,), (images, targets)):
        with pytest.raises(UsageError, match="needs proposals"):
            model(*arguments)
    assert [len(found) for found in model(without_proposals(images))] == [0, 0]
    assert (
        float(model(without_proposals(images), targets)["class_loss"].detach()) > 0
    )  # objects are regions too


@pytest.mark.parametrize("training", [True, False])
def test_arguments_decide_not_the_mode(proposed: ImageBatch, targets: list[Target], training: bool) -> None:
    model = make().train(training)
    losses = model(proposed, targets)
    assert set(losses) == {"class_loss", "box_loss"}
    assert all(x.ndim == 0 and x.requires_grad for x in losses.values())
    assert [type(d) for d in model(proposed)] == [Detections, Detections]


@pytest.mark.parametrize("maps", ["pyramid", "finest", "C4", "C5"])
@pytest.mark.parametrize("there", ["all", "no objects", "nothing"])
def test_every_trained_weight_gets_a_finite_gradient(
    proposed: ImageBatch, targets: list[Target], no_targets: list[Target], maps: Maps, there: str
) -> None:
    model = make(maps)
    batch = without_proposals(proposed) if there == "nothing" else proposed
    losses = model(batch, targets if there == "all" else no_targets)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
    moved = {
        name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()
    }
    expected = {"backbone", "region_head"} | ({"fpn"} if maps in ("pyramid", "finest") else set())
    assert moved == (set() if there == "nothing" else expected)


def test_a_batch_of_no_images() -> None:
    model = make()
    assert model(EMPTY) == []
    losses = model(EMPTY, [])
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert all(float(x.detach()) == 0 for x in losses.values())


def test_proposals_are_cut_to_the_image() -> None:
    boxes = torch.tensor([[-10.0, 5, 20, 300], [50, 50, 60, 60], [200, 0, 250, 10], [5, 5, 5, 9]])
    assert within(boxes, (100, 100)).tolist() == [[0, 5, 20, 100], [50, 50, 60, 60]]


def test_learns_two_images(proposed: ImageBatch, targets: list[Target]) -> None:
    model = make()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(60):
        loss = sum(model(proposed, targets).values())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimiser.step()
    for detections, target in zip(model(proposed), targets, strict=True):
        assert int(detections.class_index[0]) == int(target.class_index[0])
        torch.testing.assert_close(detections.boxes_xyxy[0], target.boxes_xyxy[0], atol=6, rtol=0)


@pytest.mark.parametrize("maps", ["pyramid", "C4"])
def test_prepared_for_inference_finds_the_same(proposed: ImageBatch, maps: Maps) -> None:
    assert proposed.proposals_xyxy is not None
    proposed = replace(proposed, proposals_xyxy=tuple(boxes[::4] for boxes in proposed.proposals_xyxy))
    model = make(maps, name="resnet18", size=4).eval()
    with torch.no_grad():
        torch.nn.init.normal_(model.region_head.class_logits.weight, std=0.5)
        exact, same = model(proposed), prepare_for_inference(model)(proposed)
        near = prepare_for_inference(model, torch.bfloat16)(proposed)
    for a, b, c in zip(exact, same, near, strict=True):
        assert len(a) == len(b) > 0
        torch.testing.assert_close(a.scores, b.scores, atol=1e-3, rtol=1e-3)
        assert abs(len(c) - len(a)) <= 0.3 * len(a)
        assert c.boxes_xyxy.dtype == torch.float32
