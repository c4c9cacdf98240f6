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

# Logits in a chunk. One thread works best where its three buffers fit the second-level cache. Several threads
# wait for each other after each operation, so they get fewer, larger chunks than would fit best.
_CHUNK, _CHUNK_OF_THREADS = 1 << 17, 1 << 19
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
    if not logits.numel():
        return logits.sum(dim=(1, 2))
    result: Tensor = _DenseSum.apply(logits.contiguous(), class_index, form)  # type: ignore[no-untyped-call]
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
        work = _workspace(logits)
        with torch.autocast(logits.device.type, enabled=False):
            for b, image in enumerate(logits):  # image (N, K)
                exceptions = _exceptions(class_index[b], image.shape[1])
                negatives = [_negative_value(chunk, form, work) for chunk in _chunks(image, exceptions)]
                positives = form.clipped_value(image.view(-1)[exceptions.positive]).sum(dtype=torch.float64)
                negative_sum = torch.stack(negatives).sum(dtype=torch.float64)
                sums[b] = form.weights[1] * negative_sum + form.weights[0] * positives
        return sums.to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, None, None]:
        logits, class_index = ctx.saved_tensors
        form: _Form = ctx.form
        gradient = torch.empty_like(logits)
        work = _workspace(logits)
        with torch.autocast(logits.device.type, enabled=False):
            for b, image in enumerate(logits):
                negative_scale = grad_outputs[0][b] * form.weights[1]
                positive_scale = grad_outputs[0][b] * form.weights[0]
                pieces = (torch.split(x, len(work[0])) for x in (image, gradient[b]))
                for x, out in zip(*pieces, strict=True):  # each (n, K)
                    _negative_slope(x, form, negative_scale, out, work)
                exceptions = _exceptions(class_index[b], image.shape[1])
                slope = form.clipped_slope(image.view(-1)[exceptions.positive])
                gradient[b].view(-1)[exceptions.positive] = slope * positive_scale
                gradient[b].index_fill_(0, exceptions.ignored, 0)
        return gradient, None, None


@dataclass(frozen=True)
class _Exceptions:
    """The entries of an image's (N, K) that are not negatives, both ascending."""

    positive: Tensor  # (P,) positions in the flattened (N * K)
    ignored: Tensor  # (I,) rows


def _exceptions(class_index: Tensor, num_classes: int) -> _Exceptions:
    rows = (class_index != BACKGROUND).nonzero().squeeze(1)
    is_object = class_index[rows] != IGNORED
    objects, ignored = rows[is_object], rows[~is_object]
    return _Exceptions(objects * num_classes + class_index[objects], ignored)


@dataclass(frozen=True)
class _Chunk:
    """Some anchors of one image, and its exceptions, counted from the chunk's first anchor."""

    logits: Tensor  # (n, K)
    positive: Tensor
    ignored: Tensor

    def leave_out(self, values: Tensor) -> None:
        """Zero the exceptions among (n, K), in place."""
        if len(self.positive):
            values.view(-1).index_fill_(0, self.positive, 0)
        if len(self.ignored):
            values.index_fill_(0, self.ignored, 0)


def _chunks(logits: Tensor, exceptions: _Exceptions) -> Iterator[_Chunk]:
    """Cut one image's (N, K)."""
    num_anchors, num_classes = logits.shape
    step = _anchors_per_chunk(logits)
    starts = range(0, num_anchors, step)
    edges = torch.tensor([*starts, num_anchors], device=logits.device)
    positive_edges = torch.searchsorted(exceptions.positive, edges * num_classes).tolist()
    ignored_edges = torch.searchsorted(exceptions.ignored, edges).tolist()
    for i, start in enumerate(starts):
        yield _Chunk(
            logits[start : start + step],
            exceptions.positive[positive_edges[i] : positive_edges[i + 1]] - start * num_classes,
            exceptions.ignored[ignored_edges[i] : ignored_edges[i + 1]] - start,
        )


def _anchors_per_chunk(logits: Tensor) -> int:
    """An accelerator has no use for small pieces: there an image is one chunk."""
    num_anchors, num_classes = logits.shape[-2:]
    if logits.device.type != "cpu":
        return max(1, num_anchors)
    chunk = _CHUNK if torch.get_num_threads() == 1 else _CHUNK_OF_THREADS
    return max(1, min(num_anchors, chunk // max(1, num_classes)))


def _workspace(logits: Tensor) -> Tensor:
    """Buffers (3, n, K) for one chunk after the other: fresh memory for each costs as much as the work."""
    return logits.new_empty(3, _anchors_per_chunk(logits), logits.shape[-1])


def _negative_value(chunk: _Chunk, form: _Form, work: Tensor) -> Tensor:
    """Sum of the loss over the negatives of a chunk: a scalar, not yet weighted."""
    if form.focal_gamma is None:
        values = form.clipped_value(-chunk.logits)
        chunk.leave_out(values)
        return values.sum()
    p, one_plus, cross_entropy = work[:, : len(chunk.logits)].unbind(0)  # each (n, K)
    x = chunk.logits if form.floor == -math.inf else torch.clamp(chunk.logits, max=-form.floor, out=p)
    _odds_and_cross_entropy(x, odds=p, cross_entropy=cross_entropy)
    if form.focal_gamma == 0:
        chunk.leave_out(cross_entropy)
        return cross_entropy.sum()
    p.div_(torch.add(p, 1, out=one_plus))
    _power_(p, form.focal_gamma)
    chunk.leave_out(p)
    # Not a dot product: in float32 that one adds in sequence and loses two digits over 10^5 equal terms.
    return p.mul_(cross_entropy).sum()


def _negative_slope(x: Tensor, form: _Form, scale: Tensor, out: Tensor, work: Tensor) -> None:
    """scale * d loss / d x of logits (n, K) as if it were a negative, into out (n, K)."""
    if form.focal_gamma is None:
        torch.mul(form.clipped_slope(-x), -scale, out=out)
        return
    gamma = form.focal_gamma
    p, miss, cross_entropy = work[:, : len(x)].unbind(0)  # each (n, K); miss = 1 - p
    _odds_and_cross_entropy(x, odds=p, cross_entropy=cross_entropy)
    torch.add(p, 1, out=miss).reciprocal_()
    p.mul_(miss)
    if gamma == 0:
        torch.mul(p, scale, out=out)
    else:  # p^gamma (gamma (1 - p) CE + p)
        inner = torch.addcmul(p, miss, cross_entropy, value=gamma, out=miss)
        torch.mul(_power_(p, gamma).mul_(scale), inner, out=out)
    if form.hard:
        out.masked_fill_(x > -form.floor, 0)


def _odds_and_cross_entropy(x: Tensor, odds: Tensor, cross_entropy: Tensor) -> None:
    """exp(min(x, 80)) and ln(1 + exp(x)) into the given buffers; odds may be x itself."""
    if x.device.type == "cpu" and float(x.amax()) <= _LARGE:
        torch.log1p(torch.exp(x, out=odds), out=cross_entropy)
        return
    excess = (x - _LARGE).clamp_(min=0)
    torch.clamp(x, max=_LARGE, out=odds).exp_()
    torch.log1p(odds, out=cross_entropy).add_(excess)


def _power_(p: Tensor, gamma: float) -> Tensor:
    """p^gamma in place."""
    return p.mul_(p) if gamma == 2 else p.pow_(gamma)
