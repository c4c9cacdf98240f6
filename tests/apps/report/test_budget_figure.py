from __future__ import annotations

import pytest

from amidst.apps.report.budget_figure import budget_figure

pytest.importorskip("matplotlib")


def test_no_method_is_an_empty_figure() -> None:
    (axes,) = budget_figure({}).axes
    assert not axes.lines


def test_one_curve_for_each_method_in_order_of_numbers() -> None:
    (axes,) = budget_figure({"a": {100: 0.3, 10: 0.1}, "b": {10: 0.2, 100: -1.0}}).axes
    first, second = axes.lines
    assert list(first.get_xdata()) == [10, 100]
    assert list(first.get_ydata()) == [0.1, 0.3]
    assert list(second.get_xdata()) == [10]  # nothing to measure at 100
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_xscale() == "log"
