"""The focal loss in pictures: its curves (Fig. 5.1) and who carries it in a trained network (Fig. 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from amidst.apps.report.figure_style import QUIET, add_axes, new_figure, series_colour
from amidst.ops.loss_distribution import cumulative_loss, interpolate
from amidst.ops.losses import focal_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

CURVE_GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)  # of Fig. 5.1
POINTS = 400  # of a drawn curve
HARDEST = (1e-5, 1.0)  # fractions of the samples in the last panel


def loss_figure(positive: Tensor, negative: Tensor, gammas: Sequence[float]) -> Figure:
    """Loss curves, cumulative loss of positives and of negatives, and the hardest negatives closely.

    positive, negative: histograms of `ops.loss_distribution`. Raises MissingExtra without matplotlib.
    """
    with new_figure(10, 8) as sheet:
        _curves(add_axes(sheet, 2, 2, 1, "Focal loss of one sample (Fig. 5.1)"))
        _cumulative(add_axes(sheet, 2, 2, 2, "Positives: cumulative loss (Fig. 5.3)"), positive, gammas)
        _cumulative(add_axes(sheet, 2, 2, 3, "Negatives: cumulative loss (Fig. 5.3)"), negative, gammas)
        _hardest(add_axes(sheet, 2, 2, 4, "Negatives: loss of the hardest"), negative, gammas)
    return sheet


def _curves(axes: Axes) -> None:
    p_t = torch.linspace(0.002, 0.9999, POINTS, dtype=torch.float64)
    for n, gamma in enumerate(CURVE_GAMMAS):
        label = "γ = 0, cross-entropy" if gamma == 0 else f"γ = {gamma:g}"
        axes.plot(p_t, focal_of(torch.logit(p_t), gamma), color=series_colour(n), label=label)
    axes.axvspan(0.6, 1, color=QUIET, alpha=0.12, linewidth=0)
    axes.annotate("well classified", (0.8, 1.0), ha="center", color=QUIET, fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 5)
    axes.set_xlabel("probability given to the truth, $p_t$")
    axes.set_ylabel("loss")
    axes.legend(loc="upper right")


def _cumulative(axes: Axes, counts: Tensor, gammas: Sequence[float]) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("fraction of samples, easiest first")
    axes.set_ylabel("share of the whole loss")
    if not _any(axes, counts):
        return
    for n, gamma in enumerate(gammas):
        fractions, shares = cumulative_loss(counts, gamma)
        # Close together at the right, where the curves rise.
        at = 1 - torch.linspace(1, 0, POINTS, dtype=torch.float64) ** 3
        axes.plot(at, interpolate(fractions, shares, at), color=series_colour(n), label=f"γ = {gamma:g}")
    axes.axvline(0.8, color=QUIET, linestyle=(0, (2, 2)), linewidth=1)
    axes.annotate(
        "hardest 20 %",
        (0.8, 0.95),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        color=QUIET,
        fontsize=8,
    )
    axes.legend(loc="upper left")


def _hardest(axes: Axes, counts: Tensor, gammas: Sequence[float]) -> None:
    """The right end of the curve, seen from its end on a logarithmic axis."""
    axes.set_xscale("log")
    axes.set_xlim(*HARDEST)
    axes.set_ylim(0, 1)
    axes.set_xlabel("hardest fraction of samples")
    axes.set_ylabel("share of the whole loss")
    if not _any(axes, counts):
        return
    hardest = torch.logspace(-5, 0, POINTS, dtype=torch.float64)
    for n, gamma in enumerate(gammas):
        fractions, shares = cumulative_loss(counts, gamma)
        carried = 1 - interpolate(fractions, shares, 1 - hardest)
        axes.plot(hardest, carried, color=series_colour(n), label=f"γ = {gamma:g}")
    axes.legend(loc="upper left")


def _any(axes: Axes, counts: Tensor) -> bool:
    if int(counts.sum()):
        return True
    axes.text(0.5, 0.5, "no samples", ha="center", va="center", transform=axes.transAxes)
    return False
