"""Refinement: concatenation as a sum of two convolutions, layouts, schedules, windows of shared maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.errors import ConfigError
from amidst.models.config import BackboneConfig, DeepMaskConfig, RefineConfig
from amidst.models.deepmask_geometry import geometry
from amidst.models.sharpmask_refine import (
    Averaging,
    Refinement,
    enlarge,
    level_channels,
    refinement,
    take_windows,
)

SIZES = geometry(DeepMaskConfig(backbone=BackboneConfig(name="tiny"), trunk="W64-P4-D3", padding="zeros"))
MAPS = (32, 24, 16, 16)  # channels of C4..C1


def built(variant: str, **settings: object) -> Refinement:
    torch.manual_seed(0)
    network = refinement(RefineConfig(variant=variant, **settings), SIZES, MAPS)  # type: ignore[arg-type]
    assert isinstance(network, Refinement)
    return network.eval()


def maps(margin_of_c4: int = 0) -> list[Tensor]:
    """C4..C1 of two patches, with a margin."""
    sides = [(4 + 2 * margin_of_c4) * 2**level for level in range(4)]
    return [torch.randn(2, width, side, side) for width, side in zip(MAPS, sides, strict=True)]


def test_no_patches() -> None:
    network = built("released")
    skips = [torch.zeros(0, k, 4 * 2**i, 4 * 2**i) for i, k in enumerate(network.channels[1:])]
    assert network(torch.zeros(0, 512), torch.zeros(0, 56, 56), skips).shape == (0, 64, 64)


def test_channels_of_both_schedules() -> None:
    assert level_channels(RefineConfig(), 4) == (32, 16, 8, 4, 2)
    assert level_channels(RefineConfig(channels=16, schedule="a"), 4) == (16,) * 5
    with pytest.raises(ConfigError, match="a multiple of 16"):
        level_channels(RefineConfig(channels=24), 4)


@pytest.mark.parametrize("schedule", ["a", "b"])
@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
def test_concatenation_is_a_sum_of_two_convolutions(schedule: str, upsample: str) -> None:
    """M' = up(ReLU(conv([M, S]))), computed literally (D.1), is what the network computes (D.2)."""
    network = built("concat", schedule=schedule, upsample=upsample)
    codes, features = torch.randn(2, 512), maps()
    with torch.no_grad():
        x = network.seed(codes).view(2, -1, 4, 4)
        for vertical, horizontal, feature in zip(network.vertical, network.horizontal, features, strict=True):
            assert isinstance(horizontal, nn.Sequential)
            of_mask, of_skip = vertical[0], horizontal[-1]  # type: ignore[index]
            skip = horizontal[:-1](feature)
            stacked = F.pad(torch.cat((x, skip), dim=1), (1, 1, 1, 1), mode="replicate")
            kernel = torch.cat((of_mask.weight, of_skip.weight), dim=1)
            assert of_skip.bias is None
            x = F.relu(F.conv2d(stacked, kernel, of_mask.bias))
            x = F.interpolate(x, scale_factor=2, mode=upsample)
        literal = network.out(x)[:, 0]
        found = network(codes, torch.zeros(0), network.skips(features))
    assert found.shape == (2, 64, 64)
    assert torch.allclose(found, literal, atol=1e-5)


def test_layout_of_the_release() -> None:
    """Table of D.3: channels of each path, and its 2.75 million weights with ResNet-50's maps."""
    sizes, widths = geometry(DeepMaskConfig()), (1024, 512, 256, 64)
    with torch.device("meta"):
        network = refinement(RefineConfig(), sizes, widths)
    assert isinstance(network, Refinement)
    layout = [(64, 32, 16), (64, 16, 8), (64, 8, 4), (32, 4, 2)]
    expected = 512 * 3200 + 3200 + 2 * 9 + 1  # M^1 and the last convolution
    for level, (first, second, third) in enumerate(layout):
        width = widths[level]
        convolutions = [(width, first), (first, second), (second, third)]
        convolutions += [(second, second), (second, third)]
        expected += sum(9 * a * b + b for a, b in convolutions)
        found = [m.out_channels for m in network.horizontal[level].modules() if isinstance(m, nn.Conv2d)]
        assert found == [first, second, third]
        found = [m.out_channels for m in network.vertical[level].modules() if isinstance(m, nn.Conv2d)]
        assert found == [second, third]
    weights = sum(p.numel() for p in network.parameters())
    assert weights == expected
    assert 2.74e6 < weights < 2.76e6


@pytest.mark.parametrize("variant", ["released", "concat", "deconv"])
def test_a_gradient_reaches_every_weight(variant: str) -> None:
    network = built(variant)
    logits = network(torch.randn(2, 512), torch.zeros(0), network.skips(maps()))
    logits.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name


def test_deconvolution_alone_does_not_look_at_the_picture() -> None:
    network = built("deconv")
    assert network.skips(maps()) == ()
    assert len(network.horizontal) == 0


@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
def test_averaging_is_the_mean_of_coarse_mask_and_skips(upsample: str) -> None:
    torch.manual_seed(0)
    network = refinement(RefineConfig(variant="skip", upsample=upsample), SIZES, MAPS)  # type: ignore[arg-type]
    assert isinstance(network, Averaging)
    coarse = torch.full((2, 56, 56), 5.0)
    with torch.no_grad():
        skips = network.skips(maps())
        assert [tuple(skip.shape) for skip in skips] == [(2, 1, 4 * 2**i, 4 * 2**i) for i in range(4)]
        found = network(torch.zeros(2, 512), coarse, skips)
        parts = [F.interpolate(skip, size=(64, 64), mode=upsample)[:, 0] for skip in skips]
    assert torch.allclose(found, (5.0 + sum(parts)) / 5, atol=1e-5)


def test_windows_of_a_map() -> None:
    skip = torch.arange(2 * 8 * 10, dtype=torch.float32).view(2, 8, 10)
    found = take_windows(skip, torch.tensor([0, 1, 2]), torch.tensor([0, 3, 1]), side=4, step=2)
    assert found.shape == (3, 2, 4, 4)
    for window, (row, column) in zip(found, ((0, 0), (2, 6), (4, 2)), strict=True):
        assert torch.equal(window, skip[:, row : row + 4, column : column + 4])
    none = torch.zeros(0, dtype=torch.int64)
    assert take_windows(skip, none, none, side=4, step=2).shape == (0, 2, 4, 4)


def test_skips_of_the_image_are_those_of_each_patch() -> None:
    """Computed once and cut into windows, or for every patch with its context: the same (M.5).

    Three convolutions reach 3 cells; the context is 1, 2, 4 and 8 cells wide, so that only the outer 2 cells
    of C4 and the outer one of C3 can differ.
    """
    network = built("released")
    whole = [torch.randn(1, width, 9 * 2**i, 11 * 2**i) for i, width in enumerate(MAPS)]
    row, column = 2, 4  # a patch whose context lies within the maps
    with torch.no_grad():
        shared = network.skips(whole)
        for level, (skip, feature) in enumerate(zip(shared, whole, strict=True)):
            side, step = 4 << level, 1 << level
            (window,) = take_windows(skip[0], torch.tensor([row]), torch.tensor([column]), side, step)
            top, left = row * step - step, column * step - step
            crop = feature[:, :, top : top + side + 2 * step, left : left + side + 2 * step]
            alone = network.horizontal[level](crop)[0, :, step:-step, step:-step]
            inner = slice(max(3 - step, 0), side - max(3 - step, 0))
            assert torch.allclose(window[:, inner, inner], alone[:, inner, inner], atol=1e-5)


def test_enlarging_keeps_constants() -> None:
    for mode in ("bilinear", "nearest"):
        assert torch.equal(enlarge(torch.full((1, 2, 3, 3), 4.0), 6, mode), torch.full((1, 2, 6, 6), 4.0))
