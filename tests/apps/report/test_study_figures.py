"""The pictures of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="figures need the extra: report")

from amidst.apps.report.figure_style import save_figure
from amidst.apps.report.study_figures import study_figure
from amidst.apps.report.study_table import Row, StudyTable
from amidst.recipes.studies import Published


def table(*rows: Row) -> StudyTable:
    return StudyTable("s", "Losses", "Table 5.1", "detection", {}, rows, ())


def row(name: str, here: float | None, took: float | None, **published: float) -> Row:
    scores = None if here is None else {"ap": here}
    there = (Published("test-dev", published),) if published else ()
    return Row(name, (), scores, took, "done" if scores else "diverged: update 3", there)


@pytest.mark.parametrize("chart", ["bars", "speed"])
def test_a_study_without_results(chart: str, tmp_path: Path) -> None:
    sheet = study_figure(table(row("a-400", None, None)), chart)  # type: ignore[arg-type]
    texts = [text.get_text() for axes in sheet.axes for text in axes.texts]
    assert texts == (["diverged"] if chart == "bars" else ["no cell is finished"])
    save_figure(sheet, tmp_path / "empty.svg")


def test_bars_carry_their_numbers_beside_those_of_the_thesis() -> None:
    sheet = study_figure(table(row("a", 0.25, 3, ap=0.34), row("b", -1.0, 3), row("c", None, None, ap=0.3)))
    here, thesis = sheet.axes
    assert [text.get_text() for text in here.texts] == ["0.250", "-1", "diverged"]
    assert [text.get_text() for text in thesis.texts] == ["0.340", "not published", "0.300"]
    assert [bar.get_width() for bar in here.patches] == [0.25, 0, 0]
    assert [label.get_text() for label in here.get_yticklabels()] == ["a", "b", "c"]


def test_accuracy_against_time_is_a_line_for_each_network() -> None:
    rows = [row(f"r{d}-{s}", 0.1 * d + s / 1e4, d * s, ap=0.3, ms=9) for d in (1, 2) for s in (500, 400)]
    here, thesis = study_figure(table(*rows), "speed").axes
    assert [line.get_label() for line in here.lines] == ["r1", "r2"]
    assert list(here.lines[0].get_xdata()) == [400, 500]
    assert [text.get_text() for text in here.texts] == ["400", "500", "400", "500"]
    assert len(thesis.lines) == 2
