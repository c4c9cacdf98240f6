"""Perceptual hashes: 64 bits that stay nearly the same when a picture is resized, compressed or brightened.

Everything is computed from the picture's thumbnail, 32 x 32 pixels made by area averages without keeping the
aspect, so that hashing many pictures is a few matrix products:

    pHash   the 8 x 8 lowest frequencies of the grey picture's cosine transform, each against their median
    dHash   the grey picture as 8 rows of 9 averages, each against its right neighbour

Both are computed for several `View`s of the thumbnail: the whole picture and windows of it, and, if asked
for, mirrored and turned ones. A picture A that was cropped from B has nearly the hash of one of B's windows.

Bit 0 of a hash is the lowest frequency (pHash) or the top left comparison (dHash). Legend: B pictures,
S = 32 pixels a side. Thesis section 2.6 removes near-duplicates; the hashes find the pairs worth comparing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

SIDE = 32
WINDOW_SIDE = 0.92  # of width and height: finds crops that keep 0.88 to 0.98 of a side, at any place
FLAT_BELOW = 2.0  # standard deviation of grey, of 255: below it a thumbnail shows nothing to compare
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Hashes = npt.NDArray[np.uint64]
A = TypeVar("A", Bytes, Floats)
Turn = Literal[
    "none", "mirror", "quarter", "half", "three-quarters", "mirror-quarter", "flip", "flip-quarter"
]


@dataclass(frozen=True)
class View:
    """How a thumbnail is looked at: a window of it (fractions, top left corner and side), then turned."""

    top: float = 0.0
    left: float = 0.0
    side: float = 1.0
    turn: Turn = "none"


WHOLE = View()
_CORNERS = tuple(step * (1 - WINDOW_SIDE) / 2 for step in (0, 1, 2))
WINDOWS = tuple(View(top, left, WINDOW_SIDE) for top in _CORNERS for left in _CORNERS)


def thumbnail(pixels: Bytes) -> Bytes:
    """The picture (H, W, 3) uint8 RGB as (32, 32, 3), by area averages."""
    small = PillowImage.fromarray(pixels).resize((SIDE, SIDE), PillowImage.Resampling.BOX)
    return np.asarray(small)


def grey(thumbnails: Bytes) -> Floats:
    """Luma (B, 32, 32) of thumbnails (B, 32, 32, 3)."""
    luma: Floats = thumbnails.astype(np.float32) @ _GREY
    return luma


def is_flat(thumbnails: Bytes) -> npt.NDArray[np.bool_]:
    """(B,): whether a thumbnail is one colour, so that neither hashes nor descriptors say anything."""
    flat: npt.NDArray[np.bool_] = grey(thumbnails).std(axis=(1, 2)) < FLAT_BELOW
    return flat


def phash(luma: Floats, view: View = WHOLE) -> Hashes:
    """pHash (B,) of grey thumbnails (B, 32, 32)."""
    rows, columns = _frequencies(view.top, view.side), _frequencies(view.left, view.side)
    spectrum = np.matmul(np.matmul(rows, turned(luma, view)), columns.T).reshape(len(luma), 64)
    return _packed(spectrum > np.median(spectrum, axis=1, keepdims=True))


def dhash(luma: Floats, view: View = WHOLE) -> Hashes:
    """dHash (B,) of grey thumbnails (B, 32, 32)."""
    rows, columns = _averages(view.top, view.side, 8), _averages(view.left, view.side, 9)
    cells = np.matmul(np.matmul(rows, turned(luma, view)), columns.T)  # (B, 8, 9)
    return _packed((cells[:, :, 1:] > cells[:, :, :-1]).reshape(len(luma), 64))


def seen(thumbnails: Bytes, view: View) -> Bytes:
    """The thumbnails (B, 32, 32, 3) of the view: turned, cut to its window, enlarged to 32 x 32 again."""
    pictures = turned(thumbnails, view)
    if view.side == 1.0:
        return np.ascontiguousarray(pictures)
    rows, columns = _averages(view.top, view.side, SIDE), _averages(view.left, view.side, SIDE)
    planes = np.moveaxis(pictures, 3, 1).astype(np.float32)  # (B, 3, S, S)
    window = np.rint(np.matmul(np.matmul(rows, planes), columns.T))
    return np.ascontiguousarray(np.moveaxis(window.clip(0, 255), 1, 3).astype(np.uint8))


def turned(pictures: A, view: View) -> A:
    """Pictures (B, S, S, ...) mirrored and turned as the view says."""
    quarter = view.turn in ("quarter", "three-quarters", "mirror-quarter", "flip-quarter")
    result = np.swapaxes(pictures, 1, 2) if quarter else pictures
    if view.turn in ("mirror", "half", "quarter", "flip-quarter"):
        result = result[:, :, ::-1]
    if view.turn in ("flip", "half", "three-quarters", "flip-quarter"):
        result = result[:, ::-1]
    return result


def views(*, windows: bool = True, mirrored: bool = False, rotated: bool = False) -> tuple[View, ...]:
    """The whole picture first, then its windows, then the same mirrored and turned where asked for."""
    turns: list[Turn] = ["none"]
    if mirrored:
        turns += ["mirror"]
    if rotated:
        turns += ["quarter", "half", "three-quarters"]
    if mirrored and rotated:
        turns += ["mirror-quarter", "flip", "flip-quarter"]
    plain: Sequence[View] = (WHOLE, *WINDOWS) if windows else (WHOLE,)
    return tuple(View(view.top, view.left, view.side, turn) for turn in turns for view in plain)


@cache
def _frequencies(start: float, side: float) -> Floats:
    """(8, 32): cosine transform, frequencies 0..7, of the stretch start..start + side of 32 pixels."""
    places = (np.arange(SIDE * 8) + 0.5) / (SIDE * 8)  # along the window, eight a pixel
    pixel = np.minimum(((start + side * places) * SIDE).astype(int), SIDE - 1)
    cosines = np.cos(np.pi * np.arange(8)[:, None] * places)
    sums = np.zeros((8, SIDE))
    np.add.at(sums.T, pixel, cosines.T)
    return sums.astype(np.float32)


@cache
def _averages(start: float, side: float, parts: int) -> Floats:
    """(parts, 32): area averages of the stretch start..start + side, cut into equal parts."""
    edges = SIDE * np.linspace(start, start + side, parts + 1)
    pixels = np.arange(SIDE)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = overlap.clip(0)
    shares: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _packed(bits: npt.NDArray[np.bool_]) -> Hashes:
    """(B, 64) booleans to (B,) integers, first bit lowest."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)
