"""One mask from the masks of several people: the pixels that most have marked, or STAPLE's estimate.

STAPLE weighs every person by how many of the true pixels he marks (sensitivity p) and how many of the others
he leaves alone (specificity q), both estimated together with the mask. The pixels do not have to be looked at
one by one: all that were marked by the same people are equal, so the work is over the patterns that occur.

Source: Warfield, Zou and Wells 2004, "Simultaneous truth and performance level estimation (STAPLE)".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.errors import DataError, UsageError

Floats = npt.NDArray[np.float64]
_MOST = 62  # masks whose marks fit one integer


@dataclass(frozen=True, eq=False)
class MaskConsensus:
    """The mask, and for each person (M,) sensitivity and specificity against it."""

    mask: Rle
    sensitivity: Floats
    specificity: Floats


def mask_vote(rles: Sequence[Rle], share: float = 0.5) -> Rle:
    """The pixels that more than this share of the masks hold.

    Raises DataError if there is no mask or the sizes differ, UsageError for a share outside 0..1.
    """
    if not 0 <= share < 1:
        raise UsageError(f"a share must be at least 0 and below 1, got {share}")
    marks = _marks(rles)
    return masks.encode((marks.sum(axis=0) > share * len(rles))[None])[0]


def staple(rles: Sequence[Rle], *, iterations: int = 100, tolerance: float = 1e-6) -> MaskConsensus:
    """The estimate from two to 62 masks of one size; for one mask, that mask.

    The region looked at is the box around all masks with a margin of a quarter of its sides, because with
    a whole photograph of background every specificity is 1 and tells nobody apart. Raises DataError as
    `mask_vote`, and UsageError for more masks.
    """
    if len(rles) > _MOST:
        raise UsageError(f"expected at most {_MOST} masks, got {len(rles)}")
    marks = _marks(rles)
    window = _window(marks)
    inside = marks[:, window[0], window[1]].reshape(len(rles), -1).astype(np.int64)
    codes = (inside << np.arange(len(rles))[:, None]).sum(axis=0)
    patterns, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    said = ((patterns[None, :] >> np.arange(len(rles))[:, None]) & 1).astype(np.float64)  # (M, P)
    chance, sensitivity, specificity = _fit(said, counts.astype(np.float64), iterations, tolerance)
    whole = np.zeros(marks.shape[1:], dtype=bool)
    shape = whole[window].shape
    whole[window] = (chance > 0.5)[place].reshape(shape)
    return MaskConsensus(masks.encode(whole[None])[0], sensitivity, specificity)


def _fit(said: Floats, counts: Floats, iterations: int, tolerance: float) -> tuple[Floats, Floats, Floats]:
    """Chance of each pattern (P,) to be inside, and p, q of each person (M,)."""
    total = counts.sum()
    prior = float(np.clip((said @ counts).sum() / max(len(said) * total, 1), 1e-6, 1 - 1e-6))
    p, q = np.full(len(said), 0.99), np.full(len(said), 0.99)
    chance = np.zeros(said.shape[1])
    for _ in range(iterations):
        inside = np.log(prior) + said.T @ np.log(p) + (1 - said).T @ np.log(1 - p)
        outside = np.log(1 - prior) + said.T @ np.log(1 - q) + (1 - said).T @ np.log(q)
        chance = 1 / (1 + np.exp(np.clip(outside - inside, -700, 700)))
        held, left = chance * counts, (1 - chance) * counts
        new_p = np.clip(said @ held / max(held.sum(), 1e-12), 1e-6, 1 - 1e-6)
        new_q = np.clip((1 - said) @ left / max(left.sum(), 1e-12), 1e-6, 1 - 1e-6)
        moved = max(np.abs(new_p - p).max(initial=0), np.abs(new_q - q).max(initial=0))
        p, q = new_p, new_q
        if moved < tolerance:
            break
    return chance, p, q


def _marks(rles: Sequence[Rle]) -> masks.Mask:
    if not rles:
        raise DataError("there is no mask to agree on", rule="mask-count")
    return masks.decode(rles)


def _window(marks: masks.Mask) -> tuple[slice, slice]:
    """The box around all marks with its margin; everything where nothing is marked."""
    any_mark: npt.NDArray[np.bool_] = np.any(marks, axis=0)
    slices = []
    for axis, length in ((1, any_mark.shape[0]), (0, any_mark.shape[1])):
        used = np.flatnonzero(np.any(any_mark, axis=axis))
        if not len(used):
            return slice(0, any_mark.shape[0]), slice(0, any_mark.shape[1])
        margin = max(2, (int(used[-1]) - int(used[0]) + 1) // 4)
        slices.append(slice(max(int(used[0]) - margin, 0), min(int(used[-1]) + 1 + margin, length)))
    return slices[0], slices[1]
