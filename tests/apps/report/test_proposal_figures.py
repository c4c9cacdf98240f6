"""The curves of proposals as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.errors import UsageError
from amidst.evaluation.proposals import CURVE_THRESHOLDS, score_proposals

pytest.importorskip("matplotlib", reason="figures need the extra: report")

from amidst.apps.report.figure_style import save_figure
from amidst.apps.report.proposal_figures import proposal_figure

DATASET = CocoDataset(
    (Image(1, 200, 200, "a"),), (Annotation(1, 1, 1, (0, 0, 50, 50), 2500),), (Category(1, "dog"),)
)
ONE = Results(np.ones(1), np.ones(1), np.ones(1), np.array([[0, 0, 50, 36.0]]))  # an IoU of .72


def test_no_objects_are_said(tmp_path: Path) -> None:
    sheet = proposal_figure({"none": score_proposals(CocoDataset(), Results.empty(), at=(10, 100))})
    assert [text.get_text() for axes in sheet.axes for text in axes.texts] == ["no objects"] * 6
    save_figure(sheet, tmp_path / "none.svg")


def test_a_curve_for_each_file_in_each_panel(tmp_path: Path) -> None:
    summaries = {name: score_proposals(DATASET, ONE, at=(10, 2000)) for name in ("rpn", "dense")}
    sheet = proposal_figure(summaries)
    titles = [axes.get_title(loc="left") for axes in sheet.axes]
    assert titles == [
        "AR, all (1 object)",
        "AR, small (0 objects)",
        "AR, medium (1 object)",
        "AR, large (0 objects)",
        "Recall with 10 proposals",
        "Recall with 2,000 proposals",
    ]
    overall, at_ten = sheet.axes[0], sheet.axes[4]
    assert overall.get_xlim() == (1, 2000)
    assert [line.get_ydata()[0] for line in overall.lines] == [0.5, 0.5]
    assert at_ten.lines[0].get_xdata().tolist() == list(CURVE_THRESHOLDS)
    assert at_ten.lines[0].get_ydata().tolist() == [1.0] * 5 + [0.0] * 6
    assert [text.get_text() for text in sheet.legends[0].get_texts()] == ["rpn  (0.500)", "dense  (0.500)"]
    save_figure(sheet, tmp_path / "two.svg")
    again = tmp_path / "again.svg"
    save_figure(proposal_figure(summaries), again)
    assert again.read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="one kind"):
        proposal_figure({})
    with pytest.raises(UsageError, match="one kind"):
        proposal_figure(
            {"a": score_proposals(DATASET, ONE, at=(1,)), "b": score_proposals(DATASET, ONE, at=(2,))}
        )
