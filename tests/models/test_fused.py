"""Fused operators give what convolution, sum and rectifier give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.models import fused
from amidst.models.fused import FusedConv2d, conv_relu, rectify
from amidst.models.winograd import WinogradConv2d

LAYERS = {
    "3x3": {"kernel_size": 3, "padding": 1},
    "1x1": {"kernel_size": 1},
    "strided": {"kernel_size": 5, "stride": 2, "padding": 2},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 8},
    "no bias": {"kernel_size": 3, "bias": False},
    "reflected": {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
}


def plain(conv: nn.Conv2d, x: Tensor, add: Tensor | None, ceiling: float | None) -> Tensor:
    y = conv(x)
    y = F.relu(y if add is None else y + add)
    return y if ceiling is None else y.clamp(max=ceiling)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("ceiling", [None, 0.3])
@pytest.mark.parametrize("adding", [False, True])
@pytest.mark.parametrize("fusion", [True, False])
@torch.no_grad()
def test_is_convolution_sum_and_rectifier(
    layer: str, ceiling: float | None, adding: bool, fusion: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "FUSION", fusion and fused.FUSION)
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, **LAYERS[layer])  # type: ignore[arg-type]
    x = torch.randn(2, 8, 9, 7)
    add = torch.randn_like(conv(x)) if adding else None
    kept = None if add is None else add.clone()
    ours = FusedConv2d(conv)
    assert torch.allclose(ours(x), conv(x), atol=1e-6)
    assert torch.allclose(ours.rectified(x, add, ceiling), plain(conv, x, add, ceiling), atol=1e-6)
    assert add is None or torch.equal(add, kept)  # type: ignore[arg-type]


@pytest.mark.parametrize("size_hw", [(20, 20), (3, 3)])
@pytest.mark.parametrize("ceiling", [None, 0.3])
@pytest.mark.parametrize("adding", [False, True])
@torch.no_grad()
def test_winograd_rectifies_too(size_hw: tuple[int, int], ceiling: float | None, adding: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, 3, padding=1)
    x = torch.randn(2, 8, *size_hw)
    add = torch.randn_like(x) if adding else None
    found = WinogradConv2d(conv).rectified(x, add, ceiling)
    assert torch.allclose(found, plain(conv, x, add, ceiling), atol=1e-4)


@torch.no_grad()
def test_other_precisions_and_no_images() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, 3, padding=1)
    ours = FusedConv2d(conv)
    assert ours.rectified(torch.zeros(0, 8, 4, 4)).shape == (0, 8, 4, 4)
    x = torch.randn(1, 8, 9, 9)
    exact = plain(conv, x, None, None)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(ours.rectified(x).float(), exact, atol=0.05)
    assert torch.allclose(ours.double().rectified(x.double()).float(), exact, atol=1e-6)
    assert torch.allclose(ours.bfloat16().rectified(x.bfloat16()).float(), exact, atol=0.05)


@torch.no_grad()
def test_convolution_and_rectifier_of_either_kind() -> None:
    torch.manual_seed(0)
    conv, x = nn.Conv2d(8, 8, 3, padding=1), torch.randn(2, 8, 9, 7)
    for each in (conv, FusedConv2d(conv)):
        assert torch.allclose(conv_relu(x, each), F.relu(conv(x)), atol=1e-6)


def test_rectify() -> None:
    y = torch.tensor([-1.0, 3.0, 9.0])
    assert rectify(y.clone(), torch.tensor([2.0, -4.0, 0.0])).tolist() == [1, 0, 9]
    assert rectify(y.clone(), ceiling=6.0).tolist() == [0, 3, 6]
