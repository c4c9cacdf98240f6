"""Perceptual hashes: against plain loops, and what changes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from amidst.curation.hamming import bits_apart
from amidst.curation.hashing import (
    WHOLE,
    WINDOWS,
    View,
    dhash,
    grey,
    is_flat,
    phash,
    seen,
    thumbnail,
    turned,
    views,
)


def pictures(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth random pictures (count, 32, 32, 3)."""
    rough = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    rows = np.linspace(0, 5, 32)
    low = np.floor(rows).astype(int).clip(0, 4)
    part = (rows - low)[:, None]
    weights = np.zeros((32, 6))
    weights[np.arange(32), low], weights[np.arange(32), low + 1] = (1 - part)[:, 0], part[:, 0]
    return np.einsum("ij,bjkc,lk->bilc", weights, rough.astype(float), weights).astype(np.uint8)


def plain_phash(luma: npt.NDArray[np.float32]) -> int:
    places = (np.arange(256) + 0.5) / 256
    large = np.kron(luma.astype(np.float64), np.ones((8, 8)))
    values = []
    for v in range(8):
        for u in range(8):
            waves = np.cos(np.pi * v * places)[:, None] * np.cos(np.pi * u * places)[None]
            values.append(float((large * waves).sum()))
    return sum(1 << i for i, value in enumerate(values) if value > np.median(values))


def plain_dhash(luma: npt.NDArray[np.float32]) -> int:
    fine = np.kron(luma.astype(np.float64), np.ones((1, 9)))  # 288 columns: 9 groups of 32
    cells = fine.reshape(8, 4, 9, 32).mean(axis=(1, 3))
    bits = (cells[:, 1:] > cells[:, :-1]).ravel()
    return sum(1 << i for i, bit in enumerate(bits) if bit)


def test_of_no_pictures_there_are_no_hashes() -> None:
    none = grey(np.zeros((0, 32, 32, 3), np.uint8))
    assert phash(none).shape == dhash(none).shape == (0,)
    assert seen(np.zeros((0, 32, 32, 3), np.uint8), WINDOWS[0]).shape == (0, 32, 32, 3)


def test_hashes_equal_plain_loops_up_to_rounding() -> None:
    luma = grey(pictures(20))
    for plain, values in ((plain_phash, phash(luma)), (plain_dhash, dhash(luma))):
        expected = np.array([plain(picture) for picture in luma], dtype=np.uint64)
        assert bits_apart(values, expected).max() <= 1  # a value at the median may fall either way


def test_a_flat_picture_is_known() -> None:
    both = np.stack([np.full((32, 32, 3), 200, np.uint8), pictures(1)[0]])
    assert is_flat(both).tolist() == [True, False]


def test_thumbnail_of_any_size() -> None:
    assert thumbnail(np.full((1, 1, 3), 7, np.uint8)).tolist() == np.full((32, 32, 3), 7).tolist()
    checks = np.kron(np.arange(4, dtype=np.uint8).reshape(2, 2), np.ones((320, 480), np.uint8))
    assert np.unique(thumbnail(np.repeat(checks[:, :, None], 3, axis=2))).tolist() == [0, 1, 2, 3]


def test_a_crop_has_the_hash_of_a_window() -> None:
    whole = pictures(30, seed=1).repeat(10, axis=1).repeat(10, axis=2)  # (30, 320, 320, 3)
    crops = np.stack([thumbnail(picture[26:320, 0:294]) for picture in whole])  # bottom left, 92 %
    thumbnails = np.stack([thumbnail(picture) for picture in whole])
    window = View(0.08, 0.0, 0.92)
    assert window.top == pytest.approx(WINDOWS[6].top)
    for function in (phash, dhash):
        apart = bits_apart(function(grey(crops)), function(grey(thumbnails), window))
        assert apart.mean() < 3
        assert apart.max() <= 8


@pytest.mark.parametrize(
    ("turn", "numpy_turn"),
    [
        ("none", lambda p: p),
        ("mirror", lambda p: p[:, ::-1]),
        ("flip", lambda p: p[::-1]),
        ("half", lambda p: np.rot90(p, 2)),
        ("quarter", lambda p: np.rot90(p, -1)),
        ("three-quarters", lambda p: np.rot90(p, 1)),
        ("mirror-quarter", lambda p: np.transpose(p, (1, 0, 2))),
        ("flip-quarter", lambda p: np.rot90(np.transpose(p, (1, 0, 2)), 2)),
    ],
)
def test_turns(turn: str, numpy_turn: object) -> None:
    picture = pictures(1)
    expected = numpy_turn(picture[0])  # type: ignore[operator]
    assert np.array_equal(turned(picture, View(turn=turn))[0], expected)  # type: ignore[arg-type]


def test_views_start_with_the_whole_and_cover_all_turns() -> None:
    assert views(windows=False) == (WHOLE,)
    assert views() == (WHOLE, *WINDOWS)
    every = views(windows=False, mirrored=True, rotated=True)
    picture = pictures(1)
    distinct = {turned(picture, view).tobytes() for view in every}
    assert len(every) == len(distinct) == 8


def test_windows_reach_the_edges() -> None:
    assert {window.top for window in WINDOWS} == {window.left for window in WINDOWS}
    assert max(window.top + window.side for window in WINDOWS) == pytest.approx(1.0)
