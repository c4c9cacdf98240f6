"""The network: losses worked by hand, one network for patches and images, what is left untouched."""

from __future__ import annotations

import math

import msgspec
import pytest
import torch
from torch import nn

from amidst.models.build import build_model, size_divisor
from amidst.models.config import BackboneConfig, DeepMaskConfig, DeepMaskDecodeConfig
from amidst.models.deepmask import DeepMask, mask_loss, score_loss
from amidst.models.deepmask_dense import best_patches, scaled_canvas, windows
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import MaskProposals, PatchTarget
from amidst.ops.images import ImageBatch

SMALL = DeepMaskConfig(
    backbone=BackboneConfig(name="tiny"),
    trunk="W64-P4-D3-F12",
    padding="zeros",
    target_side=32,
    decode=DeepMaskDecodeConfig(num_proposals=20, exponents=(-1.0, 0.0)),
)


def patches(number: int) -> ImageBatch:
    torch.manual_seed(1)
    return ImageBatch(torch.randn(number, 3, 96, 96), ((96, 96),) * number)


def disc(side: int) -> torch.Tensor:
    along = torch.arange(side) - side / 2
    return torch.where(along[:, None] ** 2 + along**2 < (side / 3) ** 2, 1, -1).to(torch.int8)


MASK, OBJECT, NONE = PatchTarget(mask=disc(32)), PatchTarget(label=1), PatchTarget(label=-1)


def test_a_batch_of_no_images_and_of_no_patches() -> None:
    model = build_model(SMALL)
    empty = ImageBatch(torch.zeros(0, 3, 0, 0), ())
    assert model(empty) == []
    losses = model(empty, [])
    sum(losses.values()).backward()
    assert [float(x.detach()) for x in losses.values()] == [0, 0]
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_arguments_decide_not_the_mode(training: bool) -> None:
    model = build_model(SMALL).train(training)
    losses = model(patches(2), [MASK, MASK])
    assert set(losses) == {"mask_loss", "score_loss"}
    assert all(x.ndim == 0 for x in losses.values())
    (found,) = model(ImageBatch(torch.randn(1, 3, 50, 70), ((50, 70),)))
    assert isinstance(found, MaskProposals)


def test_size_divisor_is_one() -> None:
    assert size_divisor(SMALL) == 1


def test_mask_loss_by_hand() -> None:
    """Two patches, all logits 2; one mask is everywhere, the other on a quarter: 32 x the mean over both."""
    everywhere, quarter = torch.ones(4, 4, dtype=torch.int8), -torch.ones(4, 4, dtype=torch.int8)
    quarter[:2, :2] = 1
    targets = [PatchTarget(mask=everywhere), PatchTarget(label=1), PatchTarget(mask=quarter)]
    right, wrong = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    expected = 32 * (right + (right + 3 * wrong) / 4) / 2
    found = mask_loss(torch.full((3, 2, 2), 2.0), targets, DeepMaskConfig())
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_the_mask_loss_of_32_patches_is_the_sum_over_the_batch_of_means_over_pixels() -> None:
    torch.manual_seed(0)
    logits = torch.randn(32, 8, 8)
    wanted = torch.where(torch.rand(32, 8, 8) < 0.5, 1, -1).to(torch.int8)
    found = mask_loss(logits, [PatchTarget(mask=mask) for mask in wanted], DeepMaskConfig())
    plain = torch.log1p(torch.exp(-wanted * logits)).mean(dim=(1, 2)).sum()
    assert float(found) == pytest.approx(float(plain), rel=1e-5)


def test_score_loss_by_hand() -> None:
    found = score_loss(torch.tensor([1.0, 1.0, 7.0, 0.0]), [OBJECT, NONE, MASK, OBJECT])
    expected = (math.log1p(math.exp(-1)) + math.log1p(math.exp(1)) + math.log(2)) / 3
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_losses_are_finite_for_large_logits() -> None:
    assert float(score_loss(torch.tensor([-500.0]), [OBJECT])) == 500
    assert float(mask_loss(torch.full((1, 2, 2), 500.0), [MASK], DeepMaskConfig())) < 32 * 500


@pytest.mark.parametrize(
    ("targets", "branch", "other"),
    [([MASK, MASK], "coarse.", "score."), ([OBJECT, NONE], "score.", "coarse.")],
)
def test_a_batch_teaches_the_trunk_and_its_own_branch(
    targets: list[PatchTarget], branch: str, other: str
) -> None:
    model = build_model(SMALL)
    sum(model(patches(2), targets).values()).backward()
    for name, parameter in model.named_parameters():
        if name.startswith(other) or name.startswith("backbone.stages.3"):
            assert parameter.grad is None
        elif name.startswith((branch, "backbone.stem", "reduce.", "embed.")):
            assert parameter.grad is not None
            assert bool(parameter.grad.isfinite().all())
            assert bool(parameter.grad.any()), name


def test_learns_a_mask_and_a_score() -> None:
    torch.manual_seed(0)
    model = build_model(msgspec.structs.replace(SMALL, dropout=0.0))
    pictures = torch.zeros(2, 3, 96, 96)
    pictures[0, :, 16:80, 16:80] = torch.nn.functional.interpolate(disc(32)[None, None].float(), 64)[0]
    images = ImageBatch(pictures, ((96, 96),) * 2)
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    for step in range(24):
        losses = model(images, [MASK, NONE] if step % 2 else [OBJECT, NONE])
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    model.eval()
    assert float(model(images, [MASK, NONE])["mask_loss"].detach()) < 32 * 0.2
    assert float(model(images, [OBJECT, NONE])["score_loss"].detach()) < 0.2


def test_all_patches_of_an_image_are_as_each_alone(near_trunk: nn.Module) -> None:
    """With a trunk that sees no further than the context, at all cells but the outermost (C.6)."""
    model = build_model(SMALL).eval()
    assert isinstance(model, DeepMask)
    model.backbone = near_trunk  # type: ignore[assignment]
    image = torch.randn(3, 75, 110)
    canvas, _ = scaled_canvas(image, 1.0, model.sizes, SMALL.pixels)
    with torch.no_grad():
        _, dense = model.dense(image)
        rows, columns = dense.scores.shape
        assert (rows, columns) == (6, 8)
        for row, column in ((1, 1), (2, 4), (rows - 2, columns - 2)):
            top, left = 16 * row - 16, 16 * column - 16
            crop = canvas[:, :, top : top + 96, left : left + 96]
            trunk = near_trunk.maps(crop)[-1][:, :, 1:-1, 1:-1]  # type: ignore[operator]
            reduced, codes = model.codes(trunk)
            assert codes.shape == (1, 512, 1, 1)
            score = model.score(trunk, reduced, codes)
            assert float(score) == pytest.approx(float(dense.scores[row, column]), abs=1e-4)
            chosen = (torch.tensor([row]), torch.tensor([column]))
            masks = model.scale_masks(dense, *chosen)
            assert torch.allclose(model.coarse_logits(codes.flatten(1)), masks, atol=1e-4)


@torch.no_grad()
def test_proposals_are_the_best_patches_of_all_scales() -> None:
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    assert isinstance(model, DeepMask)
    image = torch.randn(3, 75, 110)
    found = model.propose(image)
    assert (found.scores.shape, found.logits.shape, found.windows_xyxy.shape) == (
        (20,),
        (20, 56, 56),
        (20, 4),
    )
    assert bool((found.scores.diff() <= 0).all())
    dense = model.dense(image)
    chosen = best_patches(dense, 20)
    assert torch.equal(found.windows_xyxy, windows(chosen, dense, model.sizes))
    for index in (0, 7, 19):
        scale = dense[int(chosen.scale[index])]
        place = chosen.row[index : index + 1], chosen.column[index : index + 1]
        assert torch.allclose(model.scale_masks(scale, *place)[0], found.logits[index], atol=1e-6)
        assert float(scale.scores[place].sigmoid()) == pytest.approx(float(found.scores[index]))


def test_an_image_smaller_than_the_patch_and_a_batch_of_two_sizes() -> None:
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    pixels = torch.randn(2, 3, 40, 60)
    small, large = model(ImageBatch(pixels, ((9, 5), (40, 60))))
    assert len(small) == 3 * 3 - 1  # 2 x 2 patches of 5x2 pixels, 2 x 2 of 9x5
    alone = model(ImageBatch(pixels[1:], ((40, 60),)))[0]
    assert torch.equal(alone.scores, large.scores)


def test_prepared_for_inference_proposes_the_same() -> None:
    torch.manual_seed(0)
    config = DeepMaskConfig(
        backbone=BackboneConfig(name="resnet18", norm="batch", freeze_at=0),
        trunk="W64-P4-D12-F16",
        decode=DeepMaskDecodeConfig(num_proposals=30, exponents=(0.0,)),
    )
    model = build_model(config).eval()
    nn.init.normal_(model.get_parameter("score.judge.4.weight"))
    images = ImageBatch(torch.randn(1, 3, 60, 90), ((60, 90),))
    with torch.inference_mode():
        (a,), (b,) = model(images), prepare_for_inference(model)(images)
        (c,) = prepare_for_inference(model, torch.bfloat16)(images)
    assert torch.allclose(a.scores, b.scores, atol=1e-4)
    assert torch.allclose(a.logits, b.logits, atol=1e-3)
    assert torch.equal(a.windows_xyxy, b.windows_xyxy)
    assert torch.allclose(a.scores, c.scores, atol=0.05)
    assert (c.scores.dtype, c.logits.dtype) == (torch.float32, torch.float32)


def test_parameters_of_the_thesis() -> None:
    """About 17 million: the trunk's 8.5, 0.13, 6.55, the mask's 1.6 and the score's 0.53 (C.4)."""
    with torch.device("meta"):
        model = build_model(DeepMaskConfig())
    parts = {name: sum(p.numel() for p in child.parameters()) / 1e6 for name, child in model.named_children()}
    assert parts["backbone"] == pytest.approx(8.5, abs=0.1)
    assert parts["reduce"] == pytest.approx(0.13, abs=0.005)
    assert parts["embed"] == pytest.approx(6.55, abs=0.01)
    assert parts["coarse"] == pytest.approx(1.6, abs=0.02)
    assert parts["score"] == pytest.approx(0.53, abs=0.01)
    assert sum(parts.values()) == pytest.approx(17.3, abs=0.1)
