"""Photographs through `amidst predict --engine`: one worker against two, and what is left of a killed run.

    python benchmarks/ray_predict.py                     10,000 photographs, the built-in model, Ray
    python benchmarks/ray_predict.py --images 300        does it run
    python benchmarks/ray_predict.py --engine local
    python benchmarks/ray_predict.py --images 2000 --rounds 2 --output ray_predict_rounds.json

With two rounds the order is one worker, two, two, one: a machine whose speed changes slowly favours neither.

The photographs of coco_mini, under as many names as are asked for. Each run is the command as typed, from
start to exit; `parts_s` is the time between the first and the last finished part, so without the start of
processes and networks. A worker computes on one core; on a machine of two cores, two workers share them with
Ray's own processes.

What a machine gives to two processes may be less than twice what it gives to one (cores that are threads of
one, memory that is shared). `ceiling` is this ratio for bare workers without any engine, before the runs and
after them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from timing import Row, show, write

from amidst.apps.cluster.detecting import Detecting
from amidst.apps.cluster.places import place_of
from amidst.models.weights import load_model, resolve_model

BARE_SECONDS = 15.0
RESULTS = Path(__file__).parent / "results" / "ray_predict.json"


def link_photographs(source: Path, folder: Path, number: int) -> None:
    """So many names of copies of the photographs in `source`."""
    folder.mkdir()
    originals = sorted(source.rglob("*.jpg"))
    names = [folder / f"{place:06d}.jpg" for place in range(number)]
    for original, name in zip(originals, names, strict=False):
        shutil.copy(original, name)
    for place in range(len(originals), number):
        os.link(names[place % len(originals)], names[place])


def run(model: str, photographs: Path, output: Path, engine: str, workers: int) -> Row:
    """One command, timed."""
    words = ["predict", model, str(photographs), "--engine", engine, "--workers", str(workers)]
    command = [sys.executable, "-m", "amidst", *words, "-o", str(output), "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    assert done.returncode == 0, done.stderr[-2000:]
    ends = sorted(part.stat().st_mtime for part in output.glob("part-*"))
    between = ends[-1] - ends[0]
    number = len(list(photographs.iterdir()))
    return {
        "engine": engine,
        "workers": workers,
        "images": number,
        "wall_s": round(wall, 1),
        "parts_s": round(between, 1),
        "images_per_s": round(number / wall, 2),
        "images_per_s_of_parts": round(number * (len(ends) - 1) / len(ends) / between, 2),
    }


def bare(model: str, photographs: Path, start: Any, rates: Any) -> None:
    """Pictures a second of one worker, in the process that calls; it begins when all have opened theirs."""
    place = place_of(photographs)
    file = resolve_model(model)
    _, info = load_model(file)
    worker = Detecting(file, place, tuple(range(1, info.config.num_classes + 1))).open()
    items = place.items()[:512]
    list(worker.rows(items[:4]))
    start.wait()
    begin, done = time.perf_counter(), 0
    while time.perf_counter() - begin < BARE_SECONDS:
        done += len(list(worker.rows([items[(done + n) % len(items)] for n in range(4)])))
    rates.put(done / (time.perf_counter() - begin))


def ceiling(model: str, photographs: Path) -> float:
    """What two bare workers do at a time, over twice what one does."""
    context = multiprocessing.get_context("spawn")
    found = []
    for workers in (1, 2):
        start, rates = context.Barrier(workers), context.Queue()
        processes = [
            context.Process(target=bare, args=(model, photographs, start, rates)) for _ in range(workers)
        ]
        for process in processes:
            process.start()
        found.append(sum(rates.get() for _ in processes))
        for process in processes:
            process.join()
    return round(found[1] / found[0] / 2, 3)


def ratio(rows: list[Row], rate: str) -> float:
    """The pictures a second of two workers over twice those of one, over all rounds."""

    def seconds(workers: int) -> float:
        return sum(1 / float(str(row[rate])) for row in rows if row["workers"] == workers)

    return round(seconds(1) / seconds(2) / 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = Path(os.environ.get("AMIDST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data", help="the folder that holds coco_mini/")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--model", default="person")
    parser.add_argument("--engine", choices=["ray", "local"], default="ray")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        link_photographs(arguments.data / "coco_mini", folder / "photographs", arguments.images)
        ceilings = [ceiling(arguments.model, folder / "photographs")]
        order = [workers for k in range(arguments.rounds) for workers in ((1, 2) if k % 2 == 0 else (2, 1))]
        for place, workers in enumerate(order):
            output = folder / f"found{place}"
            rows.append(run(arguments.model, folder / "photographs", output, arguments.engine, workers))
            show(rows[-1:])
        ceilings.append(ceiling(arguments.model, folder / "photographs"))
        same = all(
            (folder / f"found{place}" / part.name).read_bytes() == part.read_bytes()
            for part in (folder / "found0").glob("part-*")
            for place in range(1, len(order))
        )
        shutil.rmtree(folder / "photographs")
    rows.append(
        {
            "two_workers_over_twice_one": ratio(rows, "images_per_s"),
            "the_same_without_the_start": ratio(rows, "images_per_s_of_parts"),
            "ceiling": ceilings,
            "parts_are_the_same_bytes": same,
        }
    )
    show(rows[-1:])
    write(arguments.output, "python benchmarks/ray_predict.py", "wall", rows)


if __name__ == "__main__":
    main()
