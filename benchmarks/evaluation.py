"""COCO scoring, from two files to twelve numbers: time and peak memory of amidst and of pycocotools.

    python benchmarks/evaluation.py GT.json RESULTS.json [--kind bbox|segm] [--repeats 3]

Every measurement is a process of its own, amidst and its peer in turns; start-up is part of it. Results of
both kinds are kept side by side in results/evaluation.json.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from timing import Row, write

from amidst.evaluation import evaluate

RESULTS = Path(__file__).parent / "results" / "evaluation.json"
NAMES = ("amidst", "pycocotools")


def twelve_numbers(name: str, truth: str, results: str, kind: str) -> list[float]:
    """As a user of the library gets them."""
    if name == "amidst":
        return list(evaluate(truth, results, kind).stats)  # type: ignore[arg-type]
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(truth)
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def score(name: str, truth: str, results: str, kind: str) -> dict[str, object]:
    """One measurement, in this process."""
    begun = time.perf_counter()
    stats = twelve_numbers(name, truth, results, kind)
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stats": stats,
    }


def in_own_process(arguments: list[str]) -> dict[str, object]:
    command = [sys.executable, __file__, *arguments]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    answer: dict[str, object] = json.loads(lines[-1])
    return answer


def compare(truth: str, results: str, kind: str, repeats: int, about: Callable[[], Row]) -> list[Row]:
    """A row for each engine."""
    measured: dict[str, list[dict[str, object]]] = {name: [] for name in NAMES}
    for _ in range(repeats):
        for name in NAMES:
            measured[name].append(in_own_process([truth, results, "--kind", kind, "--measure", name]))
    pairs = zip(*(runs[0]["stats"] for runs in measured.values()), strict=True)  # type: ignore[call-overload]
    difference = max(abs(ours - theirs) for ours, theirs in pairs)
    medians = {
        name: statistics.median(float(str(m["seconds"])) for m in runs) for name, runs in measured.items()
    }
    return [
        {
            "name": name,
            "kind": kind,
            **about(),
            "median_s": round(medians[name], 3),
            "peak_mb": round(max(float(str(m["peak_mb"])) for m in runs)),
            "times_faster_than_pycocotools": round(medians["pycocotools"] / medians[name], 1),
            "largest_difference_of_the_12_numbers": difference,
        }
        for name, runs in measured.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("truth")
    parser.add_argument("results")
    parser.add_argument("--kind", choices=("bbox", "segm"), default="bbox")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", choices=NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(score(options.measure, options.truth, options.results, options.kind)))
        return
    if importlib.util.find_spec("pycocotools") is None:
        sys.exit("pycocotools is not installed: pip install 'amidst[reference]'")

    def about() -> Row:
        truth = json.loads(Path(options.truth).read_bytes())
        return {
            "images": len(truth["images"]),
            "objects": len(truth["annotations"]),
            "detections": len(json.loads(Path(options.results).read_bytes())),
        }

    rows = compare(options.truth, options.results, options.kind, options.repeats, about)
    kept = json.loads(RESULTS.read_bytes())["rows"] if RESULTS.is_file() else []
    write(
        RESULTS,
        "python benchmarks/evaluation.py",
        "wall",
        [row for row in kept if row["kind"] != options.kind] + rows,
    )


if __name__ == "__main__":
    main()
