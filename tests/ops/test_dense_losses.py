"""The summed losses against the element-wise formulas under autograd, which `test_losses` checks."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from amidst.ops import losses
from amidst.ops.dense_losses import dense_loss_sum, focal_sum
from amidst.ops.matching import BACKGROUND, IGNORED

FORMS: list[dict[str, Any]] = [
    {"kind": "focal", "gamma": 2.0, "alpha": 0.25},
    {"kind": "focal", "gamma": 2.0, "alpha": None},
    {"kind": "focal", "gamma": 1.0, "alpha": 0.5},
    {"kind": "focal", "gamma": 0.5, "alpha": 0.5},
    {"kind": "focal", "gamma": 5.0, "alpha": 0.25},
    {"kind": "focal", "gamma": 0.0, "alpha": 0.75},
    {"kind": "focal", "gamma": 2.0, "alpha": 0.25, "tau": 0.05},
    {"kind": "focal", "gamma": 2.0, "alpha": 0.25, "tau": 0.05, "tau_mode": "hard"},
    {"kind": "cross_entropy", "gamma": 2.0, "alpha": 0.25},
    {"kind": "cross_entropy", "gamma": 2.0, "alpha": 0.25, "tau": 0.05, "tau_mode": "hard"},
    {"kind": "balanced_cross_entropy", "gamma": 2.0, "alpha": 0.25},
    {"kind": "focal_star", "gamma": 2.0, "alpha": 0.25, "star_beta": 1.0},
    {"kind": "focal_star", "gamma": 4.0, "alpha": 0.25, "star_beta": 0.0, "tau": 0.05},
    {"kind": "focal_star", "gamma": 4.0, "alpha": 0.25, "star_beta": 0.0, "tau": 0.05, "tau_mode": "hard"},
    {"kind": "hinge", "gamma": 0.0, "alpha": None, "hinge_margin": 0.5},
    {"kind": "hinge", "gamma": 0.0, "alpha": 0.3, "hinge_margin": 0.4, "tau": 0.05, "tau_mode": "hard"},
]


def case(
    images: int, anchors: int, classes: int, dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, anchors, classes, generator=generator, dtype=torch.float64).mul(4).to(dtype)
    class_index = torch.randint(0, classes, (images, anchors), generator=generator)
    chance = torch.rand(images, anchors, generator=generator)
    class_index[chance < 0.8] = BACKGROUND
    class_index[chance < 0.1] = IGNORED
    return logits.requires_grad_(), class_index


def by_formula(logits: Tensor, class_index: Tensor, form: dict[str, Any]) -> Tensor:
    truth = class_index[..., None] == torch.arange(logits.shape[-1])  # (B, N, K)
    tau = {"tau": form.get("tau", 0.0), "tau_mode": form.get("tau_mode", "value_only")}
    kind, gamma, alpha = form["kind"], form["gamma"], form["alpha"]
    if kind == "focal_star":
        loss = losses.focal_star(logits, truth, gamma, form["star_beta"], alpha, **tau)
    elif kind == "hinge":
        loss = losses.hinge(logits, truth, form["hinge_margin"], alpha, **tau)
    else:
        gamma = gamma if kind == "focal" else 0.0
        loss = losses.focal(logits, truth, gamma, None if kind == "cross_entropy" else alpha, **tau)
    return (loss * (class_index != IGNORED)[..., None]).sum(dim=(1, 2))


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3), (2, 5, 0)])
@pytest.mark.parametrize("kind", ["focal", "hinge"])
def test_nothing_costs_nothing(shape: tuple[int, int, int], kind: Any) -> None:
    logits = torch.zeros(shape, requires_grad=True)
    class_index = torch.full(shape[:2], BACKGROUND)
    total = dense_loss_sum(logits, class_index, kind=kind, gamma=2.0, alpha=0.25)
    assert total.tolist() == [0.0] * shape[0]
    total.sum().backward()
    assert logits.grad is not None
    assert logits.grad.shape == shape


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(2, 37, 5), (1, 9000, 80), (3, 20, 1)])  # the second is several chunks
def test_sums_and_gradients_are_those_of_the_formula(
    form: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    logits, class_index = case(*shape)
    upstream = torch.arange(1, shape[0] + 1, dtype=torch.float64) / 3
    total, expected = dense_loss_sum(logits, class_index, **form), by_formula(logits, class_index, form)
    torch.testing.assert_close(total, expected, rtol=1e-11, atol=1e-9)
    (gradient,) = torch.autograd.grad((total * upstream).sum(), logits)
    (formula,) = torch.autograd.grad((expected * upstream).sum(), logits)
    torch.testing.assert_close(gradient, formula, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("form", [form for form in FORMS if "tau" not in form])
def test_gradcheck(form: dict[str, Any]) -> None:
    logits, class_index = case(2, 7, 3)
    assert torch.autograd.gradcheck(lambda x: dense_loss_sum(x, class_index, **form), logits)


@pytest.mark.parametrize("x", [-100.0, -85.0, -79.0, 79.0, 85.0, 100.0])
def test_float32_is_exact_and_finite_far_out(x: float) -> None:
    logits = torch.full((1, 6, 4), x, requires_grad=True)
    class_index = torch.tensor([[BACKGROUND, 2, IGNORED, 0, BACKGROUND, BACKGROUND]])
    form = {"kind": "focal", "gamma": 2.0, "alpha": 0.25}
    exact = logits.detach().double().requires_grad_()
    expected = by_formula(exact, class_index, form)
    total = focal_sum(logits, class_index, 2.0, 0.25)
    torch.testing.assert_close(total.double(), expected, rtol=1e-6, atol=1e-12)
    total.sum().backward()
    (formula,) = torch.autograd.grad(expected.sum(), exact)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad.double(), formula, rtol=1e-5, atol=1e-12)


def test_float32_sum_of_ten_million() -> None:
    """All background at the prior of a new network: N * K * 7.5378e-7 (thesis map, M 7)."""
    anchors, classes = 100_000, 80
    logits = torch.full((1, anchors, classes), -math.log(99))
    total = focal_sum(logits, torch.full((1, anchors), BACKGROUND), 2.0, 0.25)
    assert float(total) == pytest.approx(anchors * classes * 7.537751890e-7, rel=1e-6)


def test_ignored_anchors_may_hold_anything() -> None:
    logits, class_index = case(1, 50, 4, torch.float32)
    class_index[0, 7] = IGNORED
    clean = focal_sum(logits, class_index, 2.0, 0.25)
    with torch.no_grad():
        logits[0, 7] = 1e30
    total = focal_sum(logits, class_index, 2.0, 0.25)
    torch.testing.assert_close(total, clean)
    total.sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 7].abs().max() == 0


def test_a_broken_logit_shows() -> None:
    logits, class_index = case(2, 50, 4, torch.float32)
    class_index[:] = BACKGROUND
    with torch.no_grad():
        logits[1, 3, 2] = float("nan")
    total = focal_sum(logits, class_index, 2.0, 0.25)
    assert total.isfinite().tolist() == [True, False]


def test_levels_add_up() -> None:
    logits, class_index = case(2, 60, 3)
    levels = [
        focal_sum(part, index, 2.0, 0.25)
        for part, index in zip(logits.split([40, 15, 5], 1), class_index.split([40, 15, 5], 1), strict=True)
    ]
    torch.testing.assert_close(torch.stack(levels).sum(dim=0), focal_sum(logits, class_index, 2.0, 0.25))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_head_outputs_of_any_layout(layout: torch.memory_format) -> None:
    """(B, A*K, h, w) permuted to (B, h*w*A, K), contiguous or not."""
    output = torch.randn(2, 6, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    output = output.contiguous(memory_format=layout).requires_grad_()
    class_index = case(2, 60, 2)[1][:, :40]
    form = FORMS[0]

    def flat(x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).reshape(2, -1, 3)  # (B, A*K, h, w) -> (B, h*w*A, K)

    total = dense_loss_sum(flat(output), class_index, **form)
    expected = by_formula(flat(output), class_index, form)
    torch.testing.assert_close(total, expected)
    (gradient,) = torch.autograd.grad(total.sum(), output)
    (formula,) = torch.autograd.grad(expected.sum(), output)
    torch.testing.assert_close(gradient, formula)


def test_backward_twice_and_without_gradient() -> None:
    logits, class_index = case(1, 30, 3)
    total = focal_sum(logits, class_index, 2.0, 0.25).sum()
    (first,) = torch.autograd.grad(total, logits, retain_graph=True)
    (second,) = torch.autograd.grad(2 * total, logits)
    torch.testing.assert_close(second, 2 * first)
    with torch.no_grad():
        assert not focal_sum(logits, class_index, 2.0, 0.25).requires_grad


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_summed_in_float32(dtype: torch.dtype) -> None:
    logits, class_index = case(2, 400, 3, dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = focal_sum(logits, class_index, 2.0, 0.25)
    assert total.dtype == torch.float32
    expected = focal_sum(logits.detach().double(), class_index, 2.0, 0.25)
    torch.testing.assert_close(total.double(), expected, rtol=1e-5, atol=1e-5)
    total.sum().backward()
    assert logits.grad is not None
    assert logits.grad.dtype == dtype
