"""A convolution of an enlarged map is what enlarging and then convolving give."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from amidst.models.enlarged import both_ways, convolve_enlarged


def convolution(bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 5, 3, padding=1, padding_mode="replicate", bias=bias)


def test_no_maps() -> None:
    assert convolve_enlarged(torch.zeros(0, 3, 4, 6), convolution(), "bilinear").shape == (0, 5, 8, 12)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("size_hw", [(1, 1), (1, 7), (6, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_is_enlarging_then_convolving_up_to_the_border(
    mode: str, size_hw: tuple[int, int], bias: bool
) -> None:
    conv = convolution(bias).double()
    x = torch.randn(2, 3, *size_hw, dtype=torch.float64)
    expected = conv(F.interpolate(x, scale_factor=2, mode=mode))
    for memory in (torch.contiguous_format, torch.channels_last):
        found = convolve_enlarged(x.contiguous(memory_format=memory), conv, mode)
        assert torch.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_gradients_are_the_same(mode: str) -> None:
    conv = convolution().double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 5, 8, 10, dtype=torch.float64)
    inputs = (x, *conv.parameters())
    expected = torch.autograd.grad(
        (conv(F.interpolate(x, scale_factor=2, mode=mode)) * weights).sum(), inputs
    )
    found = torch.autograd.grad((convolve_enlarged(x, conv, mode) * weights).sum(), inputs)
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(found, expected, strict=True))


def test_keeps_the_precision_it_is_given() -> None:
    conv = convolution()
    x = torch.randn(1, 3, 8, 8)
    exact = convolve_enlarged(x, conv, "bilinear")
    found = convolve_enlarged(x.bfloat16(), conv.bfloat16(), "bilinear")
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), exact, atol=0.05)


def test_learns_in_a_process_that_has_predicted() -> None:
    both_ways.cache_clear()
    conv, x = convolution(), torch.randn(1, 3, 4, 5)
    with torch.inference_mode():
        convolve_enlarged(x, conv, "bilinear")
    convolve_enlarged(x, conv, "bilinear").sum().backward()
    assert conv.weight.grad is not None
