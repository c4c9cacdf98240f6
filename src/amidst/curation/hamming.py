"""Pairs of 64-bit hashes that differ in few bits, exactly and without comparing all with all.

Two hashes that differ in at most r bits differ in at most r // 4 bits in at least one of four 16-bit bands.
So each band of the table is sorted, and each query looks up its band with every choice of up to r // 4 bits
flipped: for r = 10 that is 137 look-ups a band instead of N comparisons (multi-index hashing; Norouzi,
Punjani and Fleet, "Fast search in Hamming space", CVPR 2012). Memory is bounded by `_CHUNK` comparisons
at a time.

Legend: Q queries, T table entries, P pairs found.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

_BANDS = 4
_BAND_BITS = 16
_SMALL = 2_000  # below this many hashes, comparing all with all is faster
_CHUNK = 1 << 20


def near_pairs(queries: Hashes, table: Hashes, limit: int) -> Ints:
    """(P, 2): every (query index, table index) whose hashes differ in at most `limit` bits, in order."""
    if not 0 <= limit < 64:
        raise ValueError(f"a limit of 0..63 bits was expected, not {limit}")
    if len(queries) * len(table) <= _SMALL**2:
        codes = _all_with_all(queries, table, limit)
    else:
        codes = np.unique(np.concatenate([_by_band(queries, table, limit, band) for band in range(_BANDS)]))
    return np.stack(np.divmod(codes, max(len(table), 1)), axis=1)


def bits_apart(a: Hashes, b: Hashes) -> npt.NDArray[np.uint8]:
    """Number of bits in which corresponding hashes differ."""
    bits: npt.NDArray[np.uint8] = np.bitwise_count(a ^ b)
    return bits


def _all_with_all(queries: Hashes, table: Hashes, limit: int) -> Ints:
    found = [np.zeros(0, dtype=np.int64)]
    step = max(_CHUNK // max(len(table), 1), 1)
    for start in range(0, len(queries), step):
        near = bits_apart(queries[start : start + step, None], table[None]) <= limit
        found.append(np.flatnonzero(near) + start * len(table))
    return np.concatenate(found)


def _by_band(queries: Hashes, table: Hashes, limit: int, band: int) -> Ints:
    """Codes query * T + entry of the pairs whose `band` differs in at most limit // 4 bits."""
    shift, low = np.uint64(band * _BAND_BITS), np.uint64((1 << _BAND_BITS) - 1)
    order = np.argsort((table >> shift) & low, kind="stable")
    entries = table[order]
    starts = np.searchsorted((entries >> shift) & low, np.arange((1 << _BAND_BITS) + 1, dtype=np.uint64))
    # Queries in order of their band too: their look-ups then walk through the table instead of jumping in it.
    query_order = np.argsort((queries >> shift) & low, kind="stable")
    ordered = queries[query_order]
    keys = ((ordered >> shift) & low).astype(np.int64)
    found = [np.zeros(0, dtype=np.int64)]
    for flipped in _flips(limit // _BANDS):
        bucket = keys ^ flipped
        for rows, places in _looked_up(starts[bucket], starts[bucket + 1] - starts[bucket]):
            hits = np.flatnonzero(bits_apart(ordered[rows], entries[places]) <= limit)
            found.append(query_order[rows[hits]] * len(table) + order[places[hits]])
    return np.concatenate(found)


def _looked_up(first: Ints, count: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Query rows and table places to compare: row i with first[i] .. first[i] + count[i]."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    for chunk in range(0, total, _CHUNK):
        stop = min(chunk + _CHUNK, total)
        a, b = np.searchsorted(ends, (chunk, stop - 1), side="right")
        part = count[a : b + 1].copy()
        part[0] = ends[a] - chunk  # a row may be cut by the chunk's ends
        skipped = count[a] - part[0]
        part[-1] -= ends[b] - stop
        begun = np.cumsum(part) - part
        offset = first[a : b + 1] - begun
        offset[0] += skipped
        places = np.arange(stop - chunk) + np.repeat(offset, part)
        yield np.repeat(np.arange(a, b + 1), part), places


def _flips(most: int) -> Iterator[int]:
    """Every 16-bit number with at most `most` bits set."""
    for number in range(most + 1):
        for bits in combinations(range(_BAND_BITS), number):
            yield sum(1 << bit for bit in bits)
