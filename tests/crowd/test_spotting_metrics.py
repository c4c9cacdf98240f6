"""amidst.crowd.spotting_metrics: by hand, and against pairs of workers compared one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from amidst.crowd.spotting_metrics import NEAR, SpottedCell, agreement, new_points


def spotted(*answers: list[tuple[float, float]], diagonal: float = 100.0) -> SpottedCell:
    xy = np.array([point for one in answers for point in one], dtype=np.float64).reshape(-1, 2)
    by = np.repeat(np.arange(len(answers)), [len(one) for one in answers])
    return SpottedCell(xy=xy, by=by, answers=len(answers), diagonal=diagonal)


def test_nobody_has_spotted_or_seen_anything() -> None:
    assert agreement([]) is None
    assert new_points([]) == ()
    assert agreement([spotted([(5, 5)])]) is None  # nobody to agree with
    assert agreement([spotted([], [])]) is None
    assert new_points([spotted([], [])]) == (0.0, 0.0)


def test_by_hand() -> None:
    """Points within 2 pixels. The second worker finds the first's object at (10, 10) and one more; the third
    puts two crosses beside (10, 10), of which one is a partner of each other worker's.
    """
    cell = spotted([(10, 10)], [(11, 10), (50, 50)], [(10, 11), (10, 11.5)])
    # pairs: 1-2 one match of 1 + 2 points, 1-3 one of 1 + 2, 2-3 one of 2 + 2
    assert agreement([cell]) == pytest.approx(2 * (1 + 1 + 1) / (3 + 3 + 4))
    assert new_points([cell]) == (1.0, 1.0, 0.0)
    two = spotted([(10, 10)], [(90, 90)])
    assert agreement([two]) == 0.0
    assert agreement([cell, two]) == pytest.approx(6 / 12)
    assert new_points([cell, two]) == (1.0, 1.0, 0.0)
    assert new_points([spotted([], [(3, 3)]), two]) == (0.5, 1.0)


def test_near_is_two_percent_of_the_diagonal() -> None:
    assert NEAR == 0.02
    for apart, expected in ((2.0, 1.0), (2.01, 0.0)):
        assert agreement([spotted([(10, 10)], [(10 + apart, 10)])]) == expected
    assert agreement([spotted([(10, 10)], [(14, 10)], diagonal=200.0)]) == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_as_pairs_compared_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers = [rng.uniform(0, 15, (int(rng.integers(0, 6)), 2)) for _ in range(int(rng.integers(2, 9)))]
    matched = total = 0
    for a, b in combinations(answers, 2):
        total += len(a) + len(b)
        if len(a) and len(b):
            apart = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
            for i, j in enumerate(apart.argmin(axis=1)):
                matched += 2 * bool(apart[:, j].argmin() == i and apart[i, j] <= 2)
    found = agreement([spotted(*([tuple(xy) for xy in one] for one in answers))])
    assert found == (matched / total if total else None)
