"""Who does the parts of a long job: processes here, or Ray; and what is told while they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from amidst.apps.cli.console import warning_line
from amidst.apps.cli.lazy import load_module
from amidst.apps.cli.progress import step
from amidst.apps.cluster.parts import Done, Job, Plan, count_part
from amidst.errors import UsageError

ENGINES = {"local": "amidst.apps.cluster.local", "ray": "amidst.apps.cluster.on_ray"}

Run = Callable[[Job, Plan, list[int], int], Iterator[Done]]


def engine_of(name: str) -> Run:
    """What runs parts. Raises UsageError for an unknown name, MissingExtra for Ray where it is missing."""
    if name not in ENGINES:
        raise UsageError(f"--engine {name}: expected {' or '.join(ENGINES)}")
    run: Run = load_module(ENGINES[name]).run_parts
    return run


def run_job(title: str, job: Job, plan: Plan, run: Run, workers: int) -> dict[str, Any]:
    """Do what is missing of a job; how much there was, was found and is broken in all its parts."""
    plan.begin(job)
    absent = set(plan.missing())
    there = [count_part(plan, number) for number in range(len(plan)) if number not in absent]
    before = [part for part in there if part is not None]
    missing = sorted(set(range(len(plan))) - {part.number for part in before})
    done = sum(part.pictures for part in before)
    summary = {
        "pictures": done,
        "resumed": done,
        "found": sum(part.found for part in before),
        "broken": sum(part.broken for part in before),
        "failed": 0,
        "parts": len(plan),
    }
    with step(title, len(plan.items)) as bar:
        for part in run(job, plan, missing, workers) if missing else ():
            if part.failed:
                summary["failed"] += 1
                warning_line(
                    f"{plan.name(part.number)} failed: {part.failed}; the same command tries it again"
                )
                continue
            summary["pictures"] += part.pictures
            summary["found"] += part.found
            summary["broken"] += part.broken
            bar.update(summary["pictures"])
    return summary
