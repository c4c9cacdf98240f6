"""`amidst study`: a table of the thesis again, on one's own data and at one's own scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.console import new_app, print_table, say
from amidst.apps.cli.experiments import nearest
from amidst.apps.cli.jobs import Split, expect_images, is_first_process
from amidst.apps.cli.study_models import evaluate_models, model_cells
from amidst.apps.cli.study_plan import choose, claim, plan, study_record
from amidst.apps.cli.study_run import StudyRun, describe_machine, train_cells
from amidst.apps.cli.train import open_split
from amidst.apps.report.study_table import (
    LABELS,
    RANKED_BY,
    StudyTable,
    order_lines,
    published_columns,
    table_cells,
)
from amidst.errors import UsageError
from amidst.recipes.studies import STUDIES
from amidst.training.setup import check_proposals

app = new_app()


Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A study; without one, all are listed.")]
TrainFile = Annotated[Path | None, typer.Option("--train", help="COCO file to learn from.")]
ValFile = Annotated[Path | None, typer.Option(help="COCO file to score on.")]
Images = Annotated[Path | None, typer.Option(help="Folder of the images.")]
ValImages = Annotated[Path | None, typer.Option(help="Folder of the images of --val, if another one.")]
RunFolder = Annotated[Path | None, typer.Option(help="Folder for everything the study writes.")]
RecipeName = Annotated[str | None, typer.Option(help="Recipe that is varied; left out: the thesis's.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting in every cell; repeatable."),
]
Only = Annotated[list[str] | None, typer.Option(metavar="CELL", help="Run only this cell; repeatable.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the study in the folder.")]
Seed = Annotated[int, typer.Option(help="Seed of all randomness, the same in every cell.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
ProposalFile = Annotated[
    Path | None, typer.Option(help="Fast R-CNN: proposals for --train, as COCO results.")
]
ValProposalFile = Annotated[Path | None, typer.Option(help="Fast R-CNN: proposals for --val.")]
Models = Annotated[
    list[str] | None,
    typer.Option(help="speed-accuracy: score this trained model instead of training; repeatable."),
]
Shorts = Annotated[list[int] | None, typer.Option(help="With --model: a short side in pixels; repeatable.")]


@app.command()
def study(
    name: Name = None,
    train: TrainFile = None,
    val: ValFile = None,
    images: Images = None,
    val_images: ValImages = None,
    run: RunFolder = None,
    recipe: RecipeName = None,
    settings: Settings = None,
    only: Only = None,
    resume: Resume = False,
    seed: Seed = 0,
    device: Device = "auto",
    proposals: ProposalFile = None,
    val_proposals: ValProposalFile = None,
    model: Models = None,
    short: Shorts = None,
) -> None:
    """Train every configuration of a table of the thesis alike, and set the scores beside the thesis's.

    Without NAME, the studies are listed; with NAME alone, its cells. The run folder holds a run folder for
    each cell, and table.md, table.json and the pictures, which are rewritten after each cell. All cells have
    the same seed, so they see the same images in the same order. Ctrl-C and --resume go on where it stopped.

    **Examples**

      amidst study

      amidst study focal-gamma --recipe retinanet_lite_320 --train train.json --val val.json --images images/
      --run studies/gamma --set schedule.epochs=3

      amidst study speed-accuracy --model person --short 192 --short 320 --val val.json --images images/
      --run studies/speed
    """
    if name is None:
        _list_studies()
        return
    if name not in STUDIES:
        raise UsageError(f"no study called {name!r}{nearest(name, STUDIES)}; amidst study lists all")
    if not any((train, val, images, run, recipe, settings, only, model, short, resume)):
        _list_cells(name)
        return
    if run is None or val is None or images is None:
        missing = next(o for o, v in (("--run", run), ("--val", val), ("--images", images)) if v is None)
        raise UsageError(f"{missing} is missing; see amidst study --help")
    scored_on = open_split(val, val_images or images, val_proposals)
    if model or short:
        table = _score_models(name, model or [], short or [], scored_on, run, device, resume)
    elif train is None:
        raise UsageError("--train is missing; see amidst study --help")
    else:
        files = {"--train": train, "--val": val, "--proposals": proposals, "--val-proposals": val_proposals}
        varied = recipe or STUDIES[name].recipe
        wish = Wish(name, varied, settings or [], only or [], seed, device, resume, files)
        table = _train(wish, open_split(train, images, proposals), scored_on, run)
    if is_first_process():
        _show(table, run)


@dataclass(frozen=True)
class Wish:
    """What was asked for, apart from the data."""

    study: str
    recipe: str
    settings: Sequence[str]
    only: Sequence[str]
    seed: int
    device: str
    resume: bool
    files: Mapping[str, Path | None]  # by option


def _train(wish: Wish, train: Split, val: Split, run: Path) -> StudyTable:
    planned = plan(wish.study, wish.recipe, wish.settings, wish.seed)
    chosen = choose(STUDIES[wish.study], wish.only)
    for split in (train, val):
        check_proposals(planned[0].experiment.model, split.proposals is not None)
        expect_images(split)
    if is_first_process():
        claim(run, study_record(wish.study, planned, wish.files), resume=wish.resume)
    return train_cells(
        StudyRun(wish.study, run, train, val, _about(wish, train, val), wish.device), planned, chosen
    )


def _score_models(
    name: str, models: Sequence[str], shorts: Sequence[int], val: Split, run: Path, device: str, resume: bool
) -> StudyTable:
    if STUDIES[name].chart != "speed" or not (models and shorts):
        raise UsageError("--model and --short go together, and with the study speed-accuracy only")
    return evaluate_models(name, model_cells(models, shorts), val, run, device, resume=resume)


def _about(wish: Wish, train: Split, val: Split) -> dict[str, str]:
    base = STUDIES[wish.study].base if wish.recipe == STUDIES[wish.study].recipe else ()
    changed = " ".join(f"`{setting}`" for setting in (*base, *wish.settings))
    learnt, scored = (f"{len(s.dataset.images):,} images" for s in (train, val))
    return {
        "recipe": f"`{wish.recipe}`" + (f" with {changed}" if changed else ""),
        "seed": f"{wish.seed}, the same in every cell: each sees the same images in the same order",
        "data": f"{learnt} to learn from, {scored} to score on",
        "time": f"median of single images, network and decoding, on {describe_machine(wish.device)}",
    }


def _list_studies() -> None:
    columns = ("study", "what it varies", "thesis", "cells", "recipe")
    rows = [(name, s.title, s.source, str(len(s.cells)), s.recipe) for name, s in STUDIES.items()]
    print_table("", columns, rows, right=("cells",))
    say("\namidst study NAME shows the cells of one; amidst study --help how to run it")


def _list_cells(name: str) -> None:
    found, by = STUDIES[name], RANKED_BY[STUDIES[name].kind]
    rows = [
        (
            cell.name,
            " ".join(cell.settings),
            "; ".join(f"{p.scores[by]:.3f} ({p.setting})" for p in cell.published if by in p.scores),
        )
        for cell in found.cells
    ]
    print_table(f"{found.title} ({found.source})", ("cell", "settings", f"thesis {LABELS[by]}"), rows)
    base = f" with {' '.join(found.base)}" if found.base else ""
    say(f"\nrecipe: {found.recipe}{base}; run it with: amidst study {name} --train --val --images --run")


def _show(table: StudyTable, run: Path) -> None:
    # On screen the published scores that decide the order; the file has them all.
    published = [(s, name) for s, name in published_columns(table) if name in (table.ranked_by, "ms")]
    heads = [f"thesis {LABELS.get(name, name)}, {setting}" for setting, name in published]
    columns = ("cell", *(LABELS[name] for name in table.columns), "ms", *heads)
    print_table(f"{table.title} ({table.source})", columns, table_cells(table, published), right=columns[1:])
    for row in table.rows:
        if row.state != "done":
            say(f"{row.name}: {row.state}")
    for line in ("", *order_lines(table), "", *table.notes):
        say(line)
    say(f"\nthe table is {run / 'table.md'}, the picture {run / 'study.svg'}")
