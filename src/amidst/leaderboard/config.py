"""The settings of a benchmark and of its phases, each default written once.

Times are UTC microseconds; None: no limit. What limits mean, in words: docs/leaderboard.md.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

from amidst.config import Config

Kind = Literal["bbox", "segm", "proposals", "mask-proposals"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Visibility = Literal["nobody", "owner", "all"]
"""Who sees scores besides the organisers: nobody, the team that made the submission, everybody."""
Tie = Literal["earlier", "shared"]

MICRO = 1_000_000
SECOND_DAY = 24 * 3600

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=366 * SECOND_DAY)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799 * MICRO)]  # to the end of the year 9999
Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**42)]


class UploadLimits(Config, frozen=True):
    """What a submission may be, by the limits of the time when it begins to come.

    max_bytes: as sent; max_unpacked and max_ratio: of a zip archive. max_per_image: records of one image; of
    those of one category COCO's metric counts the best 100.
    """

    max_bytes: Bytes = 4 * 2**30
    max_unpacked: Bytes = 8 * 2**30
    max_ratio: Count = 200
    max_per_image: Count = 1000


ANY_SIZE = UploadLimits(max_bytes=2**42, max_unpacked=2**42, max_ratio=1_000_000, max_per_image=1_000_000)
"""What a scorer goes by: a file that was taken once is scored, also where the limits are lower now."""


class TimeLimits(Config, frozen=True):
    """Seconds that a submission may stay in each state; the watchdog looks every `watch`.

    lease: a scorer that was not heard of for so long is dead. retries: of a submission whose scorer died.
    """

    received: Seconds = 3600
    checking: Seconds = 6 * 3600
    queued: Seconds = SECOND_DAY
    running: Seconds = 3600
    lease: Seconds = 30
    watch: Seconds = 2
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2


class BenchmarkConfig(Config, frozen=True):
    """A benchmark. tie: of equal scores the earlier submission goes first, or both share the place.

    keep_uploads: of scored submissions; those that were not scored are always removed. near_equal: the share
    of equal detections from which two submissions are noted as nearly the same. contact: whom to ask, in
    words or as mailto:name@host; pages that let nobody in show it.
    """

    kind: Kind = "bbox"
    tie: Tie = "earlier"
    contact: Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    keep_uploads: bool = True
    near_equal: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    uploads: UploadLimits = UploadLimits()
    times: TimeLimits = TimeLimits()


class PhaseConfig(Config, frozen=True):
    """A phase as its organisers set it. frozen_at: the table shows what was sent until then.

    per_day (from midnight UTC) and total: submissions of one team; failed ones do not count.
    """

    opens_at: Moment | None = None
    closes_at: Moment | None = None
    frozen_at: Moment | None = None
    per_day: Count = 5
    total: Count = 100
    visibility: Visibility = "all"
    description: Annotated[str, msgspec.Meta(max_length=4000, pattern=r"^[^\x00]*$")] = ""
