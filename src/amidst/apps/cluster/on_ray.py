"""The parts of a job on Ray Data: actors on a cluster, each with its own network, take parts as they can.

Without RAY_ADDRESS a cluster of this machine alone is started. Ray restarts an actor that died and gives its
part to another; a machine that is lost loses only the parts that it was working on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from amidst.apps.cluster.parts import Done, Job, Plan, do_part
from amidst.errors import MissingExtra

try:  # an optional dependency
    import ray
    import ray.data
except ImportError:  # pragma: no cover - installed where the tests run
    ray = None  # type: ignore[assignment]


class PartWorker:
    """An actor: opens its worker once, then does parts."""

    def __init__(self, job: Job, plan: Plan) -> None:
        self.job, self.plan, self.worker = job, plan, job.open()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """{"number": n} -> what became of part n."""
        return asdict(do_part(self.job, self.worker, self.plan, int(row["number"])))


def run_parts(job: Job, plan: Plan, numbers: list[int], workers: int) -> Iterator[Done]:
    """Do these parts, as they are finished. Raises MissingExtra without Ray."""
    if ray is None:
        raise MissingExtra("ray", "cluster")
    _start(workers)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = 0
    parts = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
    done = parts.map(
        PartWorker,  # type: ignore[arg-type]  # a class of callables is welcome too
        fn_constructor_args=(job, plan),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(numbers))),
        num_cpus=1,
    )
    for row in done.iter_rows():
        yield Done(**row)


def _start(workers: int) -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if "RAY_ADDRESS" not in os.environ:
        # One processor more than workers: Ray Data plans with what is left over.
        options |= {"num_cpus": workers + 1, "include_dashboard": False}
    ray.init(**options)
