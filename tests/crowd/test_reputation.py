"""Trust in workers: gold, discarded masks, speed, votes."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from amidst.crowd.reputation import (
    QualityConfig,
    beta_quantiles,
    gold_share,
    propose_voiding,
    reputation,
    speed_flags,
    speed_floor,
    vote_outcomes,
    wilson_bounds,
)
from amidst.errors import UsageError


def test_a_stranger_has_the_prior_and_most_gold() -> None:
    found = reputation([])
    assert (found.mean, found.fall, found.changed) == (0.5, None, False)
    assert (found.low, found.high) == pytest.approx((0.025, 0.975), abs=1e-3)
    assert found.gold_share == pytest.approx(0.10)


def test_the_posterior_by_hand() -> None:
    found = reputation([True] * 8 + [False] * 2)
    assert found.mean == pytest.approx(9 / 12)  # Beta(1 + 8, 1 + 2)
    assert found.low < 9 / 12 < found.high


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 30), (50, 1), (2, 3), (400, 12)])
def test_beta_quantiles_equal_the_binomial_tail(a: int, b: int) -> None:
    """For whole parameters P(X <= x) of Beta(a, b) is P(Binomial(a + b - 1, x) >= a)."""
    n = a + b - 1
    for share, x in zip((0.025, 0.5, 0.975), beta_quantiles(a, b, (0.025, 0.5, 0.975)), strict=True):
        tail = sum(comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
        assert tail == pytest.approx(share, abs=2e-3)
    with pytest.raises(UsageError, match="positive"):
        beta_quantiles(0, b, (0.5,))


def test_gold_falls_with_evidence_but_never_to_nothing() -> None:
    shares = [gold_share(right, 0) for right in (0, 5, 20, 100, 10_000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.10)
    assert 0.02 < shares[-1] < 0.021
    assert gold_share(50, 50) > gold_share(100, 0)  # who is half right is harder to know


def test_a_sudden_change_is_seen_and_a_steady_worker_left_alone() -> None:
    good = [True] * 19 + [False]
    steady, fallen = reputation(good * 7), reputation(good * 5 + [True, False] * 25)
    assert steady.fall is not None
    assert steady.fall > 0.3
    assert not steady.changed
    assert fallen.changed
    assert reputation([True] * 69).fall is None  # 19 before the window: too little to compare with


def test_the_chance_of_a_fall_is_the_beta_binomial() -> None:
    """With all of 20 right before, Beta(21, 1): P(n - k or fewer of n right) has a closed form."""
    config = QualityConfig(window=5, window_before=20)
    found = reputation([True] * 20 + [False] * 5, config)
    # P(0 of 5 right) = product over j of (1 + j) / (22 + j), j = 0..4.
    expected = np.prod([(1 + j) / (22 + j) for j in range(5)])
    assert found.fall == pytest.approx(expected)


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(0)
    changed = [reputation((rng.random(150) < 0.9).tolist()).changed for _ in range(400)]
    assert np.mean(changed) <= 0.01


def test_wilson_bounds_by_hand() -> None:
    low, high = wilson_bounds([0, 5, 10], [0, 10, 10], z=2.0)
    assert (low[0], high[0]) == (0.0, 1.0)
    # z = 2, n = 10, share 1/2: middle 1/2, half = (2 / 1.4) sqrt(.025 + .01).
    assert high[1] - 0.5 == pytest.approx(2 / 1.4 * np.sqrt(0.035))
    assert low[2] == pytest.approx(10 / 14)
    assert high[2] == 1.0


def test_only_those_who_are_surely_poor_are_proposed() -> None:
    drawers = [1] * 19 + [2] * 40 + [3] * 40 + [4] * 40
    discarded = (
        [True] * 19 + [True] * 22 + [False] * 18 + [True] * 24 + [False] * 16 + [True] * 30 + [False] * 10
    )
    proposals = propose_voiding(drawers, discarded)
    # 19 masks are too few; 22 of 40 has a lower bound of .398, 24 of 40 of .446, 30 of 40 of .598.
    assert [(p.worker, p.decided, p.discarded) for p in proposals] == [(4, 40, 30), (3, 40, 24)]
    assert proposals[1].low == pytest.approx(0.446, abs=1e-3)
    assert propose_voiding([], []) == ()


def test_speed_floor_and_flags() -> None:
    assert speed_floor([]) == 0.0
    floor = speed_floor([30.0] * 100)
    assert floor == pytest.approx(10.0)
    flags = speed_flags([1, 1, 1, 2, 3], [9.0, 20.0, 8.0, 10.0, 1.0], floor)
    assert [(f.worker, f.answers, f.too_fast, f.median_s) for f in flags] == [(1, 3, 2, 9.0), (3, 1, 1, 1.0)]
    assert speed_flags([1], [0.0], 0.0) == ()


def test_records_are_ready_for_json() -> None:
    assert reputation([True]).to_builtins()["right"] == 1
    assert propose_voiding([1] * 20, [True] * 20)[0].to_builtins()["discarded"] == 20


def test_the_vote_table_of_the_specification() -> None:
    table = vote_outcomes([0.95, 0.9, 0.8, 0.7, 0.5, 0.3])
    expected = [
        [0.980, 3.29, 3.26],
        [0.926, 3.54, 3.45],
        [0.758, 3.98, 3.65],
        [0.559, 4.31, 3.66],
        [0.219, 4.75, 3.31],
        [0.044, 4.95, 2.76],
    ]
    assert np.abs(table - expected).max() < 0.0051
    assert vote_outcomes([]).shape == (0, 3)


def test_votes_drawn_one_by_one_agree_with_the_formula() -> None:
    rng = np.random.default_rng(0)
    for q in (0.3, 0.7, 0.9):
        votes = rng.random((20_000, 5)) < q
        bad = (~votes).cumsum(axis=1)
        accepted = (bad[:, 2] == 0) | (bad[:, 4] <= 1)
        thesis = np.where(bad[:, 2] == 0, 3, 5)
        early = np.where(bad[:, 2] == 0, 3, np.where(bad[:, 4] >= 2, (bad < 2).sum(axis=1) + 1, 5))
        measured = [accepted.mean(), thesis.mean(), early.mean()]
        assert measured == pytest.approx(vote_outcomes([q])[0], abs=0.02)
