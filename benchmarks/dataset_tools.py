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

import msgspec
import numpy as np

from amidst.apps.explorer.index import Filter, Index, Split
from amidst.coco import CocoDataset

ROOT = Path(__file__).resolve().parent.parent
GOAL_S, GOAL_GB = 60.0, 4.0
CATEGORIES = 80


def generate(path: Path, images: int, seed: int = 0) -> None:
    """A COCO-shaped file: 7.3 objects an image (log-normal), 41 % small, long-tailed categories, polygons of
    8 to 60 vertices, 12 % of the objects in two parts, 1.2 % crowds as run lengths."""
    draw = np.random.default_rng(seed)
    sizes = [(640, 480), (480, 640), (640, 427), (427, 640), (500, 375)]
    frequency = 1 / (np.arange(CATEGORIES) + 2.5)
    frequency[0] *= 2.6
    frequency /= frequency.sum()
    records, number = [], 1
    with path.open("wb") as stream:
        stream.write(b'{"info": {}, "licenses": [], "annotations": [')
        for image in range(1, images + 1):
            width, height = sizes[image % len(sizes)]
            records.append({"id": image, "width": width, "height": height, "file_name": f"{image:012d}.jpg"})
            count = min(int(draw.lognormal(1.635, 0.85) + 0.55), 93)
            objects = _objects(draw, count, width, height, frequency, image, number)
            if objects:
                text = msgspec.json.encode(objects)[1:-1]
                stream.write(text if number == 1 else b"," + text)
            number += count
        categories = [{"id": k + 1, "name": f"category {k}", "supercategory": "s"} for k in range(CATEGORIES)]
        stream.write(b'], "categories": ' + msgspec.json.encode(categories))
        stream.write(b', "images": ' + msgspec.json.encode(records) + b"}")


def _objects(
    draw: np.random.Generator, count: int, width: int, height: int, frequency: Any, image: int, first: int
) -> list[dict[str, Any]]:
    side = np.exp(draw.uniform(np.log(8), np.log(350), count))
    stretch = np.exp(draw.normal(0, 0.22, count))
    w, h = np.minimum(side * stretch, 0.98 * width), np.minimum(side / stretch, 0.98 * height)
    x, y = draw.uniform(0, width - w), draw.uniform(0, height - h)
    category = draw.choice(CATEGORIES, count, p=frequency)
    vertices = draw.integers(8, 61, count)
    two_parts, crowd = draw.random(count) < 0.12, draw.random(count) < 0.012
    objects = []
    for n in range(count):
        angles = np.linspace(0, 2 * np.pi, vertices[n], endpoint=False)
        outline = np.empty(2 * vertices[n])
        outline[0::2] = x[n] + w[n] / 2 * (1 + np.cos(angles))
        outline[1::2] = y[n] + h[n] / 2 * (1 + np.sin(angles))
        part = np.round(outline, 2).tolist()
        segmentation: Any = [part, part[: len(part) // 4 * 2]] if two_parts[n] else [part]
        if crowd[n]:
            rows, start = max(int(h[n]), 1), int(x[n]) * height + int(y[n])
            runs = [start] + [rows, height - rows] * max(int(w[n]) - 1, 0) + [rows]
            segmentation = {"counts": [*runs, width * height - sum(runs)], "size": [height, width]}
        objects.append(
            {
                "id": first + n,
                "image_id": image,
                "category_id": int(category[n]) + 1,
                "segmentation": segmentation,
                "area": round(float(np.pi / 4 * w[n] * h[n]), 2),
                "bbox": np.round([x[n], y[n], w[n], h[n]], 2).tolist(),
                "iscrowd": int(crowd[n]),
            }
        )
    return objects


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
