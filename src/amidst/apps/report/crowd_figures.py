"""The two figures of worker quality (Fig. 2.4 of the thesis) on one sheet.

(a) What k workers name together, against the majority of the experts: recall and precision with the band of
95 % of the subsets; every expert by himself stands beside, where recall and precision cross his dots.
(b) Every worker against all others: a grid over precision and recall, a disc per bin, its area the number of
workers, its colour their mean number of jobs; the line below which all work of a worker is rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amidst.apps.report.figure_style import GRID, INK, QUIET, add_axes, new_figure, series_colour
from amidst.crowd.quality import Agreement, RejectionLine, UnionCurve, agreement_bins, rejected

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_DISC = 420.0  # square points, of the fullest bin
SMALLEST_DISC = 18.0  # so that a single worker is still seen


def worker_figure(
    curve: UnionCurve, workers: Sequence[Agreement], line: RejectionLine, *, bins: int = 10
) -> Figure:
    """Both figures on a sheet of 11 x 4.8 inches."""
    with new_figure(11, 4.8) as sheet:
        _union(add_axes(sheet, 1, 2, 1, "(a) Several workers against experts"), curve)
        _scatter(sheet, add_axes(sheet, 1, 2, 2, "(b) Every worker against the others"), workers, line, bins)
    return sheet


def _union(axes: Axes, curve: UnionCurve) -> None:
    numbers = [point.workers for point in curve.points]
    measures = (
        ("recall", [p.recall for p in curve.points], [p.recall_band for p in curve.points]),
        ("precision", [p.precision for p in curve.points], [p.precision_band for p in curve.points]),
    )
    for n, (name, values, bands) in enumerate(measures):
        colour = series_colour(n)
        axes.fill_between(
            numbers,
            [low for low, _ in bands],
            [high for _, high in bands],
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
        axes.plot(numbers, values, "o-", color=colour, markersize=4, label=f"{name} of the union")
    right = max(numbers, default=1)
    _experts(axes, curve, right)
    axes.set_xlim(0.5, right + 2.6)
    axes.set_ylim(_floor(curve), 1.015)
    axes.set_xticks(numbers)
    axes.set_xlabel("workers whose answers are united")
    axes.set_ylabel(f"against the majority of {len(curve.experts)} experts")
    axes.legend(loc="lower center")


def _experts(axes: Axes, curve: UnionCurve, right: int) -> None:
    """Two columns of dots at the right of the curves: recall and precision of each expert."""
    if not curve.experts:
        return
    axes.axvline(right + 0.5, color=GRID, linewidth=1)
    for n, values in enumerate(([e.recall for e in curve.experts], [e.precision for e in curve.experts])):
        places = right + 1.1 + 0.7 * n + _beside(values)
        axes.plot(places, values, "D", color=series_colour(n), markersize=5, markeredgecolor="white")
    axes.annotate(
        "single\nexperts",
        (right + 1.45, 0.02),
        xycoords=("data", "axes fraction"),
        ha="center",
        va="bottom",
        color=QUIET,
        fontsize=8,
    )


def _beside(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Small steps aside for dots that would lie on each other."""
    order = np.argsort(values)
    aside = np.zeros(len(values))
    aside[order] = (np.arange(len(values)) % 3 - 1) * 0.17
    return aside


def _floor(curve: UnionCurve) -> float:
    """A tenth below the smallest value, for the lower end of the axis."""
    lows = [min(p.recall_band[0], p.precision_band[0]) for p in curve.points]
    lows += [min(e.recall, e.precision) for e in curve.experts]
    return max(0.0, float(np.floor(10 * min(lows, default=0.0))) / 10)


def _scatter(sheet: Figure, axes: Axes, workers: Sequence[Agreement], line: RejectionLine, bins: int) -> None:
    grid = agreement_bins(workers, bins)
    columns, rows = np.nonzero(grid.workers)
    middles = (grid.edges[:-1] + grid.edges[1:]) / 2
    counts = grid.workers[columns, rows]
    fullest = int(counts.max(initial=1))
    _line(axes, line)
    discs = axes.scatter(
        middles[columns],
        middles[rows],
        s=_area(counts, fullest),
        c=grid.mean_jobs[columns, rows],
        cmap="viridis_r",
        edgecolor=INK,
        linewidth=0.6,
        zorder=3,
    )
    if len(counts):
        sheet.colorbar(discs, ax=axes, label="mean jobs of a worker", shrink=0.85, pad=0.02)
    _sizes(axes, fullest)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel("precision: share of his names that another gave")
    axes.set_ylabel("recall: share of the others' names that he gave")
    gone = len(rejected(workers, line))
    title = f"{gone} of {len(workers)} workers rejected"
    axes.set_title(title, loc="right", color=QUIET, fontsize=8, fontweight="normal")


def _area(counts: npt.ArrayLike, fullest: int) -> npt.NDArray[np.float64]:
    """Area of the disc of so many workers, square points."""
    share = np.asarray(counts, dtype=np.float64) / fullest
    return np.maximum(SMALLEST_DISC, LARGEST_DISC * share)


def _line(axes: Axes, line: RejectionLine) -> None:
    """The rejection line across the panel, the rejected side shaded."""
    corners = [[line.side(precision, recall) for precision in (0, 1)] for recall in (0, 1)]  # linear between
    axes.contourf((0, 1), (0, 1), corners, levels=[-10, 0], colors=["#f3e3e3"], zorder=0)
    ends = (line.first_precision, line.first_recall), (line.second_precision, line.second_recall)
    axes.axline(*ends, color="#c23b3b", linestyle="--", linewidth=1.2, zorder=2)


def _sizes(axes: Axes, fullest: int) -> None:
    """What the discs' areas mean."""
    for count in sorted({1, max(1, round(fullest / 4)), fullest}):
        axes.scatter(
            [],
            [],
            s=_area(count, fullest),
            c="white",
            edgecolor=INK,
            linewidth=0.6,
            label=str(count),
        )
    axes.legend(
        title="workers",
        loc="lower left",
        bbox_to_anchor=(0.6, 0.02),  # where hardly anybody is: workers are rejected or precise
        labelspacing=1.5,
        borderpad=1.0,
        handletextpad=1.0,
        title_fontsize=8,
    )
