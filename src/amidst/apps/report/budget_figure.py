"""Detection accuracy against the number of proposals an image (Fig. 3.5c). One curve for each method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amidst.apps.report.figure_style import add_axes, new_figure, series_colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def budget_figure(ap_by_number: Mapping[str, Mapping[int, float]]) -> Figure:
    """AP by number of proposals, for each named method; a score of -1 (nothing to measure) leaves a gap."""
    with new_figure(4.6, 3.4) as sheet:
        axes = add_axes(sheet, 1, 1, 1, "AP with the best N proposals of an image")
        axes.set_xscale("log")
        for k, (name, scores) in enumerate(ap_by_number.items()):
            points = [(n, ap) for n, ap in sorted(scores.items()) if ap >= 0]
            axes.plot(
                [n for n, _ in points],
                [ap for _, ap in points],
                color=series_colour(k),
                marker="o",
                markersize=3.5,
                label=name,
            )
        numbers = sorted({n for scores in ap_by_number.values() for n in scores})
        axes.set_xticks(numbers, [f"{n:,}" for n in numbers])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("proposals an image")
        axes.set_ylabel("AP")
        if ap_by_number:
            axes.legend(frameon=False)
    return sheet
