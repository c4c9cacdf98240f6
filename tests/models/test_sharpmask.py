"""SharpMask: only the refinement learns, proposals are the DeepMask's, one network for patches and images."""

from __future__ import annotations

import msgspec
import pytest
import torch
from torch import nn

from amidst.models import deepmask
from amidst.models.build import build_model
from amidst.models.config import (
    BackboneConfig,
    DeepMaskConfig,
    DeepMaskDecodeConfig,
    RefineConfig,
    SharpMaskConfig,
)
from amidst.models.deepmask_dense import scaled_canvas
from amidst.models.norms import prepare_for_inference
from amidst.models.sharpmask import SharpMask
from amidst.models.structures import PatchTarget
from amidst.ops.images import ImageBatch

DECODE = DeepMaskDecodeConfig(num_proposals=20, exponents=(-1.0, 0.0))
TINY = BackboneConfig(name="tiny")
COARSE = DeepMaskConfig(backbone=TINY, trunk="W64-P4-D3-F12", padding="zeros", decode=DECODE)
SMALL = SharpMaskConfig(backbone=TINY, trunk="W64-P4-D3-F12", padding="zeros", decode=DECODE, target_side=64)


def build(config: SharpMaskConfig = SMALL) -> SharpMask:
    torch.manual_seed(0)
    model = build_model(config)
    assert isinstance(model, SharpMask)
    return model


def patches(number: int = 2) -> tuple[ImageBatch, list[PatchTarget]]:
    torch.manual_seed(1)
    masks = torch.where(torch.rand(number, 64, 64) < 0.3, 1, -1).to(torch.int8)
    images = ImageBatch(torch.randn(number, 3, 96, 96), ((96, 96),) * number)
    return images, [PatchTarget(mask=mask) for mask in masks]


def test_a_batch_of_no_images_and_of_no_patches() -> None:
    model = build()
    empty = ImageBatch(torch.zeros(0, 3, 0, 0), ())
    assert model(empty) == []
    sum(model(empty, []).values()).backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("variant", "norm"),
    [("released", "batch"), ("concat", "frozen"), ("deconv", "frozen"), ("skip", "batch")],
)
def test_only_the_refinement_learns(variant: str, norm: str) -> None:
    """All of the DeepMask stays as it is to the last bit, running statistics included."""
    config = SharpMaskConfig(
        backbone=BackboneConfig(name="resnet18", norm=norm, freeze_at=0),  # type: ignore[arg-type]
        trunk="W64-P4-D12-F12",
        target_side=64,
        refine=RefineConfig(variant=variant),  # type: ignore[arg-type]
    )
    model = build(config).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learnt, 1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        sum(model(*patches()).values()).backward()
        optimiser.step()
    after = model.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(after[name], before[name])}
    assert changed == {"refine"}
    assert sum(p.numel() for p in learnt) == sum(p.numel() for p in model.refine.parameters())


def test_modes_reach_the_refinement_alone() -> None:
    model = build().train()
    assert model.training
    assert model.refine.training
    assert not model.backbone.training
    assert not model.score.training
    assert not model.eval().refine.training


def test_learns_finer_masks() -> None:
    model = build()
    along = torch.arange(64) - 31.5
    disc = torch.where(along[:, None] ** 2 + along**2 < 400, 1, -1).to(torch.int8)
    pixels = torch.zeros(1, 3, 96, 96)
    pixels[:, :, 16:80, 16:80] = disc.float()
    images, targets = ImageBatch(pixels, ((96, 96),)), [PatchTarget(mask=disc)]
    optimiser = torch.optim.AdamW(model.refine.parameters(), 1e-2)
    history = []
    for _ in range(15):
        loss = model(images, targets)["mask_loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(float(loss.detach()))
    assert history[-1] < 0.5 * history[0]


@torch.no_grad()
def test_proposals_are_the_deepmasks_with_other_masks() -> None:
    sharp = build().eval()
    coarse = build_model(COARSE).eval()
    coarse.load_state_dict({k: v for k, v in sharp.state_dict().items() if not k.startswith("refine.")})
    both = build(msgspec.structs.replace(SMALL, masks="coarse")).eval()
    both.load_state_dict(sharp.state_dict())
    images = ImageBatch(torch.randn(1, 3, 75, 110), ((75, 110),))
    (a,), (b,), (c,) = sharp(images), coarse(images), both(images)
    assert torch.equal(a.scores, b.scores)
    assert torch.equal(a.windows_xyxy, b.windows_xyxy)
    assert a.logits.shape == (20, 64, 64)
    assert torch.equal(b.logits, c.logits)


@torch.no_grad()
def test_all_patches_of_an_image_are_as_each_alone(near_trunk: nn.Module) -> None:
    """With skips that look at one cell, so that no window misses what lies beyond its context."""
    model = build().eval()
    model.backbone = near_trunk  # type: ignore[assignment]
    for conv in model.refine.horizontal.modules():
        if isinstance(conv, nn.Conv2d):
            centre = conv.weight[:, :, 1, 1].clone()
            conv.weight.zero_()
            conv.weight[:, :, 1, 1] = centre
    image = torch.randn(3, 75, 110)
    canvas, _ = scaled_canvas(image, 1.0, model.sizes, SMALL.pixels)
    dense = model.dense(image)[1]
    for row, column in ((1, 1), (2, 4), (4, 6)):
        top, left = 16 * row - 16, 16 * column - 16
        maps = near_trunk.maps(canvas[:, :, top : top + 96, left : left + 96])  # type: ignore[operator]
        _, codes = model.codes(maps[-1][:, :, 1:-1, 1:-1])
        skips = [
            skip[:, :, 1 << level : -(1 << level), 1 << level : -(1 << level)]
            for level, skip in enumerate(model.refine.skips(maps[::-1]))
        ]
        alone = model.refine(codes.flatten(1), torch.zeros(0), skips)
        found = model.scale_masks(dense, torch.tensor([row]), torch.tensor([column]))
        assert torch.allclose(found, alone, atol=1e-4)


@torch.no_grad()
def test_the_number_of_windows_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build().eval()
    images = ImageBatch(torch.randn(1, 3, 75, 110), ((75, 110),))
    (a,) = model(images)
    monkeypatch.setattr(deepmask, "WINDOWS_AT_ONCE", 3)
    (b,) = model(images)
    assert torch.allclose(a.logits, b.logits, atol=1e-5)


def test_prepared_for_inference_proposes_the_same() -> None:
    model = build().eval()
    images = ImageBatch(torch.randn(1, 3, 60, 90), ((60, 90),))
    with torch.inference_mode():
        (a,), (b,) = model(images), prepare_for_inference(model)(images)
    assert torch.allclose(a.scores, b.scores, atol=1e-4)
    assert torch.allclose(a.logits, b.logits, atol=1e-3)
