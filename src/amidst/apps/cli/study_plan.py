"""What the cells of a study are exactly, and what a study's folder remembers of them.

RUN/study.json           name, and the whole configuration of every cell, written before the first update
RUN/cells/NAME/          run folder of a cell, as `amidst train` leaves it
RUN/cells/NAME/cell.json written last: the cell is done, or has diverged
RUN/table.md, .json      rewritten after every cell, with study.svg and study.png
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amidst.apps.cli.experiments import make_experiment
from amidst.apps.cli.train import with_model_file
from amidst.coco.files import write_atomically
from amidst.config import from_builtins, to_builtins
from amidst.errors import ConfigError, DataError, UsageError
from amidst.recipes.studies import STUDIES, Cell, Study
from amidst.training.checkpoint import check_same_experiment
from amidst.training.config import Experiment


@dataclass(frozen=True)
class Planned:
    """A cell with its full configuration."""

    cell: Cell
    experiment: Experiment


def plan(name: str, recipe: str, settings: Sequence[str], seed: int) -> list[Planned]:
    """Every cell of study `name` on `recipe`, changed by `settings`, with one seed.

    Raises ConfigError where a setting is one that the study itself varies.
    """
    study = STUDIES[name]
    base = (*(study.base if recipe == study.recipe else ()), *settings)
    varied = {_key(setting) for cell in study.cells for setting in cell.settings}
    for setting in settings:
        if _key(setting) in varied:
            raise ConfigError(
                f"--set {setting}: this is what the study {name} varies; choose cells by --only"
            )
    return [
        Planned(cell, with_model_file(make_experiment(recipe, [*base, *cell.settings], seed)))
        for cell in study.cells
    ]


def choose(study: Study, only: Sequence[str]) -> set[str]:
    """Names of the cells to run; all, if none are named. Raises UsageError for a name that is none."""
    names = [cell.name for cell in study.cells]
    for name in only:
        if name not in names:
            raise UsageError(f"--only {name}: no such cell; there are: {', '.join(names)}")
    return set(only or names)


def claim(run_dir: Path, record: Mapping[str, Any], *, resume: bool) -> None:
    """Take the folder for a study, or continue the one in it.

    `record` holds "study", "data" (file digests) and "cells" (name: experiment, as plain values).
    Raises UsageError for a folder in use, ConfigError naming what was changed since the study began.
    """
    path = run_dir / "study.json"
    if not path.is_file():
        if run_dir.is_dir() and any(run_dir.iterdir()):
            raise UsageError(f"{run_dir}: holds something else; choose an empty or new folder for the study")
        write_atomically(path, json.dumps(record, indent=1).encode() + b"\n")
        return
    if not resume:
        raise UsageError(
            f"{run_dir}: holds a study already; continue it with --resume or choose another folder"
        )
    before = _read(path)
    if before["study"] != record["study"]:
        raise UsageError(f"{run_dir}: holds the study {before['study']}, not {record['study']}")
    for name, old in before["cells"].items():
        new = record["cells"].get(name)
        if new is not None:
            check_same_experiment(from_builtins(old, Experiment), from_builtins(new, Experiment))
    changed = [what for what, digest in before["data"].items() if record["data"].get(what) != digest]
    if changed:
        raise ConfigError(
            f"{run_dir}: {', '.join(changed)} changed since the study began; start a new study folder"
        )


def study_record(name: str, planned: Sequence[Planned], files: Mapping[str, Path | None]) -> dict[str, Any]:
    """What `claim` keeps. `files`: those that were given, by option."""
    return {
        "study": name,
        "data": {what: file_digest(path) for what, path in files.items() if path is not None},
        "cells": {p.cell.name: to_builtins(p.experiment) for p in planned},
    }


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _key(setting: str) -> str:
    return setting.partition("=")[0].strip()


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        record["study"], record["data"].items(), record["cells"].items()
    except (ValueError, KeyError, AttributeError) as error:
        raise DataError(f"not a study's record ({error}); start a new study folder", file=path) from None
    return record
