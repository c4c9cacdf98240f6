"""The whole Faster R-CNN: both stages learn from one picture, and it is put together from two networks."""

from __future__ import annotations

import pytest
import torch

from amidst.models.config import BackboneConfig, FasterRCNNConfig, FPNConfig
from amidst.models.config_rcnn import (
    Maps,
    RegionHeadConfig,
    RegionLossConfig,
    RegionPartConfig,
    RPNAnchorConfig,
    RPNDecodeConfig,
    RPNPartConfig,
)
from amidst.models.faster_rcnn import FasterRCNN
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import Detections, Target
from amidst.ops.images import ImageBatch

EMPTY = ImageBatch(torch.zeros(0, 3, 0, 0), ())
NAMES = {"rpn_class_loss", "rpn_box_loss", "class_loss", "box_loss"}


def make(maps: Maps = "pyramid", name: str = "tiny", **decode: object) -> FasterRCNN:
    torch.manual_seed(0)
    return FasterRCNN(
        FasterRCNNConfig(
            num_classes=3,
            backbone=BackboneConfig(name=name, freeze_at=0),  # type: ignore[arg-type]
            fpn=FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool"),
            maps=maps,
            rpn=RPNPartConfig(
                anchors=RPNAnchorConfig(sizes=(16.0, 32.0, 64.0, 128.0, 256.0)),
                decode=RPNDecodeConfig(**({"train_count": 100, "test_count": 100} | decode)),  # type: ignore[arg-type]
            ),
            roi=RegionPartConfig(
                head=RegionHeadConfig(kind="conv5" if maps == "C4" else "fc", width=32),
                loss=RegionLossConfig(sampled=32),
            ),
        )
    )


@pytest.mark.parametrize("training", [True, False])
def test_arguments_decide_not_the_mode(images: ImageBatch, targets: list[Target], training: bool) -> None:
    model = make().train(training)
    losses = model(images, targets)
    assert set(losses) == NAMES
    assert all(x.ndim == 0 and x.requires_grad for x in losses.values())
    assert [type(d) for d in model(images)] == [Detections, Detections]


@pytest.mark.parametrize("maps", ["pyramid", "C4"])
@pytest.mark.parametrize("with_objects", [True, False])
def test_every_weight_gets_a_finite_gradient(
    images: ImageBatch, targets: list[Target], no_targets: list[Target], maps: Maps, with_objects: bool
) -> None:
    model = make(maps)
    losses = model(images, targets if with_objects else no_targets)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


def test_no_proposals_at_all(images: ImageBatch, targets: list[Target], no_targets: list[Target]) -> None:
    model = make(min_side=1e6)
    assert [len(found) for found in model(images)] == [0, 0]
    assert float(model(images, targets)["class_loss"].detach()) > 0  # the objects are left
    losses = model(images, no_targets)
    assert float(losses["class_loss"].detach()) == float(losses["box_loss"].detach()) == 0
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None for p in model.parameters())


def test_a_batch_of_no_images() -> None:
    model = make()
    assert model(EMPTY) == []
    losses = model(EMPTY, [])
    assert set(losses) == NAMES
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert all(float(x.detach()) == 0 for x in losses.values())


def test_the_second_stage_teaches_the_rpn_nothing_but_through_the_maps(
    images: ImageBatch, targets: list[Target]
) -> None:
    """Boxes of proposals are constants."""
    model = make()
    losses = model(images, targets)
    (losses["class_loss"] + losses["box_loss"]).backward()
    assert all(p.grad is None for p in model.rpn_head.parameters())
    assert all(p.grad is not None for p in model.backbone.parameters())


def test_learns_two_images(images: ImageBatch, targets: list[Target]) -> None:
    model = make()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(70):
        loss = sum(model(images, targets).values())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimiser.step()
    for detections, target in zip(model(images), targets, strict=True):
        assert int(detections.class_index[0]) == int(target.class_index[0])
        torch.testing.assert_close(detections.boxes_xyxy[0], target.boxes_xyxy[0], atol=8, rtol=0)


def test_prepared_for_inference_finds_the_same(images: ImageBatch) -> None:
    model = make(name="resnet18").eval()
    with torch.no_grad():
        torch.nn.init.normal_(model.region_head.class_logits.weight, std=0.5)
        torch.nn.init.normal_(model.rpn_head.branches[0].get_parameter("objectness.weight"), std=1.0)
        exact, same = model(images), prepare_for_inference(model)(images)
        near = prepare_for_inference(model, torch.bfloat16)(images)
    for a, b, c in zip(exact, same, near, strict=True):
        assert len(a) == len(b) > 0
        torch.testing.assert_close(a.scores[:20], b.scores[:20], atol=1e-3, rtol=1e-3)
        assert len(c) > 0
        assert c.boxes_xyxy.dtype == torch.float32
