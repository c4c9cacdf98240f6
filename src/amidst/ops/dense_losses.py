"""The classification loss of a dense head, summed over all anchors and classes of each image, fast.

Shapes: B images, N anchors, K classes.

    logits       (B, N, K)  before the sigmoid, class fastest
    class_index  (B, N)     int64: 0..K-1 the anchor's object, BACKGROUND (-1), IGNORED (-2)
    result       (B,)       sum over n, k of the loss of `losses` with truth "k == class_index[b, n]";
                            anchors that are IGNORED contribute nothing

The sum is additive over anchors, so a model may call it level by level, without concatenating the levels.

Why not the formulas of `losses` under autograd: there are 10^7 logits a step, and some ten passes over them,
each through main memory, each kept for the backward pass. Here

- all but a handful of (anchor, class) pairs are negatives. The whole array is treated as such in one run,
  with the few positives and ignored anchors masked out of it; the positives are added separately;
- the run goes chunk by chunk, so that all passes but the first meet a chunk in the cache;
- the gradient is the analytic one, computed in the backward pass from the logits alone, already multiplied by
  what arrives from above: nothing but the logits is kept between the passes, and evaluation without a
  gradient pays for none.

With e = exp(x) a negative has p = e / (1 + e) and CE = ln(1 + e) = log1p(e): two transcendental functions in
all, exact for p near 0 where nearly all anchors of a trained detector are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from amidst.ops import losses
from amidst.ops.losses import Kind, TauMode
from amidst.ops.matching import BACKGROUND, IGNORED

_CHUNK = 1 << 18  # logits: three float32 buffers of this size stay in the second-level caches of two cores
_LARGE = 80.0  # exp(80) is finite in float32; above it log1p(exp(x)) = x to the last digit


def focal_sum(
    logits: Tensor,
    class_index: Tensor,
    gamma: float,
    alpha: float | None,
    tau: float = 0.0,
    tau_mode: TauMode = "value_only",
) -> Tensor:
    """Focal loss (B, N, K) -> (B,); gamma = 0 is (balanced) cross-entropy."""
    return dense_loss_sum(
        logits, class_index, kind="focal", gamma=gamma, alpha=alpha, tau=tau, tau_mode=tau_mode
    )


def dense_loss_sum(
    logits: Tensor,
    class_index: Tensor,
    *,
    kind: Kind,
    gamma: float,
    alpha: float | None,
    star_beta: float = 0.0,
    hinge_margin: float = 0.5,
    tau: float = 0.0,
    tau_mode: TauMode = "value_only",
) -> Tensor:
    """Loss of `kind` (B, N, K) -> (B,), in float32 (float64 for float64 logits) also under autocast.

    "cross_entropy" ignores gamma and alpha, "balanced_cross_entropy" ignores gamma.
    """
    if kind == "cross_entropy":
        alpha = None
    if kind in ("cross_entropy", "balanced_cross_entropy"):
        gamma = 0.0
    value: Callable[[Tensor], Tensor]
    if kind == "focal_star":
        value = partial(losses.focal_star_of, gamma=gamma, beta=star_beta)
        slope = partial(losses.focal_star_slope_of, gamma=gamma, beta=star_beta)
    elif kind == "hinge":
        value = partial(losses.hinge_of, margin=hinge_margin)
        slope = partial(losses.hinge_slope_of, margin=hinge_margin)
    else:
        value = partial(losses.focal_of, gamma=gamma)
        slope = partial(losses.focal_slope_of, gamma=gamma)
    floor = -math.inf if tau <= 0 else math.log(tau / (1 - tau))
    weights = losses.alpha_pair(alpha)
    focal_gamma = None if kind in ("focal_star", "hinge") else gamma
    form = _Form(value, slope, weights, floor, tau_mode == "hard", focal_gamma)
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()
    result: Tensor = _DenseSum.apply(logits.contiguous(), class_index, form)
    return result


@dataclass(frozen=True)
class _Form:
    """A loss as a function of x_t, and its derivative."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    weights: tuple[float, float]  # of a positive, of a negative
    floor: float  # x_t is clipped from below at this logit for the value ...
    hard: bool  # ... and, if hard, has no gradient below it
    focal_gamma: float | None  # not None: the negatives take the fast path

    def clipped_value(self, x_t: Tensor) -> Tensor:
        return self.value(x_t if self.floor == -math.inf else x_t.clamp(min=self.floor))

    def clipped_slope(self, x_t: Tensor) -> Tensor:
        slope = self.slope(x_t)
        return slope.masked_fill_(x_t < self.floor, 0) if self.hard else slope


class _DenseSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, class_index: Tensor, form: _Form) -> Tensor:
        ctx.save_for_backward(logits, class_index)
        ctx.form = form
        sums = torch.zeros(len(logits), dtype=torch.float64, device=logits.device)
        with torch.autocast(logits.device.type, enabled=False):
            for b, image in enumerate(logits):
                for chunk in _chunks(image, class_index[b]):
                    negatives = _negative_value(chunk, form)
                    sums[b] += negatives
                    if len(chunk.positive):
                        x_t = chunk.logits.view(-1)[chunk.positive]
                        sums[b] += form.weights[0] * form.clipped_value(x_t).sum()
        return sums.to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, None, None]:
        logits, class_index = ctx.saved_tensors
        form: _Form = ctx.form
        gradient = torch.empty_like(logits)
        with torch.autocast(logits.device.type, enabled=False):
            for b, image in enumerate(logits):
                upstream = grad_outputs[0][b]
                for chunk in _chunks(image, class_index[b]):
                    out = gradient[b, chunk.start : chunk.start + len(chunk.logits)]  # (n, K)
                    _negative_slope(chunk, form, upstream, out)
                    if len(chunk.ignored):
                        out[chunk.ignored] = 0
                    if len(chunk.positive):
                        x_t = chunk.logits.view(-1)[chunk.positive]
                        slope = form.clipped_slope(x_t) * (form.weights[0] * upstream)
                        out.view(-1)[chunk.positive] = slope
        return gradient, None, None


@dataclass(frozen=True)
class _Chunk:
    """Some anchors of one image."""

    start: int  # its first anchor
    logits: Tensor  # (n, K)
    positive: Tensor  # positions in the flattened (n * K) of the positives
    ignored: Tensor  # rows to leave out


def _chunks(logits: Tensor, class_index: Tensor) -> Iterator[_Chunk]:
    """Cut one image's (N, K), (N,). An accelerator has no use for small pieces: there it is one."""
    num_anchors, num_classes = logits.shape
    on_cpu = logits.device.type == "cpu"
    step = max(1, _CHUNK // max(1, num_classes)) if on_cpu else max(1, num_anchors)
    objects = (class_index > BACKGROUND).nonzero().squeeze(1)  # (P,) ascending
    ignored = (class_index == IGNORED).nonzero().squeeze(1)  # (I,) ascending
    positions = objects * num_classes + class_index[objects]
    starts = range(0, num_anchors, step)
    edges = torch.tensor([*starts, num_anchors], device=logits.device)
    object_edges = torch.searchsorted(objects, edges).tolist()
    ignored_edges = torch.searchsorted(ignored, edges).tolist()
    for i, start in enumerate(starts):
        yield _Chunk(
            start,
            logits[start : start + step],
            positions[object_edges[i] : object_edges[i + 1]] - start * num_classes,
            ignored[ignored_edges[i] : ignored_edges[i + 1]] - start,
        )


def _leave_out(chunk: _Chunk, values: Tensor) -> None:
    """Zero the entries (n, K) of positives and ignored anchors, in place."""
    if len(chunk.positive):
        values.view(-1)[chunk.positive] = 0
    if len(chunk.ignored):
        values[chunk.ignored] = 0


def _negative_value(chunk: _Chunk, form: _Form) -> Tensor:
    """Weighted sum of the loss over the negatives of a chunk: a scalar."""
    if form.focal_gamma is None:
        values = form.clipped_value(-chunk.logits)
        _leave_out(chunk, values)
        return values.sum() * form.weights[1]
    x = chunk.logits if form.floor == -math.inf else chunk.logits.clamp(max=-form.floor)
    odds, cross_entropy, excess = _odds(x)
    if excess is not None:
        cross_entropy += excess
    if form.focal_gamma == 0:
        _leave_out(chunk, cross_entropy)
        return cross_entropy.sum() * form.weights[1]
    p = torch.div(odds, odds + 1, out=odds)
    modulation = _power(p, form.focal_gamma)
    _leave_out(chunk, modulation)
    # A dot product is a multiplication and a sum in one pass.
    return torch.dot(modulation.view(-1), cross_entropy.view(-1)) * form.weights[1]


def _negative_slope(chunk: _Chunk, form: _Form, upstream: Tensor, out: Tensor) -> None:
    """upstream * d loss / d x of every logit of a chunk as if it were negative, into out (n, K)."""
    scale = upstream * form.weights[1]
    if form.focal_gamma is None:
        torch.mul(form.clipped_slope(-chunk.logits), -scale, out=out)
        return
    gamma = form.focal_gamma
    odds, cross_entropy, excess = _odds(chunk.logits, with_cross_entropy=gamma != 0)
    miss = (odds + 1).reciprocal_()  # 1 - p
    p = odds.mul_(miss)
    if gamma == 0:
        torch.mul(p, scale, out=out)
    else:
        # (1 - alpha) p^gamma (gamma (1 - p) CE + p)
        if excess is not None:
            cross_entropy += excess
        inner = torch.addcmul(p, miss, cross_entropy, value=gamma, out=miss)
        torch.mul(_power(p, gamma).mul_(scale), inner, out=out)
    if form.hard:
        out.masked_fill_(chunk.logits > -form.floor, 0)


def _odds(x: Tensor, with_cross_entropy: bool = True) -> tuple[Tensor, Tensor, Tensor | None]:
    """exp(x), ln(1 + exp(x)) up to x = 80, and what the latter lacks beyond (None: nothing)."""
    excess = None
    if x.device.type != "cpu" or (x.numel() and float(x.amax()) > _LARGE):
        excess = (x - _LARGE).clamp_(min=0)
        x = x.clamp(max=_LARGE)
    odds = torch.exp(x)
    return odds, torch.log1p(odds) if with_cross_entropy else odds, excess


def _power(p: Tensor, gamma: float) -> Tensor:
    """p^gamma as a new tensor."""
    return p * p if gamma == 2 else p.pow(gamma)
