"""The things of a generated world: eleven outlines in three textures, told apart by who reads their name.

An outline is a super-category, outline and texture together are a category: "striped star", "plain ring".
Colour, size, turn and stretch vary from thing to thing and mean nothing. Some outlines are awkward on
purpose: a ring has a hole, a pair has two parts, a blob is never twice the same.

An outline is a function of local coordinates: (u, v) runs over -1..1 across the thing before it is turned
and stretched, v downwards; `phase` (0..2 pi) is the thing's own. Textures are functions of the same
coordinates and return 0 (base colour) to 1 (mark colour).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from amidst.coco.records import Category

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing on the canvas.

    category: index into `world_categories()`, -1 for litter, which belongs to no category.
    centre_xy, radius: pixels; the thing lies within 1.3 radii of its centre. angle: radians.
    stretch: width over height before turning. phase: 0..2 pi, what makes blobs differ.
    """

    category: int
    centre_xy: tuple[float, float]
    radius: float
    angle: float
    stretch: float
    phase: float
    base: Colour
    mark: Colour


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the canvas that a thing can touch, and its local coordinates there.

    rows, columns: slices into the canvas. u, v: (h, w) local coordinates at the pixel centres.
    """

    rows: slice
    columns: slice
    u: Floats
    v: Floats


def window(thing: Thing, size_hw: tuple[int, int]) -> Window:
    """The pixels of the canvas (height, width) around a thing; empty slices where it lies outside."""
    (x, y), reach = thing.centre_xy, 1.3 * thing.radius
    top, bottom = (min(max(edge, 0), size_hw[0]) for edge in (floor(y - reach), ceil(y + reach)))
    left, right = (min(max(edge, 0), size_hw[1]) for edge in (floor(x - reach), ceil(x + reach)))
    across = (np.arange(left, right) + 0.5 - x) / thing.radius
    down = (np.arange(top, bottom) + 0.5 - y) / thing.radius
    cos, sin = np.cos(thing.angle), np.sin(thing.angle)
    u = cos * across[None, :] + sin * down[:, None]
    v = cos * down[:, None] - sin * across[None, :]
    side = np.sqrt(thing.stretch)
    return Window(slice(top, bottom), slice(left, right), u / side, v * side)


def covers(thing: Thing, at: Window) -> Bools:
    """Which pixels of the window lie on the thing, were nothing in front of it."""
    if thing.category < 0:
        return _stick(at.u, at.v, thing.phase)
    return _OUTLINES[_outline_name(thing.category)](at.u, at.v, thing.phase)


def texture(thing: Thing, at: Window) -> Floats:
    """(h, w) of 0 (base colour) to 1 (mark colour)."""
    if thing.category < 0:
        return np.zeros_like(at.u)
    return _TEXTURES[TEXTURE_NAMES[thing.category % len(TEXTURE_NAMES)]](at.u, at.v, thing.phase)


@cache
def world_categories() -> tuple[Category, ...]:
    """The 33 categories, ids from 1, in the order of `Thing.category`."""
    names = [(look, outline) for outline in OUTLINE_NAMES for look in TEXTURE_NAMES]
    return tuple(
        Category(k, f"{look} {outline}", outline) for k, (look, outline) in enumerate(names, start=1)
    )


@cache
def lookalikes() -> tuple[tuple[int, ...], ...]:
    """For each category index the others that a careless worker takes it for: same outline, other texture."""
    count = len(TEXTURE_NAMES)
    return tuple(
        tuple(other for other in range(k - k % count, k - k % count + count) if other != k)
        for k in range(len(OUTLINE_NAMES) * count)
    )


def _outline_name(category: int) -> str:
    return OUTLINE_NAMES[category // len(TEXTURE_NAMES)]


# ------------------------------------------------------------------------------------------------ outlines


def _disc(u: Floats, v: Floats, _: float) -> Bools:
    inside: Bools = u * u + v * v <= 1
    return inside


def _egg(u: Floats, v: Floats, _: float) -> Bools:
    inside: Bools = (u / (0.72 + 0.22 * v)) ** 2 + v * v <= 1
    return inside


def _box(u: Floats, v: Floats, phase: float) -> Bools:
    inside: Bools = np.maximum(np.abs(u) / 0.95, np.abs(v) / (0.5 + 0.2 * np.sin(phase))) <= 1
    return inside


def _triangle(u: Floats, v: Floats, _: float) -> Bools:
    inside: Bools = (v <= 0.6) & (np.abs(u) * 1.6 <= v + 1)
    return inside


def _star(u: Floats, v: Floats, _: float) -> Bools:
    # Five straight-edged points: fold the angle into one tenth of the turn, then it is a half-plane.
    tenth = np.pi / 5
    fold = np.abs((np.arctan2(u, -v) + tenth) % (2 * tenth) - tenth)
    radius = np.hypot(u, v)
    tip, notch = np.array([1.1, 0.0]), 0.5 * np.array([np.cos(tenth), np.sin(tenth)])
    x, y = radius * np.cos(fold), radius * np.sin(fold)
    inside: Bools = (notch[0] - tip[0]) * (y - tip[1]) - (notch[1] - tip[1]) * (x - tip[0]) >= 0
    return inside


def _cross(u: Floats, v: Floats, _: float) -> Bools:
    inside: Bools = (np.minimum(np.abs(u), np.abs(v)) <= 0.32) & (np.maximum(np.abs(u), np.abs(v)) <= 0.98)
    return inside


def _ring(u: Floats, v: Floats, _: float) -> Bools:
    square = u * u + v * v
    inside: Bools = (square <= 1) & (square >= 0.2)
    return inside


def _arch(u: Floats, v: Floats, _: float) -> Bools:
    outer = np.maximum(u * u + np.minimum(v, 0) ** 2, np.abs(u)) <= 1
    inner = np.maximum(u * u + np.minimum(v, 0) ** 2, np.abs(u)) <= 0.36
    inside: Bools = outer & ~inner & (v <= 0.7)
    return inside


def _leaf(u: Floats, v: Floats, _: float) -> Bools:
    inside: Bools = (np.abs(v) + 0.45) ** 2 + u * u <= 1.2
    return inside


def _blob(u: Floats, v: Floats, phase: float) -> Bools:
    angle = np.arctan2(v, u)
    edge = 0.8 + 0.15 * np.sin(2 * angle + phase) + 0.12 * np.sin(3 * angle + 2.7 * phase)
    inside: Bools = np.hypot(u, v) <= edge
    return inside


def _pair(u: Floats, v: Floats, _: float) -> Bools:
    inside: Bools = (np.abs(u) - 0.58) ** 2 + v * v <= 0.2
    return inside


def _stick(u: Floats, v: Floats, phase: float) -> Bools:
    """Litter: a thin bar, which also cuts what lies behind it into parts."""
    inside: Bools = (np.abs(v) <= 0.05 + 0.02 * np.sin(phase)) & (np.abs(u) <= 1.2)
    return inside


_OUTLINES: dict[str, Callable[[Floats, Floats, float], Bools]] = {
    "disc": _disc,
    "egg": _egg,
    "box": _box,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "arch": _arch,
    "leaf": _leaf,
    "blob": _blob,
    "pair": _pair,
}
OUTLINE_NAMES = tuple(_OUTLINES)


# ------------------------------------------------------------------------------------------------ textures


def _plain(_: Floats, v: Floats, __: float) -> Floats:
    return np.clip(0.15 - 0.25 * v, 0, 0.4)


def _striped(u: Floats, _: Floats, phase: float) -> Floats:
    return (np.sin(9 * u + phase) > 0).astype(np.float64)


def _spotted(u: Floats, v: Floats, phase: float) -> Floats:
    return (np.sin(8 * u + phase) * np.sin(8 * v - phase) > 0.35).astype(np.float64)


_TEXTURES: dict[str, Callable[[Floats, Floats, float], Floats]] = {
    "plain": _plain,
    "striped": _striped,
    "spotted": _spotted,
}
TEXTURE_NAMES = tuple(_TEXTURES)
