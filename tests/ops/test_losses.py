"""Losses element by element: the golden table, limits, gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from amidst.ops import losses

# x: (value, slope) of the focal loss for a positive and for a negative, alpha .25, gamma 2 (thesis map H)
GOLDEN = {
    -10.0: ((2.499784365, -0.2501929229), (7.017420723e-14, 2.105146573e-13)),
    -4.0: ((0.9687268095, -0.2715989633), (4.403677291e-6, 1.301289842e-5)),
    -1.0: ((0.1754670759, -0.1920586808), (0.01699354313, 0.03943584748)),
    0.0: ((0.04332169878, -0.07457169878), (0.1299650964, 0.2237150964)),
    1.0: ((5.664514377e-3, -0.01314528249), (0.5264012276, 0.5761760424)),
    4.0: ((1.467892430e-6, -4.337632805e-6), (2.906180428, 0.8147968898)),
    10.0: ((2.339140241e-14, -7.017155243e-14), (7.499353094, 0.7505787687)),
}
PRIOR_LOGIT = -math.log((1 - 0.01) / 0.01)

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "focal": partial(losses.focal, gamma=2.0, alpha=0.25),
    "focal .5": partial(losses.focal, gamma=0.5, alpha=None),
    "cross entropy": partial(losses.cross_entropy, alpha=None),
    "balanced": partial(losses.cross_entropy, alpha=0.75),
    "focal star": partial(losses.focal_star, gamma=2.0, beta=1.0, alpha=0.25),
    "hinge": partial(losses.hinge, margin=0.5),
}


def of(x: float, positive: bool, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return torch.tensor([x], dtype=dtype, requires_grad=True), torch.tensor([positive])


@pytest.mark.parametrize("name", LOSSES)
def test_no_logits(name: str) -> None:
    assert LOSSES[name](torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.bool)).shape == (0, 3)


@pytest.mark.parametrize("x", GOLDEN)
@pytest.mark.parametrize("positive", [True, False])
def test_golden_table(x: float, positive: bool) -> None:
    value, slope = GOLDEN[x][0 if positive else 1]
    logit, truth = of(x, positive)
    loss = losses.focal(logit, truth, gamma=2.0, alpha=0.25)
    (gradient,) = torch.autograd.grad(loss.sum(), logit)
    assert loss.item() == pytest.approx(value, rel=1e-7)
    assert gradient.item() == pytest.approx(slope, rel=1e-7)
    single = losses.focal(logit.float(), truth, gamma=2.0, alpha=0.25)
    assert single.item() == pytest.approx(value, rel=2e-6)


def test_values_at_the_prior() -> None:
    negative, positive = of(PRIOR_LOGIT, False), of(PRIOR_LOGIT, True)
    assert losses.focal(*negative, gamma=2.0, alpha=0.25).item() == pytest.approx(7.537751890e-7, rel=1e-7)
    assert losses.focal(*positive, gamma=2.0, alpha=0.25).item() == pytest.approx(1.128381825, rel=1e-7)
    assert losses.cross_entropy(*negative).item() == pytest.approx(0.01005033585, rel=1e-7)


@pytest.mark.parametrize(("p_t", "times"), [(0.9, 100.0), (0.968, 976.6), (0.5, 4.0)])
def test_focal_forgives_what_is_already_right(p_t: float, times: float) -> None:
    """The thesis's examples for gamma = 2, against cross-entropy."""
    logit, truth = of(math.log(p_t / (1 - p_t)), True)
    ratio = losses.cross_entropy(logit, truth) / losses.focal(logit, truth, gamma=2.0, alpha=None)
    assert ratio.item() == pytest.approx(times, rel=1e-4)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_at_one_hundred(name: str, dtype: torch.dtype) -> None:
    for x in (-100.0, 100.0):
        for positive in (True, False):
            logit, truth = of(x, positive, dtype)
            loss = LOSSES[name](logit, truth)
            (gradient,) = torch.autograd.grad(loss.sum(), logit)
            assert loss.isfinite().all()
            assert gradient.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(4, 5, generator=generator, dtype=torch.float64) * 3).requires_grad_()
    truth = torch.rand(4, 5, generator=generator) < 0.5
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, truth), logits)


def test_identities() -> None:
    logits = torch.linspace(-8, 8, 33, dtype=torch.float64)
    truth = torch.arange(33) % 2 == 0
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth.double(), reduction="none")
    torch.testing.assert_close(losses.cross_entropy(logits, truth), plain)
    torch.testing.assert_close(losses.focal_star(logits, truth, gamma=1.0, beta=0.0, alpha=None), plain)
    balanced = torch.where(truth, 0.3 * plain, 0.7 * plain)
    torch.testing.assert_close(losses.focal(logits, truth, gamma=0.0, alpha=0.3), balanced)
    torch.testing.assert_close(losses.cross_entropy(logits, truth, alpha=0.3), balanced)
    p_t = torch.sigmoid(torch.where(truth, logits, -logits))
    torch.testing.assert_close(losses.hinge(logits, truth, margin=0.5), (0.5 - p_t).clamp(min=0))


SLOPES: list[tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = [
    (partial(losses.focal_of, gamma=g), partial(losses.focal_slope_of, gamma=g))
    for g in (0.0, 0.5, 1.0, 2.0, 5.0)
] + [
    (
        partial(losses.focal_star_of, gamma=2.0, beta=1.0),
        partial(losses.focal_star_slope_of, gamma=2.0, beta=1.0),
    ),
    (partial(losses.hinge_of, margin=0.5), partial(losses.hinge_slope_of, margin=0.5)),
]


@pytest.mark.parametrize(("value", "slope"), SLOPES)
def test_written_slopes_are_the_derivatives(
    value: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]
) -> None:
    x_t = torch.linspace(-30, 30, 200, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(value(x_t).sum(), x_t)
    torch.testing.assert_close(slope(x_t.detach()), expected, atol=1e-14, rtol=1e-9)


CLIPPED: dict[str, Loss] = {
    name: partial(LOSSES[name], tau=0.01)  # type: ignore[call-arg]
    for name in ("focal", "focal .5", "focal star", "hinge")
}


@pytest.mark.parametrize("name", CLIPPED)
def test_clipping_is_the_literal_rule(name: str) -> None:
    """The value is that of max(p_t, tau); the gradient vanishes below tau or stays, as asked."""
    p_t = torch.tensor([1e-6, 1e-3, 0.009, 0.011, 0.4, 0.99], dtype=torch.float64)
    truth = torch.ones(6, dtype=torch.bool)
    logits = torch.logit(p_t).requires_grad_()
    expected = LOSSES[name](torch.logit(p_t.clamp(min=0.01)), truth)
    (free,) = torch.autograd.grad(LOSSES[name](logits, truth).sum(), logits)
    for mode, below in (("hard", 0.0), ("value_only", 1.0)):
        loss = CLIPPED[name](logits, truth, tau_mode=mode)  # type: ignore[call-arg]
        torch.testing.assert_close(loss, expected)
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
        torch.testing.assert_close(gradient, torch.where(p_t < 0.01, free * below, free))


@pytest.mark.parametrize(
    ("difference", "beta", "value"),
    [
        (0.0, 1.0, 0.0),
        (0.5, 1.0, 0.125),
        (-2.0, 1.0, 1.5),
        (0.055, 0.11, 0.01375),
        (1.0, 0.11, 0.945),
        (-3.0, 0.0, 3.0),
    ],
)
def test_smooth_l1(difference: float, beta: float, value: float) -> None:
    loss = losses.smooth_l1(torch.tensor([difference]), torch.zeros(1), beta)
    assert loss.item() == pytest.approx(value, rel=1e-6)


def test_giou_loss() -> None:
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    assert float(losses.giou(a, a)) == pytest.approx(0, abs=1e-6)
    assert float(losses.giou(a, a + 2)) == pytest.approx(1.5)
    assert losses.giou(a[:0], a[:0]).shape == (0,)
