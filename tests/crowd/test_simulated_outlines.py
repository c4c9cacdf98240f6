"""Borders of masks and their simplification."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.coco import masks
from amidst.crowd.bodies import Part
from amidst.crowd.outlines import first_crossing, rasterise
from amidst.crowd.simulated_outlines import signed_area, simplify, trace


def parts_of(mask: np.ndarray) -> list[Part]:
    return [
        Part(points=tuple((x, y) for x, y in ring.tolist()), hole=signed_area(ring) < 0)
        for ring in trace(mask)
    ]


def test_an_empty_mask_has_no_border() -> None:
    assert trace(np.zeros((5, 7), dtype=bool)) == []


def test_one_pixel_is_a_diamond() -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[1, 2] = True
    (ring,) = trace(mask)
    assert {tuple(p) for p in ring.tolist()} == {(2.5, 1.0), (3.0, 1.5), (2.5, 2.0), (2.0, 1.5)}
    assert signed_area(ring) == pytest.approx(0.5)


def test_a_ring_has_an_outer_border_and_a_hole() -> None:
    mask = np.ones((6, 6), dtype=bool)
    mask[2:4, 2:4] = False
    outer, hole = trace(mask)
    assert signed_area(outer) > 0 > signed_area(hole)
    assert len(outer) == 24
    assert len(hole) == 8


def test_pixels_that_touch_at_a_corner_are_apart() -> None:
    assert len(trace(np.eye(3, dtype=bool))) == 3


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 14), st.integers(1, 14), st.floats(0.1, 0.9))
def test_borders_never_cross_themselves_and_enclose_every_pixel(
    seed: int, height: int, width: int, density: float
) -> None:
    """A border cuts an eighth of a pixel off each outer corner and adds as much at each inner one."""
    mask = np.random.default_rng(seed).random((height, width)) < density
    rings = trace(mask)
    for ring in rings:
        assert first_crossing(ring) is None
        assert len({tuple(p) for p in ring.tolist()}) == len(ring)
    padded = np.pad(mask, 1).astype(int)
    corners = padded[:-1, :-1] + padded[:-1, 1:] + padded[1:, :-1] + padded[1:, 1:]
    across = (padded[:-1, :-1] == padded[1:, 1:]) & (corners == 2)
    expected = mask.sum() - ((corners == 1).sum() + 2 * across.sum() - (corners == 3).sum()) / 8
    assert sum(signed_area(ring) for ring in rings) == pytest.approx(expected)


def test_filling_the_borders_gives_the_mask_back() -> None:
    rows, columns = np.ogrid[:60, :80]
    disc = np.hypot(columns - 40, rows - 30) <= 22
    for mask in (disc, disc & ~(np.hypot(columns - 40, rows - 30) <= 9), disc & (abs(columns - 40) > 3)):
        assert rasterise(parts_of(mask), mask.shape) == masks.encode(mask[None])[0]


def test_simplifying_a_square_leaves_its_corners() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[5:25, 5:25] = True
    kept = simplify(trace(mask)[0], 0.8)
    assert 4 <= len(kept) <= 6
    assert signed_area(kept) == pytest.approx(400, rel=0.05)


def test_no_vertex_is_left_out_that_lies_further_off_than_the_tolerance() -> None:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = 50 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for tolerance in (0.1, 1.0, 5.0):
        kept = simplify(circle, tolerance)
        ends = np.roll(kept, -1, axis=0)
        along = ends - kept
        offset = circle[:, None] - kept[None]
        share = np.clip((offset * along).sum(-1) / (along**2).sum(-1), 0, 1)
        nearest = np.linalg.norm(offset - share[..., None] * along, axis=-1).min(axis=1)
        assert nearest.max() <= tolerance + 1e-9
    assert len(simplify(circle, 1.0)) > len(simplify(circle, 5.0)) >= 3


def test_at_least_three_vertices_remain() -> None:
    line = np.array([[0.0, 0.0], [1.0, 0.01], [2.0, 0.0], [1.0, -0.01]])
    assert len(simplify(line, 1.0)) == 3
    assert len(simplify(line[:3], 1.0)) == 3
