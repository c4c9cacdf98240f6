"""Runs the cells of a study one after the other, and keeps its table up to date.

A finished cell is known by its `cell.json` and never repeated; an unfinished one goes on from its checkpoint.
A cell whose loss is no longer a number is finished too: that it diverged is its result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from amidst.apps.cli.console import say, warning_line
from amidst.apps.cli.jobs import Job, Split, is_first_process, run_job
from amidst.apps.cli.opening import choose_device
from amidst.apps.cli.progress import step
from amidst.apps.cli.study_plan import Planned
from amidst.apps.cli.study_timing import Contestant, times_per_image
from amidst.apps.report.figure_style import save_figure
from amidst.apps.report.study_figures import study_figure
from amidst.apps.report.study_table import COLUMNS, Row, StudyTable, to_builtins, to_markdown
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.errors import MissingExtra, NonFiniteLoss
from amidst.evaluation.params import AREA_RANGES
from amidst.inference.opening import open_model
from amidst.inference.predict import resize_rule
from amidst.recipes.studies import STUDIES, Cell
from amidst.training import checkpoint
from amidst.training.config import ResizeConfig
from amidst.training.log import read_lines

CELL = "cell.json"


@dataclass(frozen=True)
class StudyRun:
    """A study to do, or to go on with."""

    name: str
    run_dir: Path
    train: Split | None  # None: nothing is trained
    val: Split
    about: dict[str, str]
    device: str = "auto"


def cell_dir(run: StudyRun, cell: Cell) -> Path:
    """The run folder of a cell."""
    return run.run_dir / "cells" / cell.name


def train_cells(run: StudyRun, planned: Sequence[Planned], chosen: set[str]) -> StudyTable:
    """Train what is chosen and not finished; the table is written after every cell."""
    cells = [p.cell for p in planned]
    # Decided before the first cell: under torchrun every process has to find the same.
    to_do = [p for p in planned if p.cell.name in chosen and not (cell_dir(run, p.cell) / CELL).is_file()]
    skipped = len(chosen) - len(to_do)
    if skipped and is_first_process():
        say(f"{skipped} of {len(chosen)} cells are finished already")
    for number, p in enumerate(to_do, start=1):
        if is_first_process():
            say(f"\ncell {number} of {len(to_do)}: {p.cell.name} ({', '.join(p.cell.settings)})")
        _train_cell(run, p)
        if is_first_process():
            write_table(run, cells)
    if not is_first_process():
        return make_table(run, cells)
    time_cells(run, [(cell, _model_file(run, cell), None) for cell in cells])
    return write_table(run, cells)


def _model_file(run: StudyRun, cell: Cell) -> Path:
    return cell_dir(run, cell) / "model.safetensors"


def time_cells(run: StudyRun, files: Sequence[tuple[Cell, Path, ResizeConfig | None]]) -> None:
    """Measure the time of an image again for all cells with scores, side by side, and note it.

    files: model file of each cell, and the resize rule where it is not that of the file.
    """
    records = {cell.name: _record(run, cell) for cell, _, _ in files}
    timed = [(cell, file, rule) for cell, file, rule in files if "scores" in records[cell.name]]
    contestants = []
    for _, file, rule in timed:
        model, info = open_model(str(file), choose_device(run.device))
        contestants.append(Contestant(model, info, rule or resize_rule(info)))
    with step("measuring the time of an image"):
        times = times_per_image(contestants, run.val)
    for (cell, _, _), ms in zip(timed, times, strict=False):  # no times without images
        write_json(cell_dir(run, cell) / CELL, records[cell.name] | {"ms": ms})


def _record(run: StudyRun, cell: Cell) -> dict[str, Any]:
    """What is noted of a finished cell; nothing of others."""
    path = cell_dir(run, cell) / CELL
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    return found


def _train_cell(run: StudyRun, planned: Planned) -> None:
    folder = cell_dir(run, planned.cell)
    assert run.train is not None
    begun = bool(checkpoint.folders(folder)) or (folder / "log.jsonl").exists()
    job = Job(planned.experiment, run.train, run.val, folder, run.device, resume=begun)
    try:
        run_job(job)
    except NonFiniteLoss as error:
        if is_first_process():
            warning_line(f"cell {planned.cell.name} diverged: {error}")
            write_json(folder / CELL, {"diverged": str(error)})
        return
    if is_first_process():
        write_json(folder / CELL, {"scores": _last_validation(folder)})
        time_cells(run, [(planned.cell, _model_file(run, planned.cell), None)])


def _last_validation(folder: Path) -> dict[str, float]:
    """Scores by name, from the log: of this process, or of one that was stopped after them."""
    lines = [line for line in read_lines(folder / "log.jsonl") if "validation" in line]
    return {name: float(value) for name, value in lines[-1]["validation"].items()}


def make_table(run: StudyRun, cells: Sequence[Cell]) -> StudyTable:
    """The table of what is finished by now."""
    study = STUDIES[run.name]
    return StudyTable(
        study=run.name,
        title=study.title,
        source=study.source,
        kind=study.kind,
        about=run.about,
        rows=tuple(_row(run, cell) for cell in cells),
        notes=data_notes(None if run.train is None else run.train.dataset, run.val.dataset),
    )


def write_table(run: StudyRun, cells: Sequence[Cell]) -> StudyTable:
    """table.json, table.md and the picture of what is finished by now."""
    table = make_table(run, cells)
    write_json(run.run_dir / "table.json", to_builtins(table))
    picture = f"\n![{table.title}](study.svg)\n"
    write_atomically(run.run_dir / "table.md", (to_markdown(table) + picture).encode())
    try:
        sheet = study_figure(table, STUDIES[run.name].chart)
    except MissingExtra as error:
        warning_line(f"no picture: {error}")
        return table
    for ending in ("svg", "png"):
        save_figure(sheet, run.run_dir / f"study.{ending}")
    return table


def _row(run: StudyRun, cell: Cell) -> Row:
    folder = cell_dir(run, cell)
    found = _record(run, cell)
    if not found:
        begun = bool(checkpoint.folders(folder))
        state = "unfinished" if begun else "not run"
        return Row(cell.name, cell.settings, None, None, state, cell.published)
    if "diverged" in found:
        return Row(cell.name, cell.settings, None, None, f"diverged: {found['diverged']}", cell.published)
    scores = {name: found["scores"].get(name, -1.0) for name in COLUMNS[STUDIES[run.name].kind]}
    return Row(cell.name, cell.settings, scores, found.get("ms"), "done", cell.published)


def data_notes(train: CocoDataset | None, val: CocoDataset) -> tuple[str, ...]:
    """What the data cannot tell: sizes and categories without objects."""
    counted = [a for a in val.annotations if not (a.iscrowd or a.ignore)]
    notes = []
    for name, low, high in AREA_RANGES:
        if not any(low <= annotation.area <= high for annotation in counted):
            what = "objects at all" if name == "all" else f"{name} objects"
            notes.append(f"The validation data has no {what}: their scores are -1 and mean nothing.")
    found = {annotation.category_id for annotation in counted}
    absent = [category.name for category in val.categories if category.id not in found]
    if absent:
        notes.append(
            f"The validation data has no object of {_listed(absent)}: no score counts them, they are -1 by "
            "themselves."
        )
    if train is not None:
        learnt = {a.category_id for a in train.annotations if not a.iscrowd}
        foreign = [c.name for c in val.categories if c.id in found and c.id not in learnt]
        if foreign:
            notes.append(f"The training data has no object of {_listed(foreign)}: every cell misses them.")
    return tuple(notes)


def describe_machine(device: str) -> str:
    """What times were measured on."""
    chosen = choose_device(device)
    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    threads = torch.get_num_threads()
    return f"{chosen.type}, {threads} thread{'s' if threads > 1 else ''}"


def write_json(path: Path, value: Any) -> None:
    """Complete or not at all."""
    write_atomically(path, json.dumps(value, indent=1).encode() + b"\n")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more categories"
