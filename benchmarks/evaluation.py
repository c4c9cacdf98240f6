"""COCO scoring, from two files to twelve numbers: time and memory of amidst, its engine and its peers.

    python benchmarks/evaluation.py GT.json RESULTS.json [--kind bbox|segm] [--repeats 3]
    python benchmarks/evaluation.py --images 5000 --kind segm    # generated, 100 detections an image

Every measurement is a process of its own, amidst and its peers in turns. `amidst` is the function `evaluate`
with its checks and its table by category, `engine` ultrafast-pycocotools as it comes; hotcoco takes part
where it is installed (`pip install hotcoco`). Memory is the peak less that of the start.
Results of each kind and size are kept side by side in results/evaluation.json.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from coco_like import detect, generate
from timing import Row, show, write

from amidst.evaluation import evaluate

RESULTS = Path(__file__).parent / "results" / "evaluation.json"
MODULES = {  # of COCO and of COCOeval
    "engine": ("ultrafast_pycocotools", "ultrafast_pycocotools"),
    "hotcoco": ("hotcoco", "hotcoco"),
    "pycocotools": ("pycocotools.coco", "pycocotools.cocoeval"),
}
NAMES = ("amidst", *MODULES)


def twelve_numbers(name: str, truth: str, results: str, kind: str) -> list[float]:
    """As a user of the library gets them."""
    if name == "amidst":
        return list(evaluate(truth, results, kind).stats)  # type: ignore[arg-type]
    coco, cocoeval = map(importlib.import_module, MODULES[name])
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = coco.COCO(truth)
        evaluation = cocoeval.COCOeval(ground_truth, ground_truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def score(name: str, truth: str, results: str, kind: str) -> dict[str, object]:
    """One measurement, in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, used = time.perf_counter(), time.process_time()
    stats = twelve_numbers(name, truth, results, kind)
    return {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - used,
        "peak_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "stats": stats,
    }


def in_own_process(arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, *arguments]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def compare(truth: str, results: str, kind: str, repeats: int) -> list[Row]:
    """A row for each engine that is installed."""
    names = [
        name
        for name in NAMES
        if name not in MODULES or importlib.util.find_spec(MODULES[name][0].split(".")[0])
    ]
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            measured[name].append(in_own_process([truth, results, "--kind", kind, "--measure", name]))

    def median(name: str, what: str) -> float:
        return statistics.median(run[what] for run in measured[name])

    about = sizes(truth, results)
    reference, slow = measured["pycocotools"][0]["stats"], median("pycocotools", "seconds")
    return [
        {
            "name": name,
            "kind": kind,
            **about,
            "median_s": round(median(name, "seconds"), 3),
            "median_cpu_s": round(median(name, "cpu_seconds"), 3),
            "peak_mb": round(max(run["peak_mb"] for run in runs)),
            "times_faster_than_pycocotools": round(slow / median(name, "seconds"), 1),
            "largest_difference_of_the_12_numbers": max(
                abs(ours - theirs) for ours, theirs in zip(runs[0]["stats"], reference, strict=True)
            ),
        }
        for name, runs in measured.items()
    ]


def sizes(truth: str, results: str) -> Row:
    """How much is scored."""
    data = json.loads(Path(truth).read_bytes())
    return {
        "images": len(data["images"]),
        "objects": len(data["annotations"]),
        "detections": len(json.loads(Path(results).read_bytes())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", metavar="GT.json RESULTS.json")
    parser.add_argument("--images", type=int, default=5000, help="of the generated files")
    parser.add_argument("--kind", choices=("bbox", "segm"), default="bbox")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", choices=NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(score(options.measure, *options.files, options.kind)))
        return
    if importlib.util.find_spec("pycocotools") is None:
        sys.exit("pycocotools is not installed: pip install 'amidst[reference]'")
    with tempfile.TemporaryDirectory() as folder:
        truth, results = options.files or (f"{folder}/truth.json", f"{folder}/results.json")
        if not options.files:
            generate(Path(truth), options.images)
            detect(Path(truth), Path(results), 100, options.kind == "segm")
        rows = compare(truth, results, options.kind, options.repeats)
    show(rows)
    kept = json.loads(RESULTS.read_bytes())["rows"] if RESULTS.is_file() else []
    same = (options.kind, rows[0]["images"])
    rows = [row for row in kept if (row["kind"], row["images"]) != same] + rows
    write(RESULTS, "python benchmarks/evaluation.py", "wall", rows)


if __name__ == "__main__":
    main()
