"""amidst.leaderboard.submissions on both databases: states, limits, leases, the watchdog."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select

from amidst.errors import DataError, UnknownRecord, UsageError
from amidst.leaderboard import benchmarks, submissions
from amidst.leaderboard.config import MICRO, PhaseConfig, TimeLimits
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.schema import metadata, submission, transition, worker
from amidst.leaderboard.states import FOLLOWS, OPEN, STATES, may_follow
from amidst.leaderboard.store import Store
from amidst.leaderboard.submissions import DAY, Method, Refused, Submission

Play = Any
NUMBERS = {"ap": 0.5}


async def begin(store: Store) -> tuple[int, int]:
    """A team with one member."""

    def work(connection: Connection) -> tuple[int, int]:
        key = connection.execute(worker.insert().values(display="Ann", created_at=0)).inserted_primary_key
        return benchmarks.add_team(connection, "A", 0), int((key or (0,))[0])

    return await store.write(work)


async def announce(
    store: Store, who: tuple[int, int], sha: str = "", now: int = 10, phase: str = "dev", config: Any = None
) -> int:
    def work(connection: Connection) -> int:
        found = benchmarks.find_phase(connection, phase)
        return submissions.announce(
            connection,
            found.id,
            phase,
            config or found.config,
            team_id=who[0],
            worker_id=who[1],
            file_name="r.json",
            size=10,
            sha256=sha,
            about=Method(),
            now=now,
        )[0]

    return await store.write(work)


async def queue(store: Store, who: tuple[int, int], sha: str, now: int = 10) -> int:
    key = await announce(store, who, sha, now)
    await store.write(lambda c: submissions.begin(c, key, now))
    assert await store.write(lambda c: submissions.complete(c, key, sha, 3, now)) == key
    return key


async def state(store: Store, key: int) -> str:
    return (await store.read(lambda c: submissions.find(c, key))).state


def test_places_in_the_queue_alone_and_in_lists(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who = await begin(store)
        first, second, third = [await queue(store, who, sha) for sha in "abc"]
        open_one = await announce(store, who)
        for expected in ({first: 0, second: 1, third: 2}, {first: None, second: 0, third: 1}):
            wanted = {**expected, open_one: None}
            alone = {key: (await store.read(lambda c, k=key: submissions.find(c, k))).ahead for key in wanted}  # type: ignore[misc]
            listed = {one.id: one.ahead for one in await store.read(submissions.listed)}
            assert alone == listed == wanted
            await store.write(lambda c: submissions.claim(c, TimeLimits(), 20))

    with_board(play)


def test_the_migrated_schema_is_the_declared_one(with_board: Play) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        return compare_metadata(context, metadata)

    async def play(store: Store, folder: Folder) -> None:
        assert await store.read(differences) == []

    with_board(play)


def test_every_state_ends_and_no_end_goes_on() -> None:
    assert set(FOLLOWS) == set(STATES)
    for before, after in itertools.product(STATES, STATES):
        if may_follow(before, after):
            assert before in OPEN or (before, after) == ("scored", "withdrawn")
    assert all({"failed", "timed_out", "withdrawn"} <= FOLLOWS[one] for one in OPEN)


def test_from_announced_to_scored(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who, times = await begin(store), TimeLimits()
        assert await store.write(lambda c: submissions.claim(c, times, 0)) is None
        first, second = await queue(store, who, "a" * 64), await queue(store, who, "b" * 64)
        assert (await store.read(lambda c: submissions.find(c, second))).ahead == 1
        job = await store.write(lambda c: submissions.claim(c, times, 20))
        assert job is not None
        assert (job.submission, job.phase) == (first, "dev")
        assert await store.write(lambda c: submissions.heartbeat(c, job, times, 21))
        assert await store.write(lambda c: submissions.score(c, job, NUMBERS, [1], 22))
        assert not await store.write(lambda c: submissions.score(c, job, {"ap": 0.9}, [1], 23))
        assert not await store.write(lambda c: submissions.heartbeat(c, job, times, 24))
        found = await store.read(lambda c: submissions.find(c, first, who[0]))
        assert (found.state, found.numbers, found.scored_at, found.attempts) == ("scored", NUMBERS, 22, 1)
        steps = (
            select(transition.c.after).where(transition.c.submission_id == first).order_by(transition.c.id)
        )
        assert await store.read(lambda c: list(c.scalars(steps))) == [
            "received",
            "checking",
            "queued",
            "running",
            "scored",
        ]
        with pytest.raises(Refused, match="cannot become queued"):
            await store.write(lambda c: submissions.move(c, first, "queued", 30))
        with pytest.raises(UnknownRecord, match="no submission 1 of yours"):
            await store.read(lambda c: submissions.find(c, first, who[0] + 1))

    with_board(play)


def test_the_same_content_is_one_submission(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who = await begin(store)
        key = await announce(store, who, "a" * 64)
        assert await announce(store, who, "a" * 64) == key
        assert await announce(store, who, "a" * 64, phase="final") != key
        other = (await store.write(lambda c: benchmarks.add_team(c, "B", 0)), who[1])
        assert await announce(store, other, "a" * 64) != key
        unknown = await announce(store, who)
        await store.write(lambda c: submissions.begin(c, unknown, 11))
        assert await store.write(lambda c: submissions.complete(c, unknown, "a" * 64, 1, 12)) == key
        assert await state(store, unknown) == "withdrawn"
        await store.write(lambda c: submissions.move(c, key, "failed", 13, "x"))
        assert await announce(store, who, "a" * 64) not in (key, unknown)

    with_board(play)


def test_many_at_once_make_one_submission_and_keep_the_limits(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who = await begin(store)
        keys = await asyncio.gather(*(announce(store, who, "a" * 64) for _ in range(20)))
        assert len(set(keys)) == 1
        sent = [announce(store, who, f"{i:064x}") for i in range(20)]
        done = await asyncio.gather(*sent, return_exceptions=True)
        assert sum(isinstance(one, int) for one in done) == 4
        assert {type(one) for one in done} == {int, Refused}

    with_board(play)


def test_limits_by_day_and_in_all_and_what_does_not_count(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who, config = await begin(store), PhaseConfig(per_day=2, total=3)
        keys = [await announce(store, who, f"{i:064x}", config=config) for i in range(2)]
        with pytest.raises(Refused, match="2 of 2 submissions of today are used in 'dev'; the next day"):
            await announce(store, who, "f" * 64, config=config)
        await store.write(lambda c: submissions.move(c, keys[0], "failed", 11, "wrong"))
        keys.append(await announce(store, who, "e" * 64, config=config))
        await store.write(lambda c: submissions.move(c, keys[1], "withdrawn", 11))
        await announce(store, who, "d" * 64, config=config)
        await announce(store, who, "c" * 64, now=DAY, config=config)
        with pytest.raises(Refused, match="all 3 submissions"):
            await announce(store, who, "b" * 64, now=2 * DAY, config=config)

    with_board(play)


def test_a_scored_submission_that_is_withdrawn_still_counts(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who, times = await begin(store), TimeLimits()
        key = await queue(store, who, "a" * 64)
        job = await store.write(lambda c: submissions.claim(c, times, 11))
        assert job is not None
        await store.write(lambda c: submissions.score(c, job, NUMBERS, [], 12))
        await store.write(lambda c: submissions.move(c, key, "withdrawn", 13))
        assert await store.read(lambda c: submissions.counted(c, who[0], 1, 14)) == (1, 1)

    with_board(play)


def test_phases_open_and_close(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who, config = await begin(store), PhaseConfig(opens_at=10, closes_at=20)
        for now, message in ((9, "not open yet"), (20, "is closed")):
            with pytest.raises(Refused, match=message):
                await announce(store, who, now=now, config=config)
        assert await announce(store, who, now=10, config=config) == 1
        with pytest.raises(UnknownRecord, match="no phase 'x'; there are: dev, final"):
            await announce(store, who, phase="x")
        with pytest.raises(UsageError, match="closes after it has opened"):
            await store.write(lambda c: benchmarks.set_phase(c, 1, PhaseConfig(opens_at=5, closes_at=5)))

    with_board(play)


def test_a_dead_scorer_gives_back_twice_and_late_results_are_dropped(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who, times = await begin(store), TimeLimits(lease=1)
        key, now = await queue(store, who, "a" * 64), 10
        old = await store.write(lambda c: submissions.claim(c, times, now))
        assert old is not None
        assert await store.write(lambda c: submissions.sweep(c, times, now + MICRO - 1)) == []
        assert await store.write(lambda c: submissions.sweep(c, times, now + MICRO)) == [(key, "queued")]
        assert not await store.write(lambda c: submissions.score(c, old, NUMBERS, [], now + MICRO))

        def die(connection: Connection) -> str | None:
            job = submissions.claim(connection, times, now)
            assert job is not None
            return submissions.give_back(connection, job, times, now)

        assert [await store.write(die), await store.write(die)] == ["queued", "failed"]
        found = await store.read(lambda c: submissions.find(c, key))
        assert (found.state, found.reason, found.attempts) == ("failed", "the scorer died 3 times", 3)
        assert await store.read(lambda c: submissions.counted(c, who[0], 1, now)) == (0, 0)

    with_board(play)


def test_nothing_stays_longer_than_its_limit(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        who = await begin(store)
        times = TimeLimits(received=1, checking=2, queued=3, running=4, lease=100)
        announced = await announce(store, who, "a" * 64, 0)
        checking = await announce(store, who, "b" * 64, 0)
        await store.write(lambda c: submissions.begin(c, checking, 0))
        running, queued = await queue(store, who, "c" * 64, 0), await queue(store, who, "d" * 64, 0)
        await store.write(lambda c: submissions.claim(c, times, 0))
        ended = [await store.write(lambda c, s=s: submissions.sweep(c, times, s * MICRO)) for s in range(6)]
        assert ended[0] == [] == ended[5]
        assert ended[1:5] == [
            [(announced, "failed")],
            [(checking, "failed")],
            [(queued, "timed_out")],
            [(running, "timed_out")],
        ]
        left = select(submission.c.id).where(submission.c.state.in_(OPEN))
        assert await store.read(lambda c: c.execute(left).all()) == []

    with_board(play)


@pytest.mark.parametrize("sha256", ["", "0" * 64])
def test_a_file_is_sent_before_the_end_or_fixed_by_its_hash_before_it(with_board: Play, sha256: str) -> None:
    """Announced at 5, complete at 20, in a phase that closes at 10 or is frozen then."""

    def sent(connection: Connection, config: PhaseConfig) -> Submission:
        phase = benchmarks.find_phase(connection, "dev")
        benchmarks.set_phase(connection, phase.id, config)
        team = benchmarks.add_team(connection, f"T{config.closes_at}", 0)
        key, _ = submissions.announce(
            connection,
            phase.id,
            "dev",
            config,
            team_id=team,
            worker_id=1,
            file_name="r.json",
            size=2,
            sha256=sha256,
            about=Method(),
            now=5,
        )
        submissions.begin(connection, key, 6)
        submissions.complete(connection, key, "0" * 64, 0, 20)
        return submissions.find(connection, key)

    async def play(store: Store, folder: Folder) -> None:
        await store.write(lambda c: c.execute(worker.insert().values(display="Ann", created_at=0)))
        frozen = await store.write(lambda c: sent(c, PhaseConfig(frozen_at=10)))
        assert frozen.created_at == (5 if sha256 else 20)
        if sha256:
            assert (await store.write(lambda c: sent(c, PhaseConfig(closes_at=10)))).state == "queued"
            return
        with pytest.raises(DataError, match="closed before the file had come"):
            await store.write(lambda c: sent(c, PhaseConfig(closes_at=10)))

    with_board(play)
