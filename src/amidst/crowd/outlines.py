"""Arithmetic of drawn outlines: where one crosses itself, its raster, which points a mask covers.

An outline is an array (V, 2) of vertices x, y in pixels; the last one is joined to the first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import Part

Floats = npt.NDArray[np.float64]

BLOCK = 32  # edges compared at once; blocks whose boxes lie apart are not compared
BATCH = 64  # pairs of blocks in one array


def first_crossing(outline: npt.ArrayLike) -> tuple[float, float] | None:
    """A point where two edges of the outline cross, or None.

    Only edges that pass through each other count; an outline may touch itself in a point or run along
    itself, for its raster is the same either way.
    """
    vertices = np.asarray(outline, dtype=np.float64).reshape(-1, 2)
    moved = (vertices != np.roll(vertices, 1, axis=0)).any(axis=1)  # a double click is no edge
    vertices = vertices[moved]
    number = len(vertices)
    if number < 4:
        return None
    starts, ends = _blocks(vertices), _blocks(np.roll(vertices, -1, axis=0))  # (B, BLOCK, 2)
    low, high = np.minimum(starts, ends).min(axis=1), np.maximum(starts, ends).max(axis=1)
    near = (low[:, None] <= high[None]).all(axis=2) & (high[:, None] >= low[None]).all(axis=2)
    first, second = np.nonzero(np.triu(near))
    for begin in range(0, len(first), BATCH):
        one, two = first[begin : begin + BATCH], second[begin : begin + BATCH]
        found = np.argwhere(_cross(starts[one], ends[one], starts[two], ends[two]))
        if len(found):
            pair, i, j = found[0]
            return _meeting(
                starts[one[pair], i], ends[one[pair], i], starts[two[pair], j], ends[two[pair], j]
            )
    return None


def rasterise(parts: Sequence[Part], size_hw: tuple[int, int]) -> Rle:
    """The union of the parts without the holes."""
    solid = masks.from_polygons([_flat(part) for part in parts if not part.hole], size_hw)
    holes = masks.from_polygons([_flat(part) for part in parts if part.hole], size_hw)
    return subtract(solid, [holes]) if any(part.hole for part in parts) else solid


def subtract(mask: Rle, others: Sequence[Rle]) -> Rle:
    """The pixels of `mask` that are in none of the others."""
    if not others:
        return mask
    runs = masks.counts(masks.merge(list(others)))
    outside = Rle(mask.size, runs[1:] if runs[0] == 0 else (0, *runs))
    return masks.merge([mask, outside], intersect=True)


def covered(mask: Rle, points_xy: npt.ArrayLike, tolerance: float) -> npt.NDArray[np.bool_]:
    """(P,): whether a pixel of the mask lies within `tolerance` pixels of each point (P, 2).

    Reads the run lengths; the mask is never unfolded.
    """
    points = np.asarray(points_xy, dtype=np.float64).reshape(-1, 2)
    height, width = mask.size
    reach = int(tolerance)
    step_y, step_x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    disc = step_x**2 + step_y**2 <= tolerance**2
    x = np.floor(points[:, :1]).clip(0, width - 1) + step_x[disc]  # (P, D)
    y = np.floor(points[:, 1:]).clip(0, height - 1) + step_y[disc]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    ends = np.cumsum(masks.counts(mask))
    run = np.searchsorted(ends, np.where(inside, x * height + y, 0), side="right")
    hit: npt.NDArray[np.bool_] = (inside & (run % 2 == 1)).any(axis=1)
    return hit


def _blocks(points: Floats) -> Floats:
    """(B, BLOCK, 2), the last block filled with edges of no length at its last point."""
    missing = -len(points) % BLOCK
    return np.concatenate([points, np.repeat(points[-1:], missing, axis=0)]).reshape(-1, BLOCK, 2)


def _cross(a: Floats, b: Floats, c: Floats, d: Floats) -> npt.NDArray[np.bool_]:
    """(P, BLOCK, BLOCK): whether edge a-b of the one block passes through edge c-d of the other."""
    a, b, c, d = a[:, :, None], b[:, :, None], c[:, None], d[:, None]

    def side(p: Floats, q: Floats, r: Floats) -> Floats:
        turn: Floats = np.sign(
            (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1])
            - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
        )
        return turn

    crossing: npt.NDArray[np.bool_] = (side(a, b, c) * side(a, b, d) < 0) & (
        side(c, d, a) * side(c, d, b) < 0
    )
    return crossing


def _meeting(a: Floats, b: Floats, c: Floats, d: Floats) -> tuple[float, float]:
    along, across = b - a, d - c
    share = ((c - a)[0] * across[1] - (c - a)[1] * across[0]) / (along[0] * across[1] - along[1] * across[0])
    x, y = a + share * along
    return round(float(x), 2), round(float(y), 2)


def _flat(part: Part) -> list[float]:
    return [value for vertex in part.points for value in vertex]
