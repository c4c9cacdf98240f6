"""amidst.leaderboard.search: what is found, in pages, on both databases; a benchmark of the first schema."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from amidst.leaderboard import benchmarks
from amidst.leaderboard.migrations import HEAD
from amidst.leaderboard.schema import metadata, submission, worker
from amidst.leaderboard.search import Wanted, search
from amidst.leaderboard.store import SCHEMA, Store, open_store
from amidst.store.opening import Schema, open_database

STATES = ("scored", "failed", "queued")
METHODS = ("RetinaNet R50", "100 %", "a_b", "axb", "")


def fill(connection: Connection) -> None:
    """Submissions 1 to 30: teams in turn, states in turn, methods in turn."""
    connection.execute(worker.insert().values(id=1, display="Ann", created_at=0))
    teams = [benchmarks.add_team(connection, name, 0) for name in ("Red", "Green", "<b>Red</b> Two")]
    row = {
        "phase_id": 1,
        "worker_id": 1,
        "file_name": "r.json",
        "bytes": 1,
        "state_since": 0,
        "created_at": 0,
    }
    rows = [
        {**row, "team_id": teams[k % 3], "state": STATES[k // 3 % 3], "method": METHODS[k % 5]}
        for k in range(30)
    ]
    connection.execute(submission.insert(), rows)


def test_words_and_states_find_what_has_all_of_them(with_board: Any) -> None:
    async def play(store: Store, _: object) -> None:
        async def found(team_id: int | None = None, **wanted: Any) -> list[Any]:
            return await store.read(lambda c: search(c, Wanted(**wanted), team_id))

        assert await found() == []
        await store.write(fill)
        assert [one.id for one in await found()] == list(range(30, 0, -1))
        assert {one.team for one in await found(team="red")} == {"Red", "<b>Red</b> Two"}
        assert {one.method for one in await found(method="RETINA")} == {"RetinaNet R50"}
        assert {one.method for one in await found(method="%")} == {"100 %"}  # no pattern
        assert {one.method for one in await found(method="a_b")} == {"a_b"}
        both = await found(team="Green", state="scored")
        assert both
        assert {(one.team, one.state) for one in both} == {("Green", "scored")}
        assert await found(team="' OR 1=1 --") == await found(method="x" * 100) == []
        waiting = await found(state="queued")
        assert [one.ahead for one in waiting] == list(range(len(waiting) - 1, -1, -1))
        own = await found(2, method="b")
        assert own
        assert {one.team_id for one in own} == {2}
        assert await found(99) == []

    with_board(play)


def test_pages_are_the_whole_once(with_board: Any) -> None:
    async def play(store: Store, _: object) -> None:
        await store.write(fill)
        seen: list[int] = []
        for _ in range(6):
            wanted = Wanted(team="e", limit=7, before=seen[-1] if seen else None)
            page = await store.read(partial(search, wanted=wanted))
            assert len(page) <= 7
            seen += [one.id for one in page]
        assert seen == list(range(30, 0, -1))

    with_board(play)


def test_a_page_is_read_from_the_narrow_index(with_board: Any) -> None:
    async def play(store: Store, _: object) -> None:
        plan = "EXPLAIN QUERY PLAN SELECT id FROM submission WHERE lower(method) LIKE '%x%' ORDER BY id DESC"
        if store.__class__.__name__ == "SqliteStore":
            told = await store.read(lambda c: [row[-1] for row in c.execute(text(plan))])
            assert any("COVERING INDEX ix_submission_search" in line for line in told), told

    with_board(play)


def test_a_benchmark_of_the_first_schema_goes_on(place: str) -> None:
    first = Schema("benchmark", "amidst leaderboard", SCHEMA.migrations, "0001")

    def old(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO phase (id, name, share, images, config_json) VALUES (1,'p',1,1,'{}')")
        )
        fill(connection)

    def differences(connection: Connection) -> tuple[list[Any], str | None]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        return compare_metadata(context, metadata), context.get_current_revision()

    async def main() -> None:
        store = await open_database(place, first, create=True)
        await store.write(old)
        await store.close()
        store = await open_store(place)
        try:
            assert await store.read(differences) == ([], HEAD)
            assert len(await store.read(lambda c: search(c, Wanted(team="Green")))) == 10
        finally:
            await store.close()

    asyncio.run(main())
