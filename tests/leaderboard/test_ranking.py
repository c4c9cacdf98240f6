"""amidst.leaderboard.ranking: order, ties, freezing, rounding, CSV."""

from __future__ import annotations

import csv
import io

from amidst.leaderboard.config import BenchmarkConfig, PhaseConfig
from amidst.leaderboard.ranking import history, table, to_csv
from amidst.leaderboard.submissions import Submission

CONFIG, PHASE = BenchmarkConfig(), PhaseConfig()


def made(
    key: int, team: str, ap: float, at: int | None = None, state: str = "scored", method: str = ""
) -> Submission:
    when = key if at is None else at
    return Submission(
        key,
        "dev",
        1,
        team,
        ord(team),
        1,
        state,
        "",
        0,
        "r.json",
        1,
        "",
        method,
        "",
        "",
        1,
        1,
        when,
        when,
        {"ap": ap},
    )  # type: ignore[arg-type]


def places(
    rows: list[Submission], config: BenchmarkConfig = CONFIG, phase: PhaseConfig = PHASE
) -> list[tuple[int, str, int]]:
    return [(row.rank, row.team, row.submission) for row in table(rows, config, phase)]


def test_no_submission() -> None:
    assert table([], CONFIG, PHASE) == []
    assert to_csv([]).startswith("rank,team,submission")
    assert history([made(1, "A", 0.5, state="withdrawn")], "bbox", PHASE) == []


def test_a_team_stands_with_its_best_and_of_equals_with_the_earlier() -> None:
    sent = [
        made(1, "A", 0.3),
        made(2, "A", 0.5),
        made(3, "A", 0.5),
        made(4, "B", 0.4),
        made(5, "C", 0.9, state="withdrawn"),
    ]
    assert places(sent) == [(1, "A", 2), (2, "B", 4)]


def test_equal_in_three_decimals_is_equal() -> None:
    sent = [made(1, "A", 0.50012), made(2, "B", 0.50049), made(3, "C", 0.1)]
    assert places(sent) == [(1, "A", 1), (2, "B", 2), (3, "C", 3)]
    assert places(sent, BenchmarkConfig(tie="shared")) == [(1, "A", 1), (1, "B", 2), (3, "C", 3)]
    assert [row.numbers["ap"] for row in table(sent, CONFIG, PHASE)] == [0.5, 0.5, 0.1]


def test_a_frozen_table_shows_what_was_sent_until_then() -> None:
    sent = [made(1, "A", 0.3, at=10), made(2, "A", 0.9, at=11)]
    assert places(sent, phase=PhaseConfig(frozen_at=10)) == [(1, "A", 1)]
    assert [point.score for point in history(sent, "bbox", PhaseConfig(frozen_at=10))] == [0.3]


def test_a_spreadsheet_sees_no_formula() -> None:
    text = to_csv(table([made(1, "A", 0.3, method='=HYPERLINK("x")')], CONFIG, PHASE))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["method"], row["ap"]) == ('\'=HYPERLINK("x")', "0.3")


def test_exact_numbers_stand_in_the_same_order() -> None:
    sent = [made(1, "A", 0.50012), made(2, "B", 0.50049), made(3, "C", 0.1)]
    for tie, ranks in (("earlier", [1, 2, 3]), ("shared", [1, 1, 3])):
        rows = table(sent, BenchmarkConfig(tie=tie), PHASE, exact=True)  # type: ignore[arg-type]
        assert [row.rank for row in rows] == ranks
        assert [(row.team, row.numbers["ap"]) for row in rows] == [("A", 0.50012), ("B", 0.50049), ("C", 0.1)]
