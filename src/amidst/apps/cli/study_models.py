"""The study of speed and accuracy on models that are trained already: each at several short sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amidst.apps.cli.console import say
from amidst.apps.cli.jobs import Split, expect_images
from amidst.apps.cli.opening import choose_device
from amidst.apps.cli.progress import step
from amidst.apps.cli.scores import scores_by_name
from amidst.apps.cli.study_plan import claim, file_digest
from amidst.apps.cli.study_run import (
    CELL,
    StudyRun,
    cell_dir,
    describe_machine,
    time_cells,
    write_json,
    write_table,
)
from amidst.apps.report.study_table import StudyTable
from amidst.errors import UsageError
from amidst.evaluation import evaluate
from amidst.inference.opening import open_model
from amidst.inference.predict import predict_dataset
from amidst.models.weights import resolve_model
from amidst.recipes.studies import Cell
from amidst.training.config import ResizeConfig


@dataclass(frozen=True)
class ModelCell:
    """A trained model at one size."""

    cell: Cell
    file: Path
    resize: ResizeConfig


def model_cells(models: Sequence[str], shorts: Sequence[int]) -> list[ModelCell]:
    """Every model at every short side; the long side may be 1333 / 800 of it.

    Raises UsageError for a model that is none, for two of the same name, and for a short side below 1.
    """
    names = [Path(model).stem for model in models]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise UsageError(f"--model: two models are called {repeated!r}; name them differently")
    if min(shorts) < 1:
        raise UsageError(f"--short {min(shorts)}: expected at least 1 pixel")
    cells = []
    for name, model in zip(names, models, strict=True):
        for short in sorted(set(shorts)):
            resize = ResizeConfig(short=short, long=round(short * 1333 / 800))
            cell = Cell(f"{name}-{short}", (f"resize.short={resize.short}", f"resize.long={resize.long}"))
            cells.append(ModelCell(cell, resolve_model(model), resize))
    return cells


def evaluate_models(
    name: str, cells: Sequence[ModelCell], val: Split, run_dir: Path, device: str, *, resume: bool
) -> StudyTable:
    """Score and time every cell that is not finished; the table is written after each."""
    expect_images(val)
    assert val.file is not None
    files = {"--val": val.file} | {f"--model {c.file}": c.file for c in cells}
    claim(
        run_dir,
        {"study": name, "data": {k: file_digest(f) for k, f in files.items()}, "cells": {}},
        resume=resume,
    )
    about = {
        "models": ", ".join(dict.fromkeys(f"`{c.cell.name.rpartition('-')[0]}`" for c in cells)),
        "data": f"{len(val.dataset.images):,} images to score on; nothing is trained",
        "time": f"median of single images, network and decoding, on {describe_machine(device)}",
    }
    run = StudyRun(name, run_dir, None, val, about, device)
    rows = [c.cell for c in cells]
    for number, cell in enumerate(cells, start=1):
        if not (cell_dir(run, cell.cell) / CELL).is_file():
            say(f"cell {number} of {len(cells)}: {cell.cell.name}")
            _evaluate(run, cell)
            write_table(run, rows)
    time_cells(run, [(c.cell, c.file, c.resize) for c in cells])
    return write_table(run, rows)


def _evaluate(run: StudyRun, cell: ModelCell) -> None:
    folder, val = cell_dir(run, cell.cell), run.val
    model, info = open_model(str(cell.file), choose_device(run.device))
    with step("predicting", len(val.dataset.images)) as bar:
        results = predict_dataset(
            model, info, val.dataset, val.images_dir, resize=cell.resize, progress=bar.update
        )
    results_file = folder / "results.json"
    results_file.parent.mkdir(parents=True, exist_ok=True)
    results.save(results_file)
    write_json(folder / CELL, {"scores": scores_by_name(evaluate(val.dataset, results))})
    time_cells(run, [(cell.cell, cell.file, cell.resize)])
