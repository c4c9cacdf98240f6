"""Scorers at work: takes queued submissions, one process for each, and keeps watch over all of them.

A submission is taken by a lease that a heartbeat prolongs. If this process dies, its scorers end with it and
the leases run out; the next runner, here or elsewhere, gives their submissions back to the queue. Nothing is
lost, and because a score is written under its lease, nothing is scored twice.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from amidst.errors import StoreUnavailable
from amidst.leaderboard import benchmarks, submissions
from amidst.leaderboard.config import BenchmarkConfig, TimeLimits
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.schema import near_equal, submission
from amidst.leaderboard.scoring import Outcome, Task
from amidst.leaderboard.similarity import similarity
from amidst.leaderboard.submissions import Job
from amidst.store.opening import Store

Clock = Callable[[], int]

COMPARED = 1000
"""Earlier submissions of a phase that a new one is compared with."""
RESULT_BYTES = 1 << 20

log = logging.getLogger(__name__)


class Runner:
    """config: of the benchmark; what is changed later holds from the next submission or look on.

    scorers: how many at a time; with 0 it only watches.
    """

    def __init__(
        self,
        store: Store,
        folder: Folder,
        config: BenchmarkConfig,
        clock: Clock,
        *,
        scorers: int = 1,
    ) -> None:
        self._store, self._folder, self._config, self._clock = store, folder, config, clock
        self._scorers = scorers
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for _ in range(self._scorers):
                group.create_task(self._work())

    async def _watch(self) -> None:
        times = self._config.times
        while True:
            try:
                await self.sweep()
            except StoreUnavailable as error:
                log.error("the watchdog waits for the database: %s", error)
            except Exception:  # it has to outlive whatever a disk or a row does
                log.exception("the watchdog goes on after an error")
            await asyncio.sleep(times.watch)

    async def sweep(self) -> None:
        """One look of the watchdog."""
        now = self._clock()
        changed = await self._store.write(lambda c: submissions.sweep(c, self._settings(c).times, now))
        for key, state in changed:
            log.warning("submission %d: %s by the watchdog", key, state)
            if state != "queued":
                self._folder.upload(key).unlink(missing_ok=True)
        if changed:
            self.wake()

    async def _work(self) -> None:
        while True:
            if await self._next():
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._config.times.watch)
            self._wake.clear()

    async def _next(self) -> bool:
        """Scores the oldest queued submission; False if none waits or it could not be scored now."""
        claimed = None
        try:
            claimed = await self._store.write(self._claim)
            if claimed is not None:
                await self.score(claimed)
        except StoreUnavailable:
            return False
        except Exception as error:
            told = log.error if isinstance(error, OSError) else log.exception
            told("a scorer goes on after an error: %s", error)
            if claimed is not None:
                await self._undone(claimed[0], error)
            return False
        return claimed is not None

    async def _undone(self, job: Job, error: Exception) -> None:
        """Gives a submission back. What a disk or a folder refused is no attempt at scoring it."""
        counts, times = not isinstance(error, OSError), self._config.times
        give_back = partial(submissions.give_back, job=job, times=times, now=self._clock(), counts=counts)
        state = await self._finish(give_back)
        log.error("submission %d could not be scored; now %s", job.submission, state)

    def _claim(self, connection: Connection) -> tuple[Job, int] | None:
        job = submissions.claim(connection, self._settings(connection).times, self._clock())
        if job is None:
            return None
        wanted = select(submission.c.phase_id).where(submission.c.id == job.submission)
        return job, connection.execute(wanted).scalar_one()

    def _settings(self, connection: Connection) -> BenchmarkConfig:
        """Those of now."""
        self._config = benchmarks.find(connection).config
        return self._config

    async def score(self, claimed: tuple[Job, int]) -> None:
        """Runs a scorer for a submission and writes what came of it."""
        job, phase_id = claimed
        times, clock = self._config.times, self._clock
        try:
            outcome = await asyncio.wait_for(self._process(job, phase_id), times.running)
        except TimeoutError:
            reason = "scoring took too long"
            over = await self._finish(lambda c: submissions.end(c, job, "timed_out", reason, clock()))
        else:
            if outcome is None:
                state = await self._finish(lambda c: submissions.give_back(c, job, times, clock()))
                log.error("submission %d: the scorer died; now %s", job.submission, state)
                over = state == "failed"
            elif outcome.refused:
                refused = outcome.refused
                over = await self._finish(lambda c: submissions.end(c, job, "failed", refused, clock()))
            else:
                found = outcome
                scored = await self._finish(lambda c: self._scored(c, job, phase_id, found))
                over = scored and not self._config.keep_uploads
        # Who lost the lease leaves the file: another scorer reads it now.
        if over:
            self._folder.upload(job.submission).unlink(missing_ok=True)

    async def _process(self, job: Job, phase_id: int) -> Outcome | None:
        """What a scorer says; None if it died. Killed if nobody waits any more."""
        work = self._folder.work / secrets.token_hex(8)
        work.mkdir(mode=0o700)
        try:
            return await self._outcome(job, phase_id, work)
        finally:
            self._folder.remove_work(work)

    async def _outcome(self, job: Job, phase_id: int, work: Path) -> Outcome | None:
        task = Task(
            upload=str(self._folder.upload(job.submission)),
            name=job.file_name,
            truth=str(self._folder.truth(phase_id)),
            work=str(work),
            kind=self._config.kind,
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "amidst.leaderboard.scoring"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=RESULT_BYTES,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        beating = asyncio.create_task(self._beat(job, process))
        try:
            with suppress(ConnectionError):
                process.stdin.write(msgspec.json.encode(task) + b"\n")
                await process.stdin.drain()
            line = await process.stdout.readline()
            code = await process.wait()
            return msgspec.json.decode(line, type=Outcome) if code == 0 else None
        except (msgspec.DecodeError, ValueError):
            return None
        finally:
            beating.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _beat(self, job: Job, process: asyncio.subprocess.Process) -> None:
        """Prolongs the lease; ends the scorer whose submission was withdrawn or given back meanwhile."""
        times: TimeLimits = self._config.times
        while True:
            await asyncio.sleep(times.lease / 4)
            with suppress(StoreUnavailable):
                if not await self._store.write(lambda c: submissions.heartbeat(c, job, times, self._clock())):
                    process.kill()
                    return

    async def _finish(self, work: Callable[[Connection], object]) -> object:
        """Writes a result, as soon as the database can be written."""
        while True:
            try:
                return await self._store.write(work)
            except StoreUnavailable as error:
                log.error("a result waits for the database: %s", error)
                await asyncio.sleep(self._config.times.watch)

    def _scored(self, connection: Connection, job: Job, phase_id: int, outcome: Outcome) -> bool:
        now = self._clock()
        if not submissions.score(connection, job, outcome.numbers, outcome.sketch, now):
            return False
        same_phase = (submission.c.phase_id == phase_id) & (submission.c.id != job.submission)
        others = connection.execute(
            select(submission.c.id, submission.c.sketch_json)
            .where(same_phase & submission.c.scored_at.is_not(None))
            .order_by(submission.c.id.desc())
            .limit(COMPARED)
        ).all()
        for other in others:
            share = similarity(outcome.sketch, msgspec.json.decode(other.sketch_json))
            if share >= self._config.near_equal:
                row = {"submission_id": job.submission, "other_id": other.id, "similarity": share}
                connection.execute(near_equal.insert().values(**row, created_at=now))
        return True
