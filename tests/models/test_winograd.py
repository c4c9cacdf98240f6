"""Winograd's convolution is the direct one to rounding, for every size."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from amidst.models.winograd import MIN_CELLS, WinogradConv2d, suits_winograd


@pytest.mark.parametrize(
    ("batch", "size_hw"),
    [(1, (20, 24)), (2, (17, 33)), (1, (1, 400)), (3, (300, 2)), (1, (130, 3)), (1, (2, 2))],
)
@pytest.mark.parametrize("bias", [True, False])
def test_is_the_direct_convolution(batch: int, size_hw: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 5, 3, padding=1, bias=bias).requires_grad_(False)
    x = torch.randn(batch, 6, *size_hw)
    exact = copy.deepcopy(conv).double()(x.double())
    for memory in (torch.contiguous_format, torch.channels_last):
        found = WinogradConv2d(conv)(x.contiguous(memory_format=memory))
        assert found.shape == exact.shape
        assert torch.allclose(found.double(), exact, atol=3e-5 * float(exact.abs().max()))


def test_error_stays_small_for_wide_layers() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(256, 256, 3, padding=1).requires_grad_(False)
    x = torch.randn(1, 256, 20, 20).relu()
    exact = copy.deepcopy(conv).double()(x.double())
    error = (WinogradConv2d(conv)(x) - exact).abs().max() / exact.abs().max()
    assert float(error) < 3e-5


def test_falls_back_where_it_does_not_gain() -> None:
    conv = nn.Conv2d(6, 5, 3, padding=1).requires_grad_(False)
    winograd = WinogradConv2d(conv)
    small = torch.randn(1, 6, 5, MIN_CELLS // 5 - 1)
    assert torch.allclose(winograd(small), conv(small), atol=1e-6)
    wide = torch.randn(1, 6, 20, 20, dtype=torch.float64)
    assert torch.equal(winograd.double()(wide), conv.double()(wide))


def test_which_convolutions_suit() -> None:
    assert suits_winograd(nn.Conv2d(256, 720, 3, padding=1))
    for conv in (
        nn.Conv2d(256, 36, 3, padding=1),
        nn.Conv2d(256, 256, 3, padding=1, stride=2),
        nn.Conv2d(256, 256, 3),
        nn.Conv2d(256, 256, 1),
        nn.Conv2d(256, 256, 5, padding=1),
        nn.Conv2d(256, 256, 3, padding=1, groups=256),
        nn.Conv2d(256, 256, 3, padding=2, dilation=2),
        nn.Conv2d(256, 256, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(256, 256, 3, padding=1, dtype=torch.bfloat16),
    ):
        assert not suits_winograd(conv)
