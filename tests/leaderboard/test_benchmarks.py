"""amidst.leaderboard.benchmarks: settings that are changed after a benchmark was made, on both databases."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from amidst.errors import UsageError
from amidst.leaderboard import benchmarks
from amidst.leaderboard.benchmarks import Settings
from amidst.leaderboard.config import BenchmarkConfig, UploadLimits
from amidst.leaderboard.schema import submission, worker
from amidst.leaderboard.store import Store

OTHER = BenchmarkConfig(contact="mailto:o@e.org", tie="shared", uploads=UploadLimits(max_per_image=7))


def scored(connection: Any) -> None:
    """A submission that has a score."""
    team = benchmarks.add_team(connection, "A", 0)
    connection.execute(worker.insert().values(id=1, display="Ann", created_at=0))
    row = {
        "phase_id": 1,
        "team_id": team,
        "worker_id": 1,
        "state": "scored",
        "scored_at": 1,
        "state_since": 1,
    }
    connection.execute(submission.insert().values(**row, file_name="r.json", bytes=1, created_at=0))


def test_settings_are_changed(with_board: Any) -> None:
    async def play(store: Store, _: object) -> None:
        before = await store.write(lambda c: benchmarks.change(c, Settings(" New ", "Lines\n\ttwo", OTHER)))
        assert (before.name, before.config) == ("Board", BenchmarkConfig())
        found = await store.read(benchmarks.find)
        assert (found.name, found.description, found.config) == ("New", "Lines\n\ttwo", OTHER)

    with_board(play)


def test_what_scores_depend_on_stays(with_board: Any) -> None:
    async def play(store: Store, _: object) -> None:
        kind = Settings("B", "", BenchmarkConfig(kind="segm"))
        with pytest.raises(UsageError, match="kind stays bbox: the annotations were checked for it"):
            await store.write(lambda c: benchmarks.change(c, kind))
        await store.write(scored)
        with pytest.raises(UsageError, match="tie stays earlier: there are scores"):
            await store.write(lambda c: benchmarks.change(c, Settings("B", "", OTHER)))
        rest = msgspec.structs.replace(OTHER, tie="earlier")
        await store.write(lambda c: benchmarks.change(c, Settings("B", "", rest)))
        assert (await store.read(benchmarks.find)).config == rest

    with_board(play)


@pytest.mark.parametrize(
    ("name", "description", "contact", "problem"),
    [
        ("", "", "", "needs a name"),
        (" ", "", "", "needs a name"),
        ("a\nb", "", "", "needs a name"),
        ("x" * 201, "", "", "needs a name"),
        ("B", "x" * 4001, "", "at most 4000 characters"),
        ("B", "a\x00b", "", "no control characters"),
        ("B", "", "mailto:", "mailto:name@host"),
        ("B", "", "MAILTO:o@e.org?bcc=x@e.org", "mailto:name@host"),
        ("B", "", "mailto:o@e.org,x@e.org", "mailto:name@host"),
        ("B", "", 'mailto:"><script>@e.org', "mailto:name@host"),
    ],
)
def test_senseless_words_are_refused(
    with_board: Any, name: str, description: str, contact: str, problem: str
) -> None:
    async def play(store: Store, _: object) -> None:
        after = Settings(name, description, BenchmarkConfig(contact=contact))
        with pytest.raises(UsageError, match=problem):
            await store.write(lambda c: benchmarks.change(c, after))
        assert (await store.read(benchmarks.find)).name == "Board"

    with_board(play)
