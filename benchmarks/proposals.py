"""Scoring proposals, from two files to all numbers: time and peak memory of `amidst recall` and of its peer.

    python benchmarks/proposals.py [--images 5000] [--repeats 3]

The dataset is generated at the density of COCO (7.3 objects an image, sizes log-uniform); half of the 1,000
proposals an image lie around objects, the others anywhere. The peer is COCO's metric by the fast engine
without categories, asked for AR at the same 28 numbers of proposals at once, which gives no AUC, no upper
bound and no missed objects. Every measurement is a process of its own with its start-up, amidst and the peer
in turns; on a busy machine its processor seconds say more than the wall clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from timing import Row, show, write

from amidst.coco import masks

OUTPUT = Path(__file__).parent / "results" / "proposals.json"
SIZE_WH = np.array([640, 480])
OBJECTS, PROPOSALS = 7.3, 1000
PEER_IMAGES, MASK_IMAGES = 500, 100

PEAK = """
import atexit, pathlib, re, sys
status = pathlib.Path("/proc/self/status")  # ru_maxrss would count the parent's memory before exec
atexit.register(lambda: print(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1], file=sys.stderr))
"""
OURS = "from amidst.apps.cli import main; main()"
PEER = """
import json, sys
from amidst.evaluation import evaluate
from amidst.evaluation.proposals import AUC_COUNTS
score = evaluate(sys.argv[1], sys.argv[2], sys.argv[3], class_agnostic=True, max_dets=AUC_COUNTS)
print(json.dumps([score.average_recall(max_dets=n) for n in AUC_COUNTS]))
"""


@dataclass(frozen=True)
class Run:
    """One process: seconds, processor seconds of all its threads, peak memory, what it printed."""

    seconds: float
    processor_s: float
    peak_mb: float
    answer: Any


def boxes(draw: np.random.Generator, number: int) -> np.ndarray:
    """Anywhere in the image, (number, 4) xywh."""
    sizes = np.minimum(np.exp(draw.uniform(np.log(8), np.log(400), (number, 2))), SIZE_WH)
    return np.hstack([draw.random((number, 2)) * (SIZE_WH - sizes), sizes])


def proposals(draw: np.random.Generator, objects: np.ndarray) -> np.ndarray:
    """Half of them around the objects, inside the image."""
    near = objects[draw.integers(0, len(objects), PROPOSALS // 2)] if len(objects) else objects
    near = near + draw.normal(0, 0.15, near.shape) * near[:, [2, 3, 2, 3]]
    found = np.vstack([near, boxes(draw, PROPOSALS - len(near))])
    low = np.clip(found[:, :2], 0, SIZE_WH - 2)
    high = np.clip(low + np.maximum(found[:, 2:], 1), low + 1, SIZE_WH)
    return draw.permutation(np.hstack([low, high - low]))


def ellipse(box: np.ndarray) -> list[float]:
    """A polygon of 24 corners in the box."""
    x, y, w, h = box.tolist()
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    corners = np.stack([x + w / 2 * (1 + np.cos(angle)), y + h / 2 * (1 + np.sin(angle))], axis=1)
    return [float(v) for v in corners.ravel().round(2)]


def make(folder: Path, images: int, kind: str) -> tuple[Path, Path]:
    """A dataset file and a proposal file; of kind "segm" all are ellipses."""
    draw = np.random.default_rng(0)
    truth, found = folder / f"{kind}_{images}.json", folder / f"{kind}_{images}_proposals.json"
    annotations: list[dict[str, Any]] = []
    with found.open("w") as file:
        for image_id in range(images):
            objects = boxes(draw, int(draw.poisson(OBJECTS))).round(2)
            for box in objects:
                record = {
                    "id": len(annotations),
                    "image_id": image_id,
                    "category_id": int(draw.integers(1, 81)),
                    "bbox": box.tolist(),
                    "area": float(box[2] * box[3] * np.pi / 4),
                    "iscrowd": int(draw.random() < 0.01),
                }
                annotations.append(record | ({"segmentation": [ellipse(box)]} if kind == "segm" else {}))
            records = [
                f'{{"image_id":{image_id},"category_id":1,{place(box, kind)},"score":{score:.5f}}}'
                for box, score in zip(proposals(draw, objects), draw.random(PROPOSALS), strict=True)
            ]
            file.write(("," if image_id else "[") + ",".join(records))
        file.write("]")
    pictures = [{"id": i, "width": 640, "height": 480, "file_name": f"{i}.jpg"} for i in range(images)]
    categories = [{"id": k, "name": f"category {k}"} for k in range(1, 81)]
    truth.write_text(json.dumps({"images": pictures, "annotations": annotations, "categories": categories}))
    return truth, found


def place(box: np.ndarray, kind: str) -> str:
    """The fields of a proposal's record that say where it is."""
    if kind == "bbox":
        return '"bbox":[{:.2f},{:.2f},{:.2f},{:.2f}]'.format(*box)
    rle = masks.from_polygons([ellipse(box)], (480, 640))
    return f'"segmentation":{json.dumps({"size": rle.size, "counts": rle.counts})}'


def measure(code: str, *arguments: str) -> Run:
    """A process that prints JSON."""
    command = [sys.executable, "-c", PEAK + code, *arguments]
    begun, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, now = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return Run(seconds, processor, int(process.stderr.split()[-1]) / 1024, json.loads(process.stdout))


def compare(files: tuple[Path, Path], images: int, kind: str, repeats: int, with_peer: bool) -> list[Row]:
    """Rows of one dataset."""
    truth, found = map(str, files)
    works = {"amidst recall": (OURS, "recall", truth, found, "--kind", kind, "--json")}
    if with_peer:
        works["engine, 28 limits"] = (PEER, truth, found, kind)
    runs = [{name: measure(*work) for name, work in works.items()} for _ in range(repeats)]
    rows: list[Row] = []
    for name in works:
        row: Row = {
            "name": name,
            "kind": kind,
            "images": images,
            "proposals": images * PROPOSALS,
            "median_s": round(statistics.median(run[name].seconds for run in runs), 2),
            "median_processor_s": round(statistics.median(run[name].processor_s for run in runs), 2),
            "peak_mb": round(max(run[name].peak_mb for run in runs)),
        }
        if with_peer:
            ratios = [run["engine, 28 limits"].processor_s / run[name].processor_s for run in runs]
            row["times_less_work_than_engine"] = round(statistics.median(ratios), 1)
            theirs = np.array(runs[0]["engine, 28 limits"].answer)
            ours = np.array(runs[0]["amidst recall"].answer["ar_by_count"]["all"])
            row["largest_difference_of_ar"] = float(np.abs(ours - theirs).max())
        rows.append(row)
    show(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for images, kind, with_peer in (
            (options.images, "bbox", False),
            (min(PEER_IMAGES, options.images), "bbox", True),
            (min(MASK_IMAGES, options.images), "segm", True),
        ):
            files = make(Path(folder), images, kind)
            rows += compare(files, images, kind, options.repeats, with_peer)
    write(OUTPUT, "python benchmarks/proposals.py", "processor", rows)


if __name__ == "__main__":
    main()
