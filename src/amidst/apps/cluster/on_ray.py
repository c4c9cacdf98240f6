"""The parts of a job on Ray Data: actors on a cluster, each with its own network, take parts as they can.

Without RAY_ADDRESS a cluster of this machine alone is started. Ray restarts an actor that died and tries its
part again; a machine that is lost loses only the parts that it was working on. A part on which workers die
again and again is given up and told.
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


RETRIES = 2  # after a part's worker has died the first time


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
    gpus = _gpus(job)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a part that is given up does not end the others
    parts = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
    with warnings.catch_warnings():
        # `max_task_retries` is to have another place in Ray 2.64, and has none before.
        warnings.simplefilter("ignore", DeprecationWarning)
        done = parts.map(
            Actor,  # type: ignore[arg-type]  # a class of callables is welcome too
            fn_constructor_args=(job, plan),
            # One part at a time: those that wait for an actor do not die with it.
            compute=ray.data.ActorPoolStrategy(
                size=min(workers, len(numbers), gpus or workers), max_tasks_in_flight_per_actor=1
            ),
            num_cpus=1,
            num_gpus=1 if gpus else None,
            max_task_retries=RETRIES,  # then a part is given up; its actor is restarted for others
        )
    left, reason = set(numbers), "its worker died, again and again"
    try:
        for row in done.iter_rows():
            left.discard(row["number"])
            yield Done(**row)
    except ray.exceptions.RayError as error:
        reason = f"Ray: {' '.join(str(error).split())[:200]}"
    yield from (Done(number, len(plan.part(number)), failed=reason) for number in sorted(left))


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
