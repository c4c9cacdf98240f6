"""What the benchmarks share: works timed in turns in one process, and the record of a run.

Absolute times on a shared machine swing by a factor of two within minutes, so a work and its peer take turns
and the figure to look at is the median of the ratios, each of two runs next to each other.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Row = dict[str, object]


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


def add_arguments(parser: argparse.ArgumentParser, results: Path) -> None:
    """Options every benchmark has."""
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--output", type=Path, default=results)


def interleaved(
    works: Mapping[str, Callable[[], object]], repeats: int, clock: str
) -> dict[str, list[float]]:
    """Seconds of each work, taken in turns after one call of each to warm up.

    On a machine busy with other work, processor seconds with one thread still compare works fairly.
    """
    now = CLOCKS[clock]
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = now()
            work()
            times[name].append(now() - start)
    return times


def rows_of(times: Mapping[str, list[float]], peer: str, **about: object) -> list[Row]:
    """One row a work: its median and best, and how many times faster than the peer it is."""
    return [
        {
            **about,
            "name": name,
            "median_ms": round(statistics.median(values) * 1e3, 3),
            "best_ms": round(min(values) * 1e3, 3),
            "times_faster_than_" + peer.replace(" ", "_"): round(
                statistics.median(p / v for p, v in zip(times[peer], values, strict=True)), 2
            ),
        }
        for name, values in times.items()
    ]


def show(rows: list[Row]) -> None:
    """Rows as lines on the terminal."""
    for row in rows:
        print("  ".join(str(value) for value in row.values()), flush=True)


def write(path: Path, command: str, clock: str, rows: list[Row]) -> None:
    """The run as JSON."""
    result = {
        "machine": machine(),
        "command": " ".join([command, *sys.argv[1:]]),
        "clock": clock,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "rows": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def machine() -> dict[str, object]:
    """What the figures depend on."""
    cpu = "unknown"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
