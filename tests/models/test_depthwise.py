from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amidst.models.depthwise import depthwise, is_served


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(
    ("channels", "size_hw", "kernel", "stride", "padding"),
    [
        (16, (7, 7), 3, 1, 1),
        (32, (13, 9), 5, 1, 2),
        (48, (11, 8), 5, 2, 0),
        (32, (11, 12), 3, 2, 0),
        (16, (8, 9), 5, 2, 2),
        (16, (5, 5), 5, 1, 0),
    ],
)
def test_value_and_gradients_are_those_of_the_library(
    channels: int,
    size_hw: tuple[int, int],
    kernel: int,
    stride: int,
    padding: int,
    wanted: tuple[bool, bool],
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, channels, *size_hw, dtype=dtype).to(memory_format=torch.channels_last)
    weight, bias = torch.randn(channels, 1, kernel, kernel, dtype=dtype), torch.randn(channels, dtype=dtype)
    x.requires_grad_(wanted[0])
    weight.requires_grad_(wanted[1])
    inputs = [tensor for tensor in (x, weight) if tensor.requires_grad]
    ours = depthwise(x, weight, bias, stride, padding)
    reference = F.conv2d(x.float(), weight.float(), bias.float(), stride, padding, groups=channels)
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(ours.float(), reference, rtol=tolerance, atol=tolerance * 5)
    arriving = torch.randn_like(reference).to(dtype)
    found = torch.autograd.grad(ours, inputs, arriving)
    expected = torch.autograd.grad(reference, inputs, arriving.float())
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a.float(), b.float(), rtol=tolerance, atol=tolerance * 10)


def test_autocast_decides_the_precision() -> None:
    x, weight, bias = torch.randn(1, 16, 6, 6), torch.randn(16, 1, 3, 3), torch.randn(16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert depthwise(x, weight, bias, 1, 1).dtype == torch.bfloat16
    assert depthwise(x, weight, bias, 1, 1).dtype == torch.float32


@pytest.mark.parametrize(
    ("conv", "served"),
    [
        (nn.Conv2d(32, 32, 3, groups=32), True),
        (nn.Conv2d(32, 32, 3), False),
        (nn.Conv2d(24, 24, 3, groups=24), False),
        (nn.Conv2d(32, 64, 3, groups=32), False),
        (nn.Conv2d(32, 32, (3, 5), groups=32), False),
        (nn.Conv2d(32, 32, 3, groups=32, dilation=2), False),
    ],
)
def test_which_convolutions_are_served(conv: nn.Conv2d, served: bool) -> None:
    assert is_served(conv, torch.zeros(1)) is served
