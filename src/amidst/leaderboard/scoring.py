"""A scorer: a process that reads one submission and the annotations of its phase, and gives numbers.

    python -m amidst.leaderboard.scoring     # reads a Task as JSON from standard input, writes an Outcome

It alone opens hidden annotations. What it writes is made here, number by number; what fails is told on
standard error, which the organisers read in their log. It ends when its standard input is closed, that is,
when who started it is no more. Memory: the annotations, one group of images (`grouping`), some bytes a
detection.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from amidst.coco.bulk import collection_paused
from amidst.coco.dataset import CocoDataset
from amidst.errors import DataError
from amidst.evaluation.parts import evaluate_parts, score_proposal_parts
from amidst.evaluation.summary import NUMBERS
from amidst.leaderboard.config import ANY_SIZE, Kind
from amidst.leaderboard.grouping import Groups
from amidst.leaderboard.records import Part, Reader
from amidst.leaderboard.similarity import Sketch

READ_BYTES = 1 << 20
PROPOSALS_AT = (1, 10, 100, 1000)


class Task(msgspec.Struct, frozen=True):
    """What a scorer is asked. work: an empty folder of its own."""

    upload: str
    name: str
    truth: str
    work: str
    kind: Kind


class Outcome(msgspec.Struct, frozen=True):
    """What a scorer gives: numbers by name and a sketch, or why the submission cannot be scored."""

    numbers: dict[str, float] = {}
    sketch: list[int] = []
    refused: str = ""


def score_submission(task: Task) -> Outcome:
    """The numbers of a submission: COCO's twelve, or average recall of proposals and its area."""
    with collection_paused():
        dataset = CocoDataset.load(task.truth)
    groups, sketch = Groups(Path(task.work), (image.id for image in dataset.images)), Sketch()
    try:
        groups.add(sketch.watch(_parts(task)))
    except DataError as error:  # it was checked before, so the file has changed on the disk
        return Outcome(refused=str(error))
    parts = groups.read(task.kind)
    compared: Literal["bbox", "segm"] = "bbox" if task.kind in ("bbox", "proposals") else "segm"
    if task.kind in ("bbox", "segm"):
        summary = evaluate_parts(dataset, parts, compared)
        numbers = dict(zip(NUMBERS, summary.stats, strict=True))
    else:
        numbers = score_proposal_parts(dataset, parts, compared, PROPOSALS_AT).numbers()
    return Outcome({name: _finite(value) for name, value in numbers.items()}, sketch.values)


def _parts(task: Task) -> Iterator[Part]:
    reader = Reader(task.name, ANY_SIZE)
    with Path(task.upload).open("rb") as file:
        while data := file.read(READ_BYTES):
            yield from reader.feed(data)
    yield from reader.end()


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else -1.0


def _end_with_parent() -> None:
    """Waits for the end of standard input."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(3)


def main() -> int:
    """One task; 0 with an outcome on standard output, 1 if the scorer failed."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        outcome = score_submission(task)
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        shutil.rmtree(task.work, ignore_errors=True)
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
