"""Near pairs of hashes against all pairs compared one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.curation import hamming
from amidst.curation.hamming import bits_apart, near_pairs

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=20)


def as_hashes(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def plain(queries: list[int], table: list[int], limit: int) -> list[list[int]]:
    return [
        [i, j] for i, a in enumerate(queries) for j, b in enumerate(table) if (a ^ b).bit_count() <= limit
    ]


def test_nothing_is_near_nothing() -> None:
    none, one = as_hashes([]), as_hashes([5])
    for a, b in ((none, none), (none, one), (one, none)):
        assert near_pairs(a, b, 10).shape == (0, 2)


def test_a_limit_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        near_pairs(as_hashes([1]), as_hashes([1]), -1)


@given(HASHES, HASHES, st.integers(0, 63))
@settings(max_examples=50, deadline=None)
def test_few_hashes(a: list[int], b: list[int], limit: int) -> None:
    assert near_pairs(as_hashes(a), as_hashes(b), limit).tolist() == plain(a, b, limit)


@pytest.mark.parametrize("limit", [0, 3, 4, 10])
@pytest.mark.parametrize("chunk", [1 << 20, 100])
def test_many_hashes_by_bands(limit: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up by bands finds what comparing all with all finds, however it is cut into chunks."""
    rng = np.random.default_rng(limit)
    a = rng.integers(0, 2**64, 400, dtype=np.uint64)
    a[:40] = a[40]  # a crowded bucket
    b = a.copy()
    for _ in range(12):
        flip = np.uint64(1) << rng.integers(0, 64, len(b), dtype=np.uint64)
        b = np.where(rng.random(len(b)) < 0.7, b ^ flip, b)
    expected = near_pairs(a, b, limit)
    assert len(expected) or limit == 0
    monkeypatch.setattr(hamming, "_SMALL", 0)
    monkeypatch.setattr(hamming, "_CHUNK", chunk)
    if chunk == 100:
        a = a[:60]
        expected = expected[expected[:, 0] < 60]
    assert near_pairs(a, b, limit).tolist() == expected.tolist()


def test_bits_apart() -> None:
    assert bits_apart(as_hashes([0, 3, 2**64 - 1]), as_hashes([0, 5, 0])).tolist() == [0, 2, 64]
