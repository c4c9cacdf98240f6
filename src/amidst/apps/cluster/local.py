"""The parts of a job on processes of this machine.

A process that dies (memory, a signal) takes the whole pool with it; a new pool goes on with the parts that
are not done. A part on which processes die again and again is given up and told, and all parts are where pool
after pool dies before anything is done.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from amidst.apps.cluster.parts import Done, Job, PartWorker, Plan

CHANCES = 3  # pools that a part may see die
BARREN = 2 * CHANCES  # pools in a row that may die without a finished part


@dataclass
class _Here:
    """What this worker process works with."""

    worker: PartWorker | None = None


_here = _Here()


def run_parts(job: Job, plan: Plan, numbers: list[int], workers: int) -> Iterator[Done]:
    """Do these parts, as they are finished."""
    deaths: Counter[int] = Counter()
    left, barren = set(numbers), 0
    while left and barren < BARREN:
        barren += 1
        hopeless = {number for number in left if deaths[number] >= CHANCES}
        yield from (Done(number, failed="its process died, again and again") for number in sorted(hopeless))
        left -= hopeless
        # Where a part may be deadly, a pool for it alone: others do not die with it.
        suspects = [number for number in sorted(left) if deaths[number] == CHANCES - 1]
        batch = suspects[:1] or sorted(left)
        for done in _pool(job, plan, batch, workers, deaths):
            left.discard(done.number)
            barren = 0
            yield done
    yield from (Done(number, failed="no process lives long enough") for number in sorted(left))


def _pool(job: Job, plan: Plan, numbers: list[int], workers: int, deaths: Counter[int]) -> Iterator[Done]:
    if not numbers:
        return
    # Spawned, not forked: a fork copies locks that threads of this process may hold.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(numbers)), mp_context=context, initializer=_open, initargs=(job, plan)
    ) as pool:
        futures: dict[Future[Done], int] = {pool.submit(_do, number): number for number in numbers}
        dead = set(futures)
        try:
            for future in as_completed(futures):
                done = future.result()
                dead.discard(future)
                yield done
        except BrokenProcessPool:
            begun = sorted(futures[future] for future in dead)[: 2 * workers]  # among them the ones at work
            deaths.update(begun)


def _open(job: Job, plan: Plan) -> None:
    _here.worker = PartWorker(job, plan)


def _do(number: int) -> Done:
    assert _here.worker is not None
    return _here.worker.do_part(number)
