"""Time and memory of `amidst dataset stats` and `check` on a file of COCO train2017's size.

    python benchmarks/dataset_tools.py                        # generates the file: 118,000 images
    python benchmarks/dataset_tools.py --file instances.json  # measures on a file that is there

Each command runs in a process of its own, as a user would type it; its wall time, processor time and peak
memory are what the system reports for that process. The explorer's index is measured in this one. Goal: 60
s and 4 GB. Results: benchmarks/results/dataset_tools.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from coco_like import generate

from amidst.apps.explorer.index import Filter, Index, Split
from amidst.coco import CocoDataset

ROOT = Path(__file__).resolve().parent.parent
GOAL_S, GOAL_GB = 60.0, 4.0


def measure(words: list[str]) -> dict[str, Any]:
    """Runs `amidst WORDS` in a process of its own; findings (exit code 1) are a result like any other."""
    begun = time.perf_counter()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "amidst", *words],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begun
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"amidst {' '.join(words)} failed")
    kilobyte = 1 if platform.system() == "Darwin" else 1024  # the unit differs by system
    return {
        "wall_s": round(wall, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_gb": round(usage.ru_maxrss * kilobyte / 1e9, 2),
    }


def measure_explorer(dataset: CocoDataset) -> dict[str, float]:
    """Seconds to build the index, and milliseconds of typical filters."""
    begun = time.process_time()
    index = Index([Split("train", dataset)])
    measured = {"index_cpu_s": round(time.process_time() - begun, 2)}
    name = index.names[3]
    for what, wanted in {
        "all": Filter(),
        "category_and_size": Filter(categories=(name,), size="small"),
        "random_order": Filter(order="random"),
        "file_name": Filter(text="0001"),
    }.items():
        begun = time.process_time()
        index.find(wanted)
        measured[f"{what}_cpu_ms"] = round(1000 * (time.process_time() - begun), 1)
    return measured


def main() -> None:
    """Measures, prints and writes the results."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--file", type=Path, help="measure on this COCO file instead of a generated one")
    arguments.add_argument("--images", type=int, default=118_000, help="of the generated file")
    arguments.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/dataset_tools.json")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = given.file or Path(folder) / "generated.json"
        if given.file is None:
            generate(file, given.images)
        results: dict[str, Any] = {
            "goal": {"wall_s": GOAL_S, "peak_gb": GOAL_GB},
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "load_at_start": round(os.getloadavg()[0], 1),
            "file_mb": round(file.stat().st_size / 1e6),
            "stats": measure(["dataset", "stats", str(file), "--json"]),
            "check": measure(["dataset", "check", str(file), "--json"]),
        }
        dataset = CocoDataset.load(file)
    results["images"], results["annotations"] = len(dataset.images), len(dataset.annotations)
    results["explorer"] = measure_explorer(dataset)
    given.output.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
