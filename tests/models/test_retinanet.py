"""The whole network: what it returns, that it learns, that empty input is fine."""

from __future__ import annotations

import msgspec
import pytest
import torch

from amidst.models.build import build_model, size_divisor
from amidst.models.config import BackboneConfig, FPNConfig, RetinaNetConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.retinanet import CACHED_SIZES, RetinaNet
from amidst.models.structures import Detections, Target
from amidst.models.winograd import WinogradConv2d
from amidst.ops.images import ImageBatch


@pytest.mark.parametrize("training", [True, False])
def test_arguments_decide_not_the_mode(
    tiny_config: RetinaNetConfig, images: ImageBatch, targets: list[Target], training: bool
) -> None:
    model = build_model(tiny_config).train(training)
    losses = model(images, targets)
    assert set(losses) == {"class_loss", "box_loss"}
    assert all(x.ndim == 0 and x.requires_grad for x in losses.values())
    found = model(images)
    assert [type(d) for d in found] == [Detections, Detections]


def test_learns_two_images(tiny_config: RetinaNetConfig, images: ImageBatch, targets: list[Target]) -> None:
    torch.manual_seed(0)
    model = build_model(tiny_config)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3)
    history = []
    for _ in range(50):
        loss = sum(model(images, targets).values())
        assert isinstance(loss, torch.Tensor)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(float(loss.detach()))
    assert history[-1] < 0.05 * history[0]
    with torch.inference_mode():
        found = model(images)
    for detections, target in zip(found, targets, strict=True):
        assert int(detections.class_index[0]) == int(target.class_index[0])
        assert torch.allclose(detections.boxes_xyxy[0], target.boxes_xyxy[0], atol=4)


def test_images_without_objects(
    tiny_config: RetinaNetConfig, images: ImageBatch, no_targets: list[Target]
) -> None:
    model = build_model(tiny_config)
    losses = model(images, no_targets)
    sum(losses.values()).backward()
    assert float(losses["box_loss"].detach()) == 0
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all())


def test_a_batch_of_no_images(tiny_config: RetinaNetConfig) -> None:
    model = build_model(tiny_config)
    empty = ImageBatch(torch.zeros(0, 3, 0, 0), ())
    assert model(empty) == []
    losses = model(empty, [])
    sum(losses.values()).backward()
    assert all(float(x.detach()) == 0 for x in losses.values())


def test_autocast_gives_float32_losses(
    tiny_config: RetinaNetConfig, images: ImageBatch, targets: list[Target]
) -> None:
    torch.manual_seed(0)
    model = build_model(tiny_config)
    exact = model(images, targets)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(images, targets)
        found = model(images)
    sum(losses.values()).backward()
    for name, value in losses.items():
        assert value.dtype == torch.float32
        assert float(value.detach()) == pytest.approx(float(exact[name].detach()), rel=0.05)
    assert all(d.boxes_xyxy.dtype == torch.float32 for d in found)


def test_anchors_are_kept_for_few_sizes_and_serve_training_after_prediction(
    tiny_config: RetinaNetConfig, images: ImageBatch, targets: list[Target]
) -> None:
    model = RetinaNet(tiny_config)
    with torch.inference_mode():
        model(images)
    sum(model(images, targets).values()).backward()
    device = torch.device("cpu")
    for width in range(1, 2 * CACHED_SIZES):
        levels = model.anchors(((1, width),) * 5, (8, 8 * width), device)
        assert [len(level) for level in levels] == [9 * width] * 5
    assert len(model._anchors) == CACHED_SIZES


def test_size_of_batch_does_not_matter(tiny_config: RetinaNetConfig, images: ImageBatch) -> None:
    torch.manual_seed(0)
    model = build_model(msgspec.structs.replace(tiny_config, num_classes=1))
    torch.nn.init.normal_(
        model.get_parameter("class_subnet.predict.weight"), std=0.5
    )  # so that there is something
    with torch.inference_mode():
        together = model(images)
        apart = [model(ImageBatch(images.pixels[i : i + 1], images.sizes_hw[i : i + 1]))[0] for i in (0, 1)]
    for a, b in zip(together, apart, strict=True):
        assert len(a) == len(b) > 0
        assert torch.allclose(a.scores, b.scores, atol=1e-5)


def test_resnet_detector_prepared_for_inference_finds_the_same(images: ImageBatch) -> None:
    torch.manual_seed(0)
    config = RetinaNetConfig(
        num_classes=2, backbone=BackboneConfig(name="resnet18", norm="batch", freeze_at=0)
    )
    model = build_model(config).eval()
    torch.nn.init.normal_(model.get_parameter("class_subnet.predict.weight"), std=1.0)
    prepared = prepare_for_inference(model)
    assert any(isinstance(module, WinogradConv2d) for module in prepared.modules())
    with torch.inference_mode():
        a, b = model(images), prepared(images)
    assert sum(map(len, a)) > 0
    for expected, found in zip(a, b, strict=True):
        assert torch.allclose(found.scores, expected.scores, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0", "tiny"])
def test_prepared_in_bfloat16_predicts_nearly_the_same(name: str, images: ImageBatch) -> None:
    torch.manual_seed(0)
    model = build_model(RetinaNetConfig(num_classes=2, backbone=BackboneConfig(name=name, freeze_at=0)))  # type: ignore[arg-type]
    prepared = prepare_for_inference(model, torch.bfloat16)
    assert isinstance(model, RetinaNet)
    assert isinstance(prepared, RetinaNet)
    with torch.inference_mode():
        exact, near = model.predict(images.pixels), prepared.predict(images.pixels)
        assert {len(d) for d in prepared(images)} == {0}  # the prior's scores are below the threshold
    for a, b in zip(exact.class_logits, near.class_logits, strict=True):
        assert b.dtype == torch.bfloat16
        assert torch.allclose(a, b.float(), atol=0.05)


def test_size_divisor_is_the_coarsest_stride() -> None:
    assert size_divisor(RetinaNetConfig()) == 128
    assert size_divisor(RetinaNetConfig(fpn=FPNConfig(max_level=6))) == 64
