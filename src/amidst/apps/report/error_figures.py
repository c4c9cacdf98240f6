"""The precision-recall curves of an error diagnosis as one picture: each band is what one kind of error costs
(spec B.1, thesis §2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amidst.apps.report.figure_style import INK, add_axes, new_figure
from amidst.evaluation.diagnosis import CURVES, MEANINGS, RECALLS, Diagnosis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# from what is right (dark) to what is missing (light); lightness rises, so that grey prints keep the order
BANDS = ("#123a63", "#1f6fb2", "#62a8d8", "#8fc7a4", "#d8c26a", "#e8965a", "#f3d9cf")


def error_figure(diagnosis: Diagnosis, title: str, category_ids: set[int] | None = None) -> Figure:
    """One panel per area range; a range without objects says so."""
    columns = min(2, len(diagnosis.areas))
    rows = -(-len(diagnosis.areas) // columns)
    with new_figure(5.4 * columns, 4.1 * rows) as sheet:
        for place, area in enumerate(diagnosis.areas, start=1):
            axes = add_axes(sheet, rows, columns, place, f"{title}, {area}")
            _bands(axes, diagnosis, area, category_ids)
    return sheet


def _bands(axes: Axes, diagnosis: Diagnosis, area: str, category_ids: set[int] | None) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    curves, ap = diagnosis.curve(area, category_ids), diagnosis.ap(area, category_ids)
    if not curves.shape[1]:
        axes.text(0.5, 0.5, "no objects", ha="center", va="center", transform=axes.transAxes)
        return
    below = 0 * RECALLS
    for name, curve, colour in zip(CURVES, curves, BANDS, strict=True):
        label = f"{ap[name]:.3f}  {name}: {MEANINGS[name]}"
        axes.fill_between(RECALLS, below, curve, color=colour, linewidth=0, label=label)
        axes.plot(RECALLS, curve, color=INK, linewidth=0.5)
        below = curve
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=7)
