"""How often one may ask: a token bucket for each kind of request and each asker.

A bucket holds `count` tokens and gains `count` in `per_s` seconds; a request takes one, or is refused with
429 and the seconds until the next. Buckets live in the memory of the process: with n server processes a
limit is n times as wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from amidst.apps.server.errors import Refusal
from amidst.config import Config

Clock = Callable[[], int]
"""UTC microseconds."""
MICRO = 1_000_000
MAX_BUCKETS = 20_000  # before full ones are first thrown away


class Rate(Config, frozen=True):
    """`count` requests in `per_s` seconds."""

    count: int
    per_s: float = 60.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: int


class Limiter:
    """The buckets of one kind of request. Raises Refusal (429) from `take` when one is empty."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: dict[str, _Bucket] = {}
        self._tidy_from = MAX_BUCKETS

    def take(self, key: str) -> None:
        """One token of `key`'s bucket."""
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._tidy(now)
            bucket = self._buckets[key] = _Bucket(float(self._rate.count), now)
        self._fill(bucket, now)
        if bucket.tokens < 1.0 - 1e-9:  # what a sum of waits rounds off is nobody's fault
            missing_s = (1.0 - bucket.tokens) * self._rate.per_s / self._rate.count
            wait_s = str(max(math.ceil(missing_s - 1e-6), 1))
            raise Refusal(429, f"too many requests; try again in {wait_s} s", headers={"Retry-After": wait_s})
        bucket.tokens -= 1.0

    def _fill(self, bucket: _Bucket, now: int) -> None:
        gained = max(now - bucket.filled_at, 0) / MICRO * self._rate.count / self._rate.per_s
        bucket.tokens = min(bucket.tokens + gained, float(self._rate.count))
        bucket.filled_at = now

    def _tidy(self, now: int) -> None:
        """Full buckets say nothing; without them the memory stays bounded by the recent askers."""
        if len(self._buckets) < self._tidy_from:
            return
        for bucket in self._buckets.values():
            self._fill(bucket, now)
        full = float(self._rate.count)
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.tokens < full}
        self._tidy_from = max(MAX_BUCKETS, 2 * len(self._buckets))  # so that tidying is rare whoever asks
