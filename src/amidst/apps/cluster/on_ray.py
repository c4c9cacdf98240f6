"""The parts of a job on Ray Data: actors on a cluster, each with its own network, take parts as they can.

Without RAY_ADDRESS a cluster of this machine alone is started. At first an actor has its next part waiting,
for Ray needs a tenth of a second to see that one is finished. Parts that were lost with an actor or a machine
have a second round, one at a time for each actor, in which Ray restarts an actor that died and tries its part
again; a part on which workers die again and again is given up and told.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from amidst.apps.cluster.parts import Done, Job, PartWorker, Plan
from amidst.errors import MissingExtra, UsageError

try:  # an optional dependency
    import ray
    import ray.data
    import ray.exceptions
except ImportError:  # pragma: no cover - installed where the tests run
    ray = None  # type: ignore[assignment]


ROUNDS = ((2, 0), (1, 1))  # parts in flight for each actor, and how often Ray tries one again


class Actor(PartWorker):
    """Opens its worker once, then does parts."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """{"number": n} -> what became of part n."""
        return asdict(self.do_part(int(row["number"])))


def run_parts(job: Job, plan: Plan, numbers: list[int], workers: int) -> Iterator[Done]:
    """Do these parts, as they are finished. Raises MissingExtra without Ray."""
    if ray is None:
        raise MissingExtra("ray", "cluster")
    _start(workers)
    left, reason = set(numbers), ""
    try:
        for in_flight, retries in ROUNDS:
            for done in _round(job, plan, sorted(left), workers, in_flight, retries):
                left.discard(done.number)
                yield done
    except ray.exceptions.RayError as error:
        reason = f"Ray: {' '.join(str(error).split())[:200]}"
    failed = reason or "its worker died, again and again"
    yield from (Done(number, len(plan.part(number)), failed=failed) for number in sorted(left))


def _round(
    job: Job, plan: Plan, numbers: list[int], workers: int, in_flight: int, retries: int
) -> Iterator[Done]:
    """Those of the parts that were not lost."""
    if not numbers:
        return
    gpus = _gpus(job)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a part that is lost does not end the others
    parts = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
    with warnings.catch_warnings():
        # `max_task_retries` is to have another place in Ray 2.64, and has none before.
        warnings.simplefilter("ignore", DeprecationWarning)
        done = parts.map(
            Actor,  # type: ignore[arg-type]  # a class of callables is welcome too
            fn_constructor_args=(job, plan),
            compute=ray.data.ActorPoolStrategy(
                size=min(workers, len(numbers), gpus or workers), max_tasks_in_flight_per_actor=in_flight
            ),
            num_cpus=1,
            num_gpus=1 if gpus else None,
            max_task_retries=retries,
        )
    yield from (Done(**row) for row in done.iter_rows())


def _gpus(job: Job) -> int:
    """GPUs of the cluster, where the job asks for one a worker. Raises UsageError for none."""
    if job.device == "cpu":
        return 0
    gpus = int(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
    if not gpus:
        raise UsageError(f"--device {job.device}: Ray sees no GPU; try --device cpu")
    return gpus


def _start(workers: int) -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if "RAY_ADDRESS" not in os.environ:
        # One processor more than workers: Ray Data plans with what is left over.
        options |= {"num_cpus": workers + 1, "include_dashboard": False}
    ray.init(**options)
