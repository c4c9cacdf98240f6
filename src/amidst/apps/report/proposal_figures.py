"""Recall of proposals as one sheet (thesis, Fig. 3.6): above, AR against the number of proposals for all
objects and by their size; below, recall against IoU at some numbers of proposals. One curve for each file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from amidst.apps.report.figure_style import QUIET, add_axes, new_figure, series_colour
from amidst.errors import UsageError
from amidst.evaluation.proposals import CURVE_THRESHOLDS, ProposalSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
WHAT = {"bbox": "boxes", "segm": "masks"}
DASHES = ("-", "--", "-.", ":")  # tells curves apart on grey prints


def proposal_figure(summaries: Mapping[str, ProposalSummary]) -> Figure:
    """The sheet of summaries by name, all of the same kind, areas and numbers of proposals.

    Raises UsageError if there is none or they differ in that.
    """
    if len({(s.kind, s.areas, s.at) for s in summaries.values()}) != 1:
        raise UsageError("expected summaries of one kind, at the same numbers of proposals, to draw")
    first = next(iter(summaries.values()))
    above = math.ceil(len(first.areas) / COLUMNS)
    rows = above + math.ceil(len(first.at) / COLUMNS)
    with new_figure(3.1 * COLUMNS, 2.8 * rows) as sheet:
        for place, (area, objects) in enumerate(zip(first.areas, first.objects, strict=True), start=1):
            axes = add_axes(sheet, rows, COLUMNS, place, f"AR, {area} ({_counted(objects, 'object')})")
            _ar_by_number(axes, summaries, area)
        for place, n in enumerate(first.at, start=above * COLUMNS + 1):
            axes = add_axes(sheet, rows, COLUMNS, place, f"Recall with {_counted(n, 'proposal')}")
            _recall_by_iou(axes, summaries, n)
        _legend(sheet, summaries)
    return sheet


def _ar_by_number(axes: Axes, summaries: Mapping[str, ProposalSummary], area: str) -> None:
    highest = max(s.ar(s.counts[-1], area) for s in summaries.values())
    axes.set_xscale("log")
    axes.set_ylim(0, max(math.ceil(highest * 10 + 0.2) / 10, 0.1))
    axes.set_xlim(1, next(iter(summaries.values())).counts[-1])
    axes.set_xlabel("proposals an image")
    if highest < 0:
        _say(axes, "no objects")
        return
    for k, summary in enumerate(summaries.values()):
        axes.plot(summary.counts, [summary.ar(n, area) for n in summary.counts], **_line(k))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10])


def _recall_by_iou(axes: Axes, summaries: Mapping[str, ProposalSummary], n: int) -> None:
    axes.set_xlim(CURVE_THRESHOLDS[0], CURVE_THRESHOLDS[-1])
    axes.set_ylim(0, 1)
    axes.set_xticks(np.linspace(0.5, 1, 6))
    axes.set_xlabel("IoU")
    if not next(iter(summaries.values())).objects[0]:
        _say(axes, "no objects")
        return
    for k, summary in enumerate(summaries.values()):
        axes.plot(CURVE_THRESHOLDS, summary.recalls(n), **_line(k))


def _legend(sheet: Figure, summaries: Mapping[str, ProposalSummary]) -> None:
    """What the curves are, with their AUC over all objects, below the panels."""
    aucs = {name: summary.auc() for name, summary in summaries.items()}
    labels = [f"{name}  ({'-' if auc < 0 else f'{auc:.3f}'})" for name, auc in aucs.items()]
    handles = [sheet.axes[-1].plot([], [], **_line(k))[0] for k in range(len(labels))]
    title = f"IoU of {WHAT[next(iter(summaries.values())).kind]}  (AUC)"
    bold = {"weight": "bold", "size": 9}
    sheet.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=COLUMNS,
        title=title,
        alignment="left",
        title_fontproperties=bold,
    )


def _line(index: int) -> dict[str, Any]:
    return {"color": series_colour(index), "linestyle": DASHES[index % len(DASHES)]}


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=QUIET)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
