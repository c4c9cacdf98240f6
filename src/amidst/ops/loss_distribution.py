"""Who carries the focal loss: its cumulative distribution over samples (thesis map H; Fig. 5.3).

A sample is one (anchor, class) pair with its logit of the truth x_t (`ops.losses`). Sorted by loss, easiest
first, the curve gives the share of the whole loss that a fraction f of the samples carries; the hardest 20 %
carry 1 - curve(0.8). A weight alpha is the same for all samples of a group and cancels.

Every focal loss falls with x_t, so samples sorted by x_t are sorted by loss for every gamma at once, and a
histogram over x_t is all that has to be kept: 16,384 bins of 1/256 over [-32, 32), however many samples. With
h the width of a bin, the loss of its centre stands for that of its samples with a relative error of at most
((1 + gamma) h)^2 / 24 if they are spread evenly: 6e-6 for gamma = 2. Logits beyond the ends count into the
last bins.

Shapes: any (...) logits, M bins.
"""

from __future__ import annotations

import torch
from torch import Tensor

from amidst.ops.losses import focal_of

LIMIT, PER_UNIT = 32, 256
BINS = 2 * LIMIT * PER_UNIT


def count_logits(x_t: Tensor) -> Tensor:
    """Logits of the truth (...) -> how many fall into each bin, ascending: int64 (M,). NaN is not allowed."""
    bins = (x_t.float().flatten() + LIMIT).mul_(PER_UNIT).clamp_(0, BINS - 1).long()
    return torch.bincount(bins, minlength=BINS)


def bin_centres() -> Tensor:
    """x_t in the middle of each bin: float64 (M,)."""
    return (torch.arange(BINS, dtype=torch.float64) + 0.5) / PER_UNIT - LIMIT


def cumulative_loss(counts: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Counts (M,) -> fractions of the samples and shares of their loss, both ascending from 0 to 1: (M + 1,).

    For no samples at all both are 0.
    """
    counts = counts.double().flip(0)  # easiest first
    losses = counts * focal_of(bin_centres(), gamma).flip(0)
    return _from_zero_to_one(counts), _from_zero_to_one(losses)


def hardest_share(counts: Tensor, gamma: float, fraction: float) -> float:
    """Share of the loss that the hardest `fraction` of the samples carries; -1 for no samples at all."""
    if not int(counts.sum()):
        return -1.0
    fractions, shares = cumulative_loss(counts, gamma)
    return 1.0 - float(interpolate(fractions, shares, torch.tensor([1.0 - fraction], dtype=torch.float64)))


def interpolate(x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    """Piecewise linear y(x), x ascending (M,), at positions (n,) -> (n,). Of equal x the last one counts."""
    right = torch.searchsorted(x, at, right=True).clamp(1, len(x) - 1)
    x0, x1, y0, y1 = x[right - 1], x[right], y[right - 1], y[right]
    weight = torch.where(x1 > x0, (at - x0) / (x1 - x0).clamp(min=torch.finfo(x.dtype).tiny), 1.0)
    return y0 + weight * (y1 - y0)


def _from_zero_to_one(values: Tensor) -> Tensor:
    summed = torch.cat((values.new_zeros(1), values.cumsum(0)))
    return summed / summed[-1].clamp(min=torch.finfo(values.dtype).tiny)
