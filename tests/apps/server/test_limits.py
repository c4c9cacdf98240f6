"""Token buckets, against a plain model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amidst.apps.server import limits
from amidst.apps.server.errors import Refusal
from amidst.apps.server.limits import MICRO, Limiter, Rate


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def refused(limiter: Limiter, key: str) -> str:
    """Seconds to wait, or "" when the request was let through."""
    try:
        limiter.take(key)
    except Refusal as refusal:
        return refusal.headers["Retry-After"]
    return ""


def test_an_empty_bucket_is_429() -> None:
    limiter = Limiter(Rate(count=1), Clock())
    limiter.take("ann")
    with pytest.raises(Refusal) as caught:
        limiter.take("ann")
    assert caught.value.status == 429


def test_five_a_minute() -> None:
    clock = Clock()
    limiter = Limiter(Rate(count=5), clock)
    assert [refused(limiter, "ann") for _ in range(6)] == ["", "", "", "", "", "12"]
    assert refused(limiter, "bob") == ""
    clock.now += 11 * MICRO
    assert refused(limiter, "ann") == "1"
    clock.now += 1 * MICRO
    assert [refused(limiter, "ann") for _ in range(2)] == ["", "12"]


def test_waiting_long_gives_no_more_than_a_full_bucket() -> None:
    clock = Clock()
    limiter = Limiter(Rate(count=2), clock)
    clock.now += 10**6 * MICRO
    assert [refused(limiter, "ann") for _ in range(3)] == ["", "", "30"]


@given(st.lists(st.integers(0, 20), max_size=60))
def test_never_more_than_the_rate_in_any_window(steps: list[int]) -> None:
    clock = Clock()
    limiter = Limiter(Rate(count=3, per_s=30.0), clock)
    let_through = []
    for step in steps:
        clock.now += step * MICRO
        if not refused(limiter, "ann"):
            let_through.append(clock.now)
    for start in let_through:  # a full bucket and what drips in during 30 s
        assert sum(start <= at < start + 30 * MICRO for at in let_through) <= 6


def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 100)
    clock = Clock()
    limiter = Limiter(Rate(count=1), clock)
    for asker in range(1000):
        clock.now += 1 * MICRO
        limiter.take(str(asker))
    assert len(limiter._buckets) <= 200


def test_a_clock_set_back_refuses_nobody_for_long() -> None:
    clock = Clock()
    limiter = Limiter(Rate(count=1), clock)
    clock.now = 10**12
    assert refused(limiter, "ann") == ""
    clock.now = 0
    assert refused(limiter, "ann") == "60"
    clock.now = 60 * MICRO
    assert refused(limiter, "ann") == ""
