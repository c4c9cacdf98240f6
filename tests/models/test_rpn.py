"""The whole RPN: what it returns, that it learns, that empty input is fine."""

from __future__ import annotations

import pytest
import torch

from amidst.models.config import BackboneConfig, FPNConfig, RPNConfig
from amidst.models.config_rcnn import Maps, RPNAnchorConfig, RPNHeadConfig, RPNPartConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.rpn import RPN
from amidst.models.structures import Detections, Target
from amidst.ops.boxes import pairwise_iou
from amidst.ops.images import ImageBatch

EMPTY = ImageBatch(torch.zeros(0, 3, 0, 0), ())


def make(maps: Maps = "pyramid", name: str = "tiny", **head: object) -> RPN:
    torch.manual_seed(0)
    return RPN(
        RPNConfig(
            backbone=BackboneConfig(name=name, freeze_at=0),  # type: ignore[arg-type]
            fpn=FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool"),
            maps=maps,
            rpn=RPNPartConfig(
                anchors=RPNAnchorConfig(sizes=(16.0, 32.0, 64.0, 128.0, 256.0)),
                head=RPNHeadConfig(**head),  # type: ignore[arg-type]
            ),
        )
    )


@pytest.mark.parametrize("training", [True, False])
def test_arguments_decide_not_the_mode(images: ImageBatch, targets: list[Target], training: bool) -> None:
    model = make().train(training)
    losses = model(images, targets)
    assert set(losses) == {"rpn_class_loss", "rpn_box_loss"}
    assert all(x.ndim == 0 and x.requires_grad for x in losses.values())
    found = model(images)
    assert [type(d) for d in found] == [Detections, Detections]
    for proposals, (height, width) in zip(found, images.sizes_hw, strict=True):
        assert 0 < len(proposals) <= 1000
        assert not proposals.class_index.any()
        assert (proposals.scores.diff() <= 0).all()
        assert (proposals.boxes_xyxy[:, 2:] <= torch.tensor([width, height])).all()


@pytest.mark.parametrize("maps", ["pyramid", "finest", "C4", "C5"])
@pytest.mark.parametrize("with_objects", [True, False])
def test_every_trained_weight_gets_a_finite_gradient(
    images: ImageBatch, targets: list[Target], no_targets: list[Target], maps: Maps, with_objects: bool
) -> None:
    model = make(maps)
    losses = model(images, targets if with_objects else no_targets)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert (float(losses["rpn_box_loss"].detach()) > 0) == with_objects
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert bool(parameter.grad.isfinite().all()), name


def test_a_batch_of_no_images() -> None:
    model = make()
    assert model(EMPTY) == []
    losses = model(EMPTY, [])
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert all(float(x.detach()) == 0 for x in losses.values())
    assert all(p.grad is not None for p in model.parameters())


def test_learns_two_images(images: ImageBatch, targets: list[Target]) -> None:
    model = make()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(60):
        loss = sum(model(images, targets).values())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimiser.step()
    for proposals, target in zip(model(images), targets, strict=True):
        assert float(pairwise_iou(proposals.boxes_xyxy[:5], target.boxes_xyxy).max()) > 0.8


def test_losses_do_not_depend_on_what_was_drawn_before(images: ImageBatch, targets: list[Target]) -> None:
    model = make()
    before = model(images, targets)
    torch.rand(7)
    assert model(images, targets) == before
    reseeded = [Target(t.boxes_xyxy, t.class_index, None, t.seed + 1) for t in targets]
    assert model(images, reseeded)["rpn_class_loss"] != before["rpn_class_loss"]


@pytest.mark.parametrize("shared", [True, False])
def test_prepared_for_inference_finds_the_same(images: ImageBatch, shared: bool) -> None:
    model = make(name="resnet18", shared=shared, norm="group").eval()
    with torch.no_grad():
        exact = model.predict(images.pixels)
        same = prepare_for_inference(model).predict(images.pixels)
        near = prepare_for_inference(model, torch.bfloat16).predict(images.pixels)
    for a, b, c in zip(exact.class_logits, same.class_logits, near.class_logits, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)
        assert c.dtype == torch.bfloat16
        torch.testing.assert_close(a, c.float(), atol=0.02, rtol=0.1)


def test_autocast_gives_float32_losses_and_boxes(images: ImageBatch, targets: list[Target]) -> None:
    model = make()
    exact = model(images, targets)
    with torch.autocast("cpu", torch.bfloat16):
        losses, found = model(images, targets), model(images)
    for name, value in losses.items():
        assert value.dtype == torch.float32
        assert float(value.detach()) == pytest.approx(float(exact[name].detach()), rel=0.05)
    assert all(d.boxes_xyxy.dtype == torch.float32 for d in found)
