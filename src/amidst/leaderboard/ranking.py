"""The table of a phase: each team's best submission, in order, in the three decimals that everybody sees.

Numbers are rounded before they are compared, so that the order tells nothing that the table does not. Of
equal scores the earlier submission goes first, or all share the place (`BenchmarkConfig.tie`). A frozen table
shows what was sent until then.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from amidst.leaderboard.config import BenchmarkConfig, Kind, PhaseConfig
from amidst.leaderboard.submissions import Submission

DECIMALS = 3
MAIN: dict[Kind, str] = {"bbox": "ap", "segm": "ap", "proposals": "auc", "mask-proposals": "auc"}
"""The number that ranks."""


class Row(msgspec.Struct, frozen=True):
    """A line of the table."""

    rank: int
    team: str
    submission: int
    method: str
    description: str
    link: str
    created_at: int
    numbers: dict[str, float]


class Point(msgspec.Struct, frozen=True):
    """A scored submission in the plot of scores over time."""

    team: str
    created_at: int
    score: float


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """What anybody is shown."""
    return {name: round(value, DECIMALS) for name, value in numbers.items()}


def shown(submissions: Sequence[Submission], config: PhaseConfig) -> list[Submission]:
    """The scored submissions of a phase that its table may use, oldest first."""
    until = config.frozen_at
    scored = [s for s in submissions if s.state == "scored" and (until is None or s.created_at <= until)]
    return sorted(scored, key=lambda s: (s.created_at, s.id))


def table(
    submissions: Sequence[Submission],
    benchmark: BenchmarkConfig,
    phase: PhaseConfig,
    *,
    exact: bool = False,
) -> list[Row]:
    """The lines of the table, best first. exact: with the numbers unrounded, in the same order."""
    main = MAIN[benchmark.kind]
    best: dict[int, tuple[float, Submission]] = {}
    for one in shown(submissions, phase):
        score = rounded(one.numbers)[main]
        if one.team_id not in best or score > best[one.team_id][0]:
            best[one.team_id] = (score, one)
    order = sorted(best.values(), key=lambda item: (-item[0], item[1].created_at, item[1].id))
    rows: list[Row] = []
    for place, (score, one) in enumerate(order, 1):
        shared = benchmark.tie == "shared" and rows and order[place - 2][0] == score
        rows.append(
            Row(
                rows[-1].rank if shared else place,
                one.team,
                one.id,
                one.method,
                one.description,
                one.link,
                one.created_at,
                one.numbers if exact else rounded(one.numbers),
            )
        )
    return rows


def history(submissions: Sequence[Submission], kind: Kind, phase: PhaseConfig) -> list[Point]:
    """Every scored submission, oldest first."""
    main = MAIN[kind]
    return [Point(s.team, s.created_at, rounded(s.numbers)[main]) for s in shown(submissions, phase)]


def to_csv(rows: Sequence[Row]) -> str:
    """The table as CSV. Text that a spreadsheet would take for a formula gets an apostrophe."""
    names = list(rows[0].numbers) if rows else []
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["rank", "team", "submission", "method", "description", "link", "created_at", *names])
    for row in rows:
        words = [_plain(text) for text in (row.team, row.method, row.description, row.link)]
        writer.writerow(
            [row.rank, words[0], row.submission, *words[1:], row.created_at, *map(row.numbers.get, names)]
        )
    return stream.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
