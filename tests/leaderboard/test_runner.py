"""amidst.leaderboard.runner with real scorers: scored, timed out, died, refused; what is left on the disk."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from amidst.coco import CocoDataset
from amidst.leaderboard import benchmarks, submissions
from amidst.leaderboard.benchmarks import Settings
from amidst.leaderboard.config import BenchmarkConfig, TimeLimits, UploadLimits
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.runner import Runner
from amidst.leaderboard.schema import worker
from amidst.leaderboard.store import Store
from amidst.leaderboard.submissions import Method, Submission

Play = Any


async def queued(store: Store, folder: Folder, data: bytes, team: str = "A", name: str = "r.json") -> int:
    """A submission of a new team in the queue, whose file is `data`."""

    def work(connection: Any) -> int:
        team_id = benchmarks.add_team(connection, team, 0)
        connection.execute(worker.insert().values(display="Ann", created_at=0))
        phase = benchmarks.find_phase(connection, "dev")
        key, _ = submissions.announce(
            connection,
            phase.id,
            "dev",
            phase.config,
            team_id=team_id,
            worker_id=1,
            file_name=name,
            size=len(data),
            sha256="",
            about=Method(),
            now=0,
        )
        submissions.begin(connection, key, 0)
        return submissions.complete(connection, key, "", 0, 0)

    key = await store.write(work)
    folder.upload(key).write_bytes(data)
    return key


async def ended(store: Store, folder: Folder, config: BenchmarkConfig, key: int) -> Submission:
    """The submission after a runner has had it."""
    task = asyncio.create_task(Runner(store, folder, config, lambda: 1).run())
    try:
        return await over(store, key)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def over(store: Store, key: int) -> Submission:
    """The submission, as soon as it waits for nothing any more."""
    while True:
        found = await store.read(lambda c: submissions.find(c, key))
        if found.state not in ("queued", "running"):
            return found
        await asyncio.sleep(0.02)


async def taken(store: Store, key: int) -> int:
    """How often a scorer has taken the submission."""
    states = [change.after for change in await store.read(lambda c: submissions.changes(c, key))]
    return states.count("running")


def test_settings_of_now_hold_for_a_runner_that_was_started_before(
    with_board: Play, dataset: CocoDataset, make_detections: Callable[..., Any]
) -> None:
    """And what was taken by the limits of its time is scored."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("r.json", json.dumps(make_detections(dataset, 1)))
    config = BenchmarkConfig(keep_uploads=False, uploads=UploadLimits(max_unpacked=1))

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, packed.getvalue(), name="r.zip")
        await store.write(lambda c: benchmarks.change(c, Settings("Board", "", config)))
        found = await ended(store, folder, BenchmarkConfig(), key)
        assert (found.state, folder.upload(key).exists()) == ("scored", False)

    with_board(play)


@pytest.mark.parametrize("keep", [True, False])
def test_a_submission_is_scored(
    with_board: Play, dataset: CocoDataset, make_detections: Callable[..., Any], keep: bool
) -> None:
    config = BenchmarkConfig(keep_uploads=keep)

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, json.dumps(make_detections(dataset, 1)).encode())
        found = await ended(store, folder, config, key)
        assert found.state == "scored"
        assert 0 <= found.numbers["ap"] <= 1
        assert folder.upload(key).exists() == keep
        assert list(folder.work.iterdir()) == []

    with_board(play, config)


def test_a_scorer_that_takes_too_long_is_ended(with_board: Play) -> None:
    config = BenchmarkConfig(times=TimeLimits(running=0.05))

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, b"[]")
        found = await ended(store, folder, config, key)
        assert (found.state, found.reason) == ("timed_out", "scoring took too long")
        assert not folder.upload(key).exists()
        assert list(folder.work.iterdir()) == []

    with_board(play, config)


def test_a_scorer_that_dies_is_tried_three_times(with_board: Play) -> None:
    """Its annotations are gone, so that it fails each time; what it says stays in the log."""

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, b"[]")
        folder.truth(1).unlink()
        found = await ended(store, folder, BenchmarkConfig(), key)
        assert (found.state, found.reason, found.attempts) == ("failed", "the scorer died 3 times", 3)

    with_board(play)


def test_a_file_that_was_spoilt_on_the_disk_is_refused(with_board: Play) -> None:
    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, b"[{]")
        found = await ended(store, folder, BenchmarkConfig(), key)
        assert found.state == "failed"
        assert "r.json" in found.reason

    with_board(play)


def test_a_scorer_that_lost_its_lease_leaves_the_file_to_the_next(
    with_board: Play, dataset: CocoDataset, make_detections: Callable[..., Any]
) -> None:
    """It was slow to say that it lives, and the watchdog gave the submission to another."""
    config = BenchmarkConfig(keep_uploads=False)

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, json.dumps(make_detections(dataset, 1)).encode())
        slow = Runner(store, folder, config, lambda: 1)
        job = await store.write(lambda c: submissions.claim(c, config.times, 1))
        assert job is not None
        phase = await store.read(lambda c: benchmarks.find_phase(c, "dev"))
        late = 1 + int(2 * config.times.lease * 1_000_000)
        swept = await store.write(lambda c: submissions.sweep(c, config.times, late))
        assert swept == [(key, "queued")]
        await slow.score((job, phase.id))
        assert folder.upload(key).exists()
        found = await ended(store, folder, config, key)
        assert found.state == "scored"

    with_board(play, config)


def test_a_folder_that_is_away_for_a_while_costs_no_attempt(
    with_board: Play, dataset: CocoDataset, make_detections: Callable[..., Any]
) -> None:
    """The scorer goes on, and what waited is scored as soon as the folder is there again."""
    config = BenchmarkConfig(times=TimeLimits(watch=0.05, retries=0))

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, json.dumps(make_detections(dataset, 1)).encode())
        folder.work.rename(folder.root / "away")
        task = asyncio.create_task(Runner(store, folder, config, lambda: 1).run())
        while await taken(store, key) < 3:
            await asyncio.sleep(0.02)
        (folder.root / "away").rename(folder.work)
        found = await over(store, key)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (found.state, found.attempts) == ("scored", 1)

    with_board(play, config)


def test_a_disk_that_refuses_for_too_long_ends_the_wait(with_board: Play) -> None:
    """Taken and given back again and again, it is queued since the first time."""
    config = BenchmarkConfig(times=TimeLimits(watch=0.02, queued=10))  # less than a lease
    now = [1]

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, b"[]")
        folder.work.rename(folder.root / "away")
        task = asyncio.create_task(Runner(store, folder, config, lambda: now[0]).run())
        while await taken(store, key) < 3:
            await asyncio.sleep(0.02)
        now[0] = 11_000_000
        found = await over(store, key)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (found.state, found.reason) == ("timed_out", "no scorer could take it in time")
        assert found.attempts == 0

    with_board(play, config)


def test_the_watchdog_outlives_a_disk_that_refuses(
    with_board: Play, caplog: pytest.LogCaptureFixture
) -> None:
    config = BenchmarkConfig(times=TimeLimits(watch=0.05, queued=0.001))

    async def play(store: Store, folder: Folder) -> None:
        key = await queued(store, folder, b"[]")
        folder.upload(key).unlink()
        folder.upload(key).mkdir()  # cannot be unlinked
        task = asyncio.create_task(Runner(store, folder, config, lambda: 10**6, scorers=0).run())
        assert (await over(store, key)).state == "timed_out"
        later = await queued(store, folder, b"[]", "B")
        assert (await over(store, later)).state == "timed_out"
        assert "the watchdog goes on after an error" in caplog.text
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with_board(play, config)
