"""Connected components."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.curation.components import components


def test_empty() -> None:
    assert components(0, []).tolist() == []
    assert components(3, []).tolist() == [0, 1, 2]


def test_a_chain_in_any_order() -> None:
    assert components(6, [(4, 3), (1, 4), (5, 5)]).tolist() == [0, 1, 2, 1, 1, 5]


def test_an_index_outside_is_refused() -> None:
    with pytest.raises(IndexError):
        components(2, [(0, 2)])
    with pytest.raises(IndexError):
        components(2, [(-1, 0)])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15))
@settings(deadline=None)
def test_against_repeated_merging(pairs: list[tuple[int, int]]) -> None:
    groups = [{i} for i in range(10)]
    for a, b in pairs:
        joined = next(g for g in groups if a in g) | next(g for g in groups if b in g)
        groups = [g for g in groups if not g & joined] + [joined]
    expected = [min(next(g for g in groups if i in g)) for i in range(10)]
    assert components(10, pairs).tolist() == expected
