"""Whether many compressed masks are right, without unpacking them one by one.

COCO packs each run length into groups of five bits, one character each (see `masks`): bit 32 of a character
says that the number goes on, bit 16 of its last one that it is negative, and from the fourth run on a number
is the difference to the run before last. A mask is right if its runs are not negative and fill it exactly.

N masks, C characters of all of them, R runs of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

LONGEST_NUMBER = 7
"""Characters of a run length; 35 bits are more than any image has pixels."""


def first_wrong(counts: Sequence[str], pixels: npt.ArrayLike) -> int | None:
    """Index of the first mask whose text is no run-length mask of that many pixels (N,); None if all are."""
    sizes = np.asarray(pixels, dtype=np.int64)
    texts = [text.encode("utf-8") for text in counts]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    wrong = (lengths == 0) & (sizes != 0)
    kept = np.flatnonzero(lengths)
    if kept.size:
        groups = np.frombuffer(b"".join(texts), dtype=np.uint8) - np.uint8(
            48
        )  # what lies below wraps above 63
        wrong[kept] = _wrong(groups, lengths[kept], sizes[kept])
    return int(np.argmax(wrong)) if wrong.any() else None


def _wrong(groups: npt.NDArray[np.uint8], lengths: Ints, pixels: Ints) -> npt.NDArray[np.bool_]:
    """The same of masks that have characters, (N,)."""
    stops = np.cumsum(lengths)
    begins = stops - lengths
    last = (groups & 32) == 0
    wrong = (np.maximum.reduceat(groups, begins) > 63) | ~last[stops - 1]
    last[stops - 1] = True  # so that no number reaches into the next mask
    ends = np.flatnonzero(last)
    values, too_long = _numbers(groups, ends)
    first_run = np.searchsorted(ends, begins)
    number = np.diff(np.append(first_run, len(ends)))
    runs = _running(values, first_run, number)
    wrong |= np.logical_or.reduceat(too_long, first_run) | (np.minimum.reduceat(runs, first_run) < 0)
    result: npt.NDArray[np.bool_] = wrong | (np.add.reduceat(runs, first_run) != pixels)
    return result


def _numbers(groups: npt.NDArray[np.uint8], ends: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """The numbers (R,) whose last characters stand at `ends`, and which have too many characters."""
    starts = np.append(0, ends[:-1] + 1)
    length = ends - starts + 1
    values = (groups[starts] & 31).astype(np.int64)
    for place in range(1, min(int(length.max()), LONGEST_NUMBER)):
        longer = np.flatnonzero(length > place)
        values[longer] |= (groups[starts[longer] + place] & 31).astype(np.int64) << (5 * place)
    negative = np.flatnonzero(groups[ends] & 16)
    values[negative] -= np.int64(1) << (5 * np.minimum(length[negative], LONGEST_NUMBER))
    return values, length > LONGEST_NUMBER


def _running(values: Ints, first_run: Ints, number: Ints) -> Ints:
    """Run lengths (R,) from numbers that are differences: sums along every second number of each mask.

    Each mask gets an even number of places in a table of two columns, its first run alone in a row, so that
    the sums run down the columns; what stood above a mask is subtracted.
    """
    rows = 1 + number // 2
    top = np.cumsum(rows) - rows
    shift = 2 * top + 1 - first_run  # the first run stands in the second column of the first row
    place = np.arange(len(values)) + np.repeat(shift, number)
    table = np.zeros((int(rows.sum()), 2), dtype=np.int64)
    table.ravel()[place] = values
    table[top, 1] = 0
    sums = np.cumsum(table, axis=0)
    sums -= np.repeat(sums[top], rows, axis=0)
    runs: Ints = sums.ravel()[place]
    runs[first_run] = values[first_run]
    return runs
