"""The bands of an error diagnosis as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.evaluation.diagnosis import CURVES, diagnose

pytest.importorskip("matplotlib", reason="figures need the extra: report")

from amidst.apps.report.error_figures import BANDS, error_figure
from amidst.apps.report.figure_style import save_figure


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    sheet = error_figure(diagnose(CocoDataset(), Results.empty()), "nothing")
    assert [text.get_text() for axes in sheet.axes for text in axes.texts] == ["no objects"] * 4
    save_figure(sheet, tmp_path / "nothing.svg")


def test_a_band_for_each_curve_with_its_area() -> None:
    dataset = CocoDataset(
        (Image(1, 200, 200, "a"),), (Annotation(1, 1, 1, (0, 0, 50, 50), 2500),), (Category(1, "dog"),)
    )
    one = Results(np.ones(1), np.ones(1), np.ones(1), np.array([[0, 0, 50, 30.0]]))
    sheet = error_figure(diagnose(dataset, one), "all categories")
    assert sheet.axes[0].get_title(loc="left") == "all categories, all"
    _, labels = sheet.axes[0].get_legend_handles_labels()
    assert [label.split()[1].rstrip(":") for label in labels] == list(CURVES)
    assert [float(label.split()[0]) for label in labels] == [0, 1, 1, 1, 1, 1, 1]
    assert len(BANDS) == len(CURVES)
