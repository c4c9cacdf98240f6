"""From masks to outlines with few vertices, as people draw them.

`trace` follows the border of a mask through the middles of its pixel edges, so that an outline never touches
itself even where two pixels meet at a corner only, and filling it gives the mask back. `simplify` leaves out
vertices that lie near the line of their neighbours (Douglas and Peucker 1973). V vertices; coordinates are
x, y in pixels, pixel column j covers [j, j+1).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def trace(mask: Bools) -> list[Points]:
    """The closed borders of an (H, W) mask, each (V, 2) without the repeated first vertex, longest first.

    Pixels that touch at a corner only are not joined. Outer borders have a positive `signed_area`, those of
    holes a negative one.
    """
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), dtype=bool)
    padded[1:-1, 1:-1] = mask
    following = _successors(padded)
    rings: list[Points] = []
    while following:
        here = next(iter(following))
        ring: list[tuple[float, float]] = []
        while here in following:
            ring.append(here)
            here = following.pop(here)
        rings.append(np.array(ring))
    return sorted(rings, key=len, reverse=True)


def signed_area(points: Points) -> float:
    """Area within the closed outline (V, 2), positive where the inside lies on the right hand."""
    x, y = points[:, 0], points[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def simplify(points: Points, tolerance: float) -> Points:
    """The closed outline (V, 2) without vertices closer than `tolerance` to what remains; at least three."""
    if len(points) <= 3:
        return points
    far = int(np.argmax(((points - points[0]) ** 2).sum(axis=1)))
    closed = np.concatenate([points, points[:1]])
    keep = np.zeros(len(closed), dtype=bool)
    keep[[0, far, len(points)]] = True
    pieces = [(0, far), (far, len(points))]
    while pieces:
        first, last = pieces.pop()
        if last - first < 2:
            continue
        distances = _to_segment(closed[first + 1 : last], closed[first], closed[last])
        worst = int(np.argmax(distances))
        if distances[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            pieces += [(first, middle), (middle, last)]
    kept: Points = closed[:-1][keep[:-1]]
    if len(kept) < 3:
        kept = points[np.linspace(0, len(points), 4)[:3].astype(int)]
    return kept


def _successors(padded: Bools) -> dict[tuple[float, float], tuple[float, float]]:
    """Middle of a pixel edge -> middle of the next one along the border, the inside on the right hand.

    Each corner of the grid has four pixels around it; where the border turns or goes on there is told by
    which of them are inside. `padded` has a row and a column of background on every side.
    """
    a, b = padded[:-1, :-1], padded[:-1, 1:]  # above the corner: left, right
    c, d = padded[1:, :-1], padded[1:, 1:]  # below it
    north, east, south, west = (0.0, -0.5), (0.5, 0.0), (0.0, 0.5), (-0.5, 0.0)
    steps = [  # (which corners, arm by which the border comes, arm by which it goes)
        (d & ~b & ~c, south, east),  # one pixel inside, or two across: around it
        (c & ~a & ~d, west, south),
        (a & ~b & ~c, north, west),
        (b & ~a & ~d, east, north),
        (b & c & d & ~a, west, north),  # three inside: around the one outside
        (a & c & d & ~b, north, east),
        (a & b & d & ~c, south, west),
        (a & b & c & ~d, east, south),
        (c & d & ~a & ~b, west, east),  # two side by side: straight on
        (a & b & ~c & ~d, east, west),
        (a & c & ~b & ~d, north, south),
        (b & d & ~a & ~c, south, north),
    ]
    following: dict[tuple[float, float], tuple[float, float]] = {}
    for where, source, target in steps:
        rows, columns = np.nonzero(where)
        corners = np.stack([columns, rows], axis=1).astype(np.float64)
        pairs = zip((corners + source).tolist(), (corners + target).tolist(), strict=True)
        following.update((tuple(p), tuple(q)) for p, q in pairs)
    return following


def _to_segment(points: Points, first: Points, last: Points) -> Points:
    """Distances of points (V, 2) to the segment first-last, (V,)."""
    along, offset = last - first, points - first
    length = float((along**2).sum())
    share = np.clip(offset @ along / length, 0, 1) if length else np.zeros(len(points))
    rest: Points = offset - share[:, None] * along
    return np.hypot(rest[:, 0], rest[:, 1])
