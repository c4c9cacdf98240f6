"""Poor masks made from good ones: what a grid hides to see whether its worker looks.

Five kinds, as people err: shifted, swollen or shrunk, a coarse hull, half of it missing, and the mask of a
neighbour. Each overlaps the truth by at most a given IoU (ours: 0.6); one that cannot be spoiled so far is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.records import Rle

Bits = npt.NDArray[np.bool_]
TRIES = 8
NUDGE = 0.02  # share of its size by which a mask may grow or shrink unnoticed
MARGIN = 32  # pixels around a mask into which it may grow
SAME = 0.9  # overlap below which a mask would no longer be the same
STEPS = 40  # a spoiling grows by one step until it is poor enough


def spoil(truth: Rle, max_iou: float, *, neighbours: Sequence[Rle] = (), min_area: int = 4) -> list[Rle]:
    """Spoiled masks of every kind that succeeds, in the order of the module's list."""
    whole = masks.decode([truth])[0].astype(bool)
    if not whole.any():
        return []
    top, bottom, left, right = _box(whole)  # no kind needs more room than the object's size on each side
    rows = slice(max(0, 2 * top - bottom), 2 * bottom - top)
    columns = slice(max(0, 2 * left - right), 2 * right - left)
    found = []
    for make in (_shifted, _swollen, _shrunk, _hull, _halved):
        spoiled = _first_poor(whole[rows, columns], make, max_iou, min_area)
        if spoiled is not None:
            frame = np.zeros_like(whole)
            frame[rows, columns] = spoiled
            found.append(masks.encode(frame[None])[0])
    if neighbours:
        overlap = masks.iou([truth], list(neighbours))[0]
        poor = [index for index in np.argsort(-overlap, kind="stable") if overlap[index] <= max_iou]
        found += [neighbours[index] for index in poor[:1]]
    return found


def nudged(mask: Rle, lot: np.random.Generator) -> Rle:
    """The same mask a little larger or smaller and moved by less than a pixel: as good or as poor as before,
    but not the same pixels. A mask that is too small to bear it comes back as it is.
    """
    bits = masks.decode([mask])[0].astype(bool)
    if not bits.any():
        return mask
    top, bottom, left, right = _box(bits)
    rows, columns = slice(max(0, top - MARGIN), bottom + MARGIN), slice(max(0, left - MARGIN), right + MARGIN)
    near = bits[rows, columns]
    for _ in range(TRIES):
        moved = _resampled(near, 1 + lot.uniform(-NUDGE, NUDGE), *lot.uniform(-0.7, 0.7, 2))
        both, either = np.count_nonzero(moved & near), np.count_nonzero(moved | near)
        if SAME * either <= both < either:
            bits[rows, columns] = moved
            return masks.encode(bits[None])[0]
    return mask


def _resampled(bits: Bits, scale: float, down: float, across: float) -> Bits:
    """Scaled about the middle of its box and moved, each pixel from its nearest one."""
    top, bottom, left, right = _box(bits)
    rows, columns = (np.arange(size) for size in bits.shape)
    middle_y, middle_x = (top + bottom - 1) / 2, (left + right - 1) / 2
    from_y = np.rint((rows - middle_y - down) / scale + middle_y).astype(int).clip(0, rows[-1])
    from_x = np.rint((columns - middle_x - across) / scale + middle_x).astype(int).clip(0, columns[-1])
    return bits[np.ix_(from_y, from_x)]


def _first_poor(bits: Bits, make: Callable[[Bits, int], Bits], max_iou: float, min_area: int) -> Bits | None:
    for step in range(1, STEPS + 1):
        changed = make(bits, step)
        both, either = int((changed & bits).sum()), int((changed | bits).sum())
        if changed.sum() < min_area:
            return None
        if both <= max_iou * either:
            return changed
    return None


def _box(bits: Bits) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _shifted(bits: Bits, step: int) -> Bits:
    """Moved along its longer side, by a twentieth of it per step, to where the image has room."""
    top, bottom, left, right = _box(bits)
    axis = 1 if right - left >= bottom - top else 0
    low, high = (left, right) if axis else (top, bottom)
    distance = max(1, round(step * (high - low) / 20))
    direction = 1 if bits.shape[axis] - high >= low else -1
    return _moved(bits, direction * distance, axis)


def _moved(bits: Bits, distance: int, axis: int) -> Bits:
    moved = np.zeros_like(bits)
    size = bits.shape[axis]
    if abs(distance) >= size:
        return moved
    source = slice(0, size - distance) if distance > 0 else slice(-distance, size)
    goal = slice(distance, size) if distance > 0 else slice(0, size + distance)
    if axis:
        moved[:, goal] = bits[:, source]
    else:
        moved[goal] = bits[source]
    return moved


def _swollen(bits: Bits, step: int) -> Bits:
    """Dilated by a square, of a fortieth of its size per step."""
    reach = _reach(bits, step)
    wide = _window(bits, reach, axis=1)
    return _window(wide, reach, axis=0)


def _shrunk(bits: Bits, step: int) -> Bits:
    """Eroded likewise."""
    return bits & ~_swollen_ground(bits, step)


def _swollen_ground(bits: Bits, step: int) -> Bits:
    reach = _reach(bits, step)
    return _window(_window(~bits, reach, axis=1), reach, axis=0)


def _reach(bits: Bits, step: int) -> int:
    return max(1, round(step * float(np.sqrt(bits.sum())) / 40))


def _window(bits: Bits, reach: int, *, axis: int) -> Bits:
    """Whether any pixel within `reach` along an axis is set."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (reach + 1, reach)
    total = np.cumsum(np.pad(bits.astype(np.int32), pad), axis=axis)
    size = bits.shape[axis]
    upper = np.take(total, range(2 * reach + 1, 2 * reach + 1 + size), axis=axis)
    lower = np.take(total, range(size), axis=axis)
    near: Bits = upper > lower
    return near


def _hull(bits: Bits, step: int) -> Bits:
    """A coarse outline: the box around it, widened by a twentieth per further step."""
    top, bottom, left, right = _box(bits)
    more = (step - 1) / 40
    tall, wide = round((bottom - top) * more), round((right - left) * more)
    hull = np.zeros_like(bits)
    hull[max(0, top - tall) : bottom + tall, max(0, left - wide) : right + wide] = True
    return hull


def _halved(bits: Bits, step: int) -> Bits:
    """Cut across its longer side; each step leaves a fortieth less, from sixty in a hundred down."""
    top, bottom, left, right = _box(bits)
    share = max(0.0, 0.6 - (step - 1) / 40)
    half = bits.copy()
    if right - left >= bottom - top:
        half[:, left + round((right - left) * share) :] = False
    else:
        half[top + round((bottom - top) * share) :] = False
    return half
