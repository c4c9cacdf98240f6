"""The pictures of a study: scores of its cells beside the thesis's, or accuracy against time (Fig. 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from amidst.apps.report.figure_style import INK, QUIET, add_axes, new_figure, series_colour
from amidst.apps.report.study_table import LABELS, Row, StudyTable, published_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def study_figure(table: StudyTable, chart: Literal["bars", "speed"] = "bars") -> Figure:
    """One sheet: what was measured on the left, what the thesis has on the right.

    Raises MissingExtra without matplotlib.
    """
    return _speed_figure(table) if chart == "speed" else _bar_figure(table)


def _bar_figure(table: StudyTable) -> Figure:
    by = table.ranked_by
    settings = [setting for setting, name in published_columns(table) if name == by]
    columns = 1 + len(settings)
    with new_figure(2.0 + 3.6 * columns, 1.3 + 0.34 * max(len(table.rows), 2)) as sheet:
        axes = add_axes(sheet, 1, columns, 1, f"Here: {LABELS[by]}")
        measured = [None if row.scores is None else row.scores.get(by) for row in table.rows]
        _bars(axes, measured, series_colour(0), [row.state for row in table.rows])
        axes.set_yticks(range(len(table.rows)), [row.name for row in table.rows])
        for place, setting in enumerate(settings, start=2):
            beside = add_axes(sheet, 1, columns, place, f"Thesis: {LABELS[by]}, {setting}")
            published = [_published(row, setting, by) for row in table.rows]
            _bars(beside, published, QUIET, ["not published"] * len(table.rows))
            beside.set_yticks(range(len(table.rows)), [""] * len(table.rows))
    return sheet


def _bars(axes: Axes, values: list[float | None], colour: str, absent: list[str]) -> None:
    """Horizontal bars from the top down, each with its number; what is absent says why."""
    lengths = [max(value or 0.0, 0.0) for value in values]
    axes.barh(range(len(values)), lengths, height=0.62, color=colour)
    axes.set_xlim(0, 1.18 * max([*lengths, 0.01]))
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    for place, (value, length, why) in enumerate(zip(values, lengths, absent, strict=True)):
        text = why.partition(":")[0] if value is None else "-1" if value < 0 else f"{value:.3f}"
        axes.annotate(
            text,
            (length, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=QUIET if value is None else INK,
        )


def _speed_figure(table: StudyTable) -> Figure:
    """Accuracy against time, a line for each network: cells are named NETWORK-SHORT."""
    by = table.ranked_by
    settings = [setting for setting, name in published_columns(table) if name == "ms"]
    columns = 1 + len(settings)
    with new_figure(5.2 * columns, 4.2) as sheet:
        here = [(row.name, row.ms, None if row.scores is None else row.scores.get(by)) for row in table.rows]
        _lines(add_axes(sheet, 1, columns, 1, "Here"), here, LABELS[by])
        for place, setting in enumerate(settings, start=2):
            there = [(r.name, _published(r, setting, "ms"), _published(r, setting, by)) for r in table.rows]
            _lines(add_axes(sheet, 1, columns, place, f"Thesis, {setting}"), there, LABELS[by])
    return sheet


def _lines(axes: Axes, points: list[tuple[str, float | None, float | None]], label: str) -> None:
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for name, ms, score in points:
        network, _, short = name.rpartition("-")
        if ms is not None and score is not None and score >= 0:
            lines.setdefault(network, []).append((ms, score, short))
    for n, (network, found) in enumerate(lines.items()):
        found.sort()
        axes.plot(
            [ms for ms, _, _ in found],
            [score for _, score, _ in found],
            marker="o",
            markersize=4,
            color=series_colour(n),
            label=network,
        )
        for ms, score, short in found:
            axes.annotate(
                short,
                (ms, score),
                xytext=(0, 6 if n % 2 == 0 else -13),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=series_colour(n),
            )
    axes.set_xlabel("ms per image")
    axes.set_ylabel(label)
    axes.margins(0.1, 0.14)
    if lines:
        axes.legend(loc="lower right")
    else:
        axes.text(0.5, 0.5, "no cell is finished", ha="center", va="center", transform=axes.transAxes)


def _published(row: Row, setting: str, name: str) -> float | None:
    return next((p.scores[name] for p in row.published if p.setting == setting and name in p.scores), None)
