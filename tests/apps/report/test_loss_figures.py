"""Pictures of the focal loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("matplotlib", reason="figures need the extra: report")

from amidst.apps.report.figure_style import save_figure
from amidst.apps.report.loss_figures import CURVE_GAMMAS, loss_figure
from amidst.ops.loss_distribution import count_logits

GAMMAS = (0.0, 2.0)


def test_no_samples_are_said(tmp_path: Path) -> None:
    none = count_logits(torch.zeros(0))
    sheet = loss_figure(none, none, GAMMAS)
    texts = [[text.get_text() for text in axes.texts] for axes in sheet.axes]
    assert texts[1:] == [["no samples"]] * 3
    save_figure(sheet, tmp_path / "loss.svg")


def test_a_line_for_each_gamma_that_ends_where_it_must() -> None:
    torch.manual_seed(0)
    sheet = loss_figure(count_logits(torch.randn(100)), count_logits(torch.randn(5000) + 4), GAMMAS)
    curves, positives, negatives, hardest = sheet.axes
    assert [line.get_label() for line in curves.lines][1 : len(CURVE_GAMMAS)] == [
        f"γ = {gamma:g}" for gamma in CURVE_GAMMAS[1:]
    ]
    for axes in (positives, negatives):
        for line in axes.lines[: len(GAMMAS)]:
            assert (line.get_ydata()[0], line.get_ydata()[-1]) == (
                pytest.approx(0, abs=0.01),
                pytest.approx(1),
            )
    for line in hardest.lines:
        assert line.get_ydata()[-1] == pytest.approx(1)
    # the higher gamma bends more
    assert negatives.lines[1].get_ydata()[200] < negatives.lines[0].get_ydata()[200]
