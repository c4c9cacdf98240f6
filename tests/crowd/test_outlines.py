"""amidst.crowd.outlines: crossings against every pair, holes, coverage against unfolded masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.coco import masks
from amidst.crowd.bodies import Part
from amidst.crowd.outlines import covered, first_crossing, rasterise, subtract


@pytest.mark.parametrize(
    ("outline", "crossing"),
    [
        ([(0, 0), (10, 0), (0, 10)], None),
        ([(0, 0), (10, 0), (10, 10), (0, 10)], None),
        ([(0, 0), (10, 10), (10, 0), (0, 10)], (5, 5)),  # a bow tie
        ([(0, 0), (10, 0), (10, 10), (10, 10), (0, 10)], None),  # a double click
        ([(0, 0), (10, 0), (10, 10), (5, 0), (0, 10)], None),  # touches itself in (5, 0)
        ([(0, 0), (10, 0), (10, 10), (5, -1), (0, 10)], (4.55, 0)),
    ],
)
def test_crossings(outline: list[tuple[float, float]], crossing: tuple[float, float] | None) -> None:
    found = first_crossing(outline)
    assert (found is None) == (crossing is None)
    if crossing == (5, 5):
        assert found == crossing


def slow_crossing(xy: np.ndarray) -> bool:
    def turn(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return float(np.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])))

    xy = xy[(xy != np.roll(xy, 1, axis=0)).any(axis=1)]
    edges = [(xy[i], xy[(i + 1) % len(xy)]) for i in range(len(xy))]
    return any(
        turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0
        for i, (a, b) in enumerate(edges)
        for c, d in edges[i + 1 :]
    )


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=3, max_size=70))
@settings(max_examples=40, deadline=None)
def test_crossings_are_those_of_every_pair(points: list[tuple[int, int]]) -> None:
    xy = np.array(points, dtype=float)
    assert (first_crossing(xy) is not None) == slow_crossing(xy)


def test_a_long_honest_outline_has_no_crossing_and_a_late_one_is_found() -> None:
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    circle = np.stack([500 + 400 * np.cos(angle), 500 + 300 * np.sin(angle)], axis=1).round(2)
    assert first_crossing(circle) is None
    circle[[1240, 1260]] = circle[[1260, 1240]]
    assert first_crossing(circle) is not None


def test_holes_are_taken_out() -> None:
    outer = Part(points=((1.0, 1.0), (9.0, 1.0), (9.0, 9.0), (1.0, 9.0)))
    hole = Part(points=((3.0, 3.0), (6.0, 3.0), (6.0, 6.0), (3.0, 6.0)), hole=True)
    bits = masks.decode([rasterise((outer, hole), (10, 12))])[0]
    assert bits.sum() == 64 - 9
    assert bits[4, 4] == 0
    assert (masks.decode([rasterise((outer,), (10, 12))])[0].sum()) == 64


def test_subtracting_agrees_with_pixels() -> None:
    random = np.random.default_rng(0)
    bits = random.random((4, 9, 7)) < 0.5
    bits[3] = True
    rles = masks.encode(bits)
    assert subtract(rles[0], []) == rles[0]
    left = masks.decode([subtract(rles[0], rles[1:3])])[0].astype(bool)
    assert (left == (bits[0] & ~bits[1] & ~bits[2])).all()
    assert masks.area([subtract(rles[0], [rles[3]])])[0] == 0


def test_coverage_agrees_with_unfolded_masks() -> None:
    random = np.random.default_rng(1)
    bits = random.random((20, 30)) < 0.02
    rle = masks.encode(bits[None])[0]
    points = random.random((200, 2)) * [30, 20]
    found = covered(rle, points, 2)
    for (x, y), hit in zip(points, found, strict=True):
        i, j = int(y), int(x)
        near = [
            bits[row, column]
            for row in range(max(0, i - 2), min(20, i + 3))
            for column in range(max(0, j - 2), min(30, j + 3))
            if (row - i) ** 2 + (column - j) ** 2 <= 4
        ]
        assert hit == any(near)
    assert covered(rle, np.zeros((0, 2)), 2).tolist() == []
    assert not covered(masks.empty((20, 30)), points, 2).any()
