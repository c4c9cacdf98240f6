"""Charts are well-formed, keep their points inside, and take empty and odd numbers as they come."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from amidst.apps.report.plots import Series, bar_chart, line_chart, nice_ticks, smoothed


def points(svg: str) -> np.ndarray:
    return np.array(
        [pair.split() for d in re.findall(r' d="M([^"]*)"', svg) for pair in d.split("L")], dtype=float
    )


def test_a_line_runs_from_its_first_to_its_last_point_inside_the_frame() -> None:
    svg = line_chart([Series("loss", [0, 10, 20], [2.0, 1.0, 0.5])], title="Loss", x_label="update")
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == "Loss"
    xy = points(svg)
    assert (np.diff(xy[:, 0]) > 0).all()
    assert (np.diff(xy[:, 1]) > 0).all(), "falling values go down the page"
    assert xy.min() >= 0
    assert xy[:, 0].max() <= 360
    assert xy[:, 1].max() <= 240


def test_names_are_escaped() -> None:
    svg = line_chart(
        [Series('<script>"&', [1, 2], [1, 2], dots=True), Series("b", [1], [1], 1)],
        title='"><x',
        x_label="<y>",
    )
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    bars = bar_chart([("<b>", [0.1])], title="t", series=["<s>"])
    ElementTree.fromstring(bars)


@pytest.mark.parametrize(
    ("x", "y"),
    [([], []), ([1.0], [math.nan]), ([math.inf], [1.0])],
)
def test_nothing_to_draw_draws_nothing(x: list[float], y: list[float]) -> None:
    assert line_chart([Series("a", x, y)], title="t", x_label="x") == ""
    assert bar_chart([("a", [None])], title="t", series=["s"]) == ""


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([5], [3.0]),
        ([5, 5], [3.0, 3.0]),
        ([0, 1], [0.0, 0.0]),
        ([0, 1], [-4.0, -2.0]),
        ([0, 1, 2], [1e-9, math.nan, 1e9]),
    ],
)
def test_odd_values_stay_on_the_chart(x: list[float], y: list[float]) -> None:
    for log in (False, True):
        svg = line_chart([Series("a", x, y, dots=True)], title="t", x_label="x", log=log)
        ElementTree.fromstring(svg)
        assert "nan" not in svg
        assert "inf" not in svg
        assert (points(svg) >= 0).all()


def test_long_lines_are_averaged() -> None:
    x = np.arange(100_000)
    svg = line_chart([Series("a", x, np.sin(x / 1e4))], title="t", x_label="x")
    assert len(svg) < 12_000
    assert len(points(svg)) == 300


def test_bars_are_as_high_as_their_values() -> None:
    svg = bar_chart([("small", [0.1, None]), ("large", [0.4, 0.8])], title="AP", series=["AP", "AR"])
    heights = [float(h) for h in re.findall(r'class="bar s\d"[^>]*height="([\d.]+)"', svg)]
    assert heights[1] == 0
    np.testing.assert_allclose(np.array([heights[2], heights[3]]) / heights[0], [4, 8], rtol=0.02)
    assert "–" in svg
    assert "0.800" in svg


def test_smoothing_keeps_constants_and_ignores_gaps() -> None:
    np.testing.assert_allclose(smoothed(np.full(50, 3.0)), 3.0)
    values = np.full(50, 2.0)
    values[10] = np.nan
    np.testing.assert_allclose(smoothed(values), 2.0)
    assert smoothed([]).size == 0


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.0123), (-3, 17), (1e5, 3e6), (0.2, 0.21)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    ticks = nice_ticks(low, high, 5)
    assert 3 <= len(ticks) <= 11
    assert low - 1e-9 <= min(ticks)
    assert max(ticks) <= high + 1e-9
    assert nice_ticks(1, 1, 5) == [1]
