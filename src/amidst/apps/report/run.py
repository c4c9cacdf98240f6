"""What a run folder holds, read with patience: whatever is missing or broken becomes a note for the reader.

    config.json     the experiment                    log.jsonl       losses and validations over the steps
    results.json    final validation detections       summary.json    their score
    run.json        where the data lie, the command, start, seconds, device, version

Any of them may be absent; the report then leaves out what it would have told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from amidst.coco.classes import AGNOSTIC
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.errors import AmidstError, UsageError
from amidst.training.log import read_lines

MARKS = ("config.json", "run.json", "log.jsonl", "results.json", "summary.json")

CLASS_AGNOSTIC = ("rpn", "deepmask", "sharpmask", "fpn_masks")  # families whose runs are proposals
RECALLS = {"AR@100": "ar@100", "AR@1000": "ar@1000", "AUC": "auc"}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A run folder in memory. Absent parts are empty or None; `notes` says which and why."""

    folder: Path
    config: Record
    about: Record
    summary: Record
    steps: tuple[Record, ...]
    validations: tuple[Record, ...]
    results: Results | None
    truth: CocoDataset | None
    images_dir: Path | None
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The recipe's name, else the folder's."""
        return str(self.about.get("recipe") or self.config.get("name") or self.folder.resolve().name)


def read_run(folder: Path) -> Run:
    """Read a run folder. Raises UsageError if it is none: no folder, or none of the files of a run in it."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: expected the folder of a training run, found no folder of that name")
    if not any((folder / name).is_file() for name in MARKS):
        raise UsageError(f"{folder}: not the folder of a training run: none of {', '.join(MARKS)} is in it")
    notes: list[str] = []
    about = _read_object(folder / "run.json", "where the data lie and how the run went", notes)
    config = _read_object(folder / "config.json", "the configuration", notes)
    summary = _read_object(folder / "summary.json", "", notes)
    steps, validations = _read_log(folder / "log.jsonl", notes)
    results = _read_results(folder / "results.json", notes)
    truth = _read_truth(about, folder, notes)
    if truth is not None and _family(config) in CLASS_AGNOSTIC:
        truth = _of_one_category(truth)
        notes.append(_about_proposals(summary))
    images_dir = _find(about.get("val_images"), folder)
    if about and truth is not None and images_dir is None:
        notes.append(
            f"The validation photographs are not where they were ({about.get('val_images')}): no pictures."
        )
    return Run(folder, config, about, summary, steps, validations, results, truth, images_dir, tuple(notes))


def number(record: Record, key: str) -> float:
    """A number of a record; NaN where it is absent or something else."""
    value = record.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _read_object(path: Path, what: str, notes: list[str]) -> Record:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        if what:
            notes.append(f"{path.name} is missing: it tells {what}.")
    except (OSError, msgspec.DecodeError) as error:
        notes.append(f"{path.name} cannot be read: {error}.")
    return {}


def _read_log(path: Path, notes: list[str]) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    try:
        lines = read_lines(path)
    except FileNotFoundError:
        notes.append(f"{path.name} is missing: no curves of the training.")
        return (), ()
    except OSError as error:
        notes.append(f"{path.name} cannot be read: {error}.")
        return (), ()
    known = [line for line in lines if math.isfinite(number(line, "step"))]
    steps = tuple(line for line in known if "loss" in line)
    validations = tuple(line for line in known if isinstance(line.get("validation"), dict))
    if not steps:
        notes.append(f"{path.name} holds no finished step: no curves of the training.")
    return steps, validations


def _read_results(path: Path, notes: list[str]) -> Results | None:
    if not path.is_file():
        notes.append(f"{path.name} is missing: the run has no final detections yet.")
        return None
    try:
        return Results.load(path)
    except AmidstError as error:
        notes.append(f"The detections cannot be read: {error}.")
        return None


def _read_truth(about: Record, folder: Path, notes: list[str]) -> CocoDataset | None:
    named = about.get("val_annotations")
    path = _find(named, folder)
    if path is None:
        if named:
            notes.append(f"The validation annotations are not where they were ({named}).")
        elif about:
            notes.append("The run does not say which annotations it was validated on.")
        return None
    try:
        return CocoDataset.load(path)
    except AmidstError as error:
        notes.append(f"The validation annotations cannot be read: {error}.")
        return None


def _family(config: Record) -> object:
    model = config.get("model")
    return model.get("family") if isinstance(model, dict) else None


def _of_one_category(truth: CocoDataset) -> CocoDataset:
    """The same objects, all of the category that proposals carry."""
    annotations = tuple(replace(a, category_id=AGNOSTIC.id) for a in truth.annotations)
    return CocoDataset(truth.images, annotations, (AGNOSTIC,))


def _about_proposals(summary: Record) -> str:
    recalls = {label: number(summary, key) for label, key in RECALLS.items()}
    found = ", ".join(f"{label} {value:.3f}" for label, value in recalls.items() if math.isfinite(value))
    return (
        "This network proposes objects of any category, so all objects count as one category here, and "
        "boxes are compared. Recall as the run measured it: " + (found or "not written") + "."
    )


def _find(named: object, folder: Path) -> Path | None:
    """A path as the run wrote it, also tried from inside the run folder; None if it is nowhere."""
    if not isinstance(named, str) or not named:
        return None
    try:
        return next((path for path in (Path(named), folder / named) if path.exists()), None)
    except (OSError, ValueError):
        return None
