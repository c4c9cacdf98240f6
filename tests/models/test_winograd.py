"""Winograd's convolution is the direct one to rounding, for every size."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from amidst.models.winograd import MIN_CELLS, PLANS, WinogradConv2d, matrices, suits_winograd


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_matrices_filter_exactly(kernel: int) -> None:
    """One dimension in float64: A' [(G w) * (B' x)] is the sum of products."""
    plan = PLANS[kernel]
    b_t, g, a_t = matrices(plan)
    torch.manual_seed(0)
    w, x = torch.randn(plan.block).double(), torch.randn(plan.span).double()
    expected = x.unfold(0, plan.block, 1) @ w
    assert torch.allclose(a_t @ ((g @ w) * (b_t @ x)), expected, atol=1e-12)


def test_matrices_of_the_paper() -> None:
    """F(4, 3) of Lavin and Gray, up to the signs and scales of its rows."""
    b_t, g, _ = matrices(PLANS[3])
    assert b_t[0].tolist() == [4, 0, -5, 0, 1, 0]
    assert b_t[5].tolist() == [0, 4, 0, -5, 0, 1]
    assert torch.allclose(g[0], torch.tensor([1 / 4, 0, 0]).double())
    assert torch.allclose(g[3].abs(), torch.tensor([1 / 24, 1 / 12, 1 / 6]).double())


@pytest.mark.parametrize(
    ("batch", "size_hw"),
    [(1, (20, 24)), (2, (17, 33)), (1, (1, 400)), (3, (300, 2)), (1, (130, 3)), (1, (2, 2))],
)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_is_the_direct_convolution(batch: int, size_hw: tuple[int, int], bias: bool, kernel: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 5, kernel, padding=kernel // 2, bias=bias).requires_grad_(False)
    x = torch.randn(batch, 6, *size_hw)
    exact = copy.deepcopy(conv).double()(x.double())
    for memory in (torch.contiguous_format, torch.channels_last):
        found = WinogradConv2d(conv)(x.contiguous(memory_format=memory))
        assert found.shape == exact.shape
        assert torch.allclose(found.double(), exact, atol=3e-5 * float(exact.abs().max()))


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_error_stays_small_for_wide_layers(kernel: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(256, 256, kernel, padding=kernel // 2).requires_grad_(False)
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
    assert suits_winograd(nn.Conv2d(128, 512, 5, padding=2))
    assert suits_winograd(nn.Conv2d(128, 512, 7, padding=3))
    for conv in (
        nn.Conv2d(256, 36, 3, padding=1),
        nn.Conv2d(256, 256, 3, padding=1, stride=2),
        nn.Conv2d(256, 256, 3),
        nn.Conv2d(256, 256, 1),
        nn.Conv2d(256, 256, 5, padding=1),
        nn.Conv2d(256, 256, (3, 5), padding=(1, 2)),
        nn.Conv2d(256, 256, 9, padding=4),
        nn.Conv2d(64, 512, 7, padding=3),
        nn.Conv2d(256, 256, 3, padding=1, groups=256),
        nn.Conv2d(256, 256, 3, padding=2, dilation=2),
        nn.Conv2d(256, 256, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(256, 256, 3, padding=1, dtype=torch.bfloat16),
    ):
        assert not suits_winograd(conv)
