"""One mask of many."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.mask_consensus import mask_vote, staple
from amidst.errors import DataError, UsageError

ROWS, COLUMNS = np.ogrid[:40, :50]


def disc(x: float, y: float, radius: float) -> np.ndarray:
    return np.hypot(COLUMNS - x, ROWS - y) <= radius


def rle(mask: np.ndarray) -> Rle:
    return masks.encode(mask[None])[0]


def test_no_mask_is_refused() -> None:
    for consensus in (mask_vote, staple):
        with pytest.raises(DataError, match="no mask"):
            consensus([])


def test_empty_masks_agree_on_nothing() -> None:
    nothing = rle(np.zeros((4, 5), dtype=bool))
    assert mask_vote([nothing, nothing]) == nothing
    assert staple([nothing, nothing]).mask == nothing


def test_sizes_must_agree_and_shares_be_shares() -> None:
    with pytest.raises(DataError, match="one size"):
        mask_vote([rle(np.ones((2, 3))), rle(np.ones((3, 2)))])
    with pytest.raises(UsageError, match=r"1\.0"):
        mask_vote([rle(np.ones((2, 3)))], 1.0)


def test_votes_by_hand() -> None:
    table = np.array([[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0]], dtype=bool)[:, None]
    shown = [rle(row) for row in table]
    assert masks.decode([mask_vote(shown)])[0].tolist() == [[0, 1, 1, 0]]
    assert masks.decode([mask_vote(shown, 0.7)])[0].tolist() == [[0, 0, 1, 0]]
    assert masks.decode([mask_vote(shown, 0.0)])[0].tolist() == [[1, 1, 1, 0]]


def test_equal_masks_are_their_own_consensus() -> None:
    shape = rle(disc(20, 20, 9))
    found = staple([shape, shape, shape])
    assert found.mask == shape
    assert found.sensitivity.min() > 0.999
    assert found.specificity.min() > 0.999


def test_staple_equals_the_plain_em() -> None:
    """Pixel by pixel in plain loops, on the whole window."""
    rng = np.random.default_rng(3)
    truth = disc(6, 5, 3.5)[:12, :13]
    shown = [truth ^ (rng.random(truth.shape) < noise) for noise in (0.02, 0.1, 0.3)]
    shown = [mask | np.eye(12, 13, dtype=bool) | np.eye(12, 13, dtype=bool)[::-1] for mask in shown]
    found = staple([rle(mask) for mask in shown], iterations=8, tolerance=0.0)
    pixels = [[bool(mask[r, c]) for mask in shown] for r in range(12) for c in range(13)]
    prior = sum(map(sum, pixels)) / (3 * len(pixels))
    p, q = [0.99] * 3, [0.99] * 3
    chance: list[float] = []
    for _ in range(8):
        chance = []
        for marks in pixels:
            inside, outside = prior, 1 - prior
            for k in range(3):
                inside *= p[k] if marks[k] else 1 - p[k]
                outside *= 1 - q[k] if marks[k] else q[k]
            chance.append(inside / (inside + outside))
        p = [sum(c for c, m in zip(chance, pixels, strict=True) if m[k]) / sum(chance) for k in range(3)]
        left = sum(1 - c for c in chance)
        q = [sum(1 - c for c, m in zip(chance, pixels, strict=True) if not m[k]) / left for k in range(3)]
    assert found.sensitivity == pytest.approx(np.clip(p, 1e-6, 1 - 1e-6))
    assert found.specificity == pytest.approx(np.clip(q, 1e-6, 1 - 1e-6))
    expected = np.array(chance).reshape(12, 13) > 0.5
    assert masks.decode([found.mask])[0].astype(bool).tolist() == expected.tolist()


def test_staple_trusts_the_careful() -> None:
    """Two careful outlines and three that are shifted in the same way: a vote follows the three."""
    true = disc(25, 20, 10)
    careful = [disc(25, 20, 10.3), disc(25, 20, 9.7), disc(25.5, 20, 10)]
    sloppy = [disc(33, 20, 10), disc(20, 27, 10)]
    found = staple([rle(mask) for mask in careful + sloppy])
    assert masks.iou([found.mask], [rle(true)])[0, 0] > 0.9
    assert found.sensitivity[:3].min() > found.sensitivity[3:].max()


def test_too_many_masks_are_refused() -> None:
    with pytest.raises(UsageError, match="62"):
        staple([rle(np.ones((2, 2)))] * 63)
