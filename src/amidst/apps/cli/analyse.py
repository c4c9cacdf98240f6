"""`amidst analyse`: the comparisons of section 2.7, from results files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli import analyse_shapes
from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.lazy import lazy_group, placeholder
from amidst.apps.report.error_figures import error_figure
from amidst.apps.report.figure_style import save_figure
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.results import Results
from amidst.errors import UsageError
from amidst.evaluation import diagnosis, pascal, transfer

# Without torch: only what runs a network loads it.
LAZY = {"loss": "amidst.apps.cli.analyse_loss", "proposals": "amidst.apps.cli.analyse_proposals"}

app = new_app(
    "Error types, PASCAL's AP, shape masks, transfer between datasets, loss of a detector.", lazy_group(LAZY)
)
app.command("loss", help="Who carries the focal loss of a trained RetinaNet.")(placeholder)
app.command("proposals", help="AP of a Fast R-CNN against the number of its proposals.")(placeholder)
app.command("fit-shapes")(analyse_shapes.fit_shapes)
app.command("paste-shapes")(analyse_shapes.paste_shapes)
app.command("masks")(analyse_shapes.masks)

AnnFile = Annotated[Path, typer.Argument(metavar="ANN.json", help="COCO file with the ground truth.")]
ResultsFile = Annotated[Path, typer.Argument(metavar="RESULTS.json", help="COCO results file with boxes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def errors(
    ann: AnnFile,
    results: ResultsFile,
    category: Annotated[
        list[str] | None, typer.Option(help="Only these categories, by name.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write errors.json, .svg and .png into this folder.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Where precision is lost: localisation, similar and other categories, background, missed objects.

    Each column forgives one more kind of error (C75, C50, Loc, Sim, Oth, BG, FN); the step from one column to
    the next is what that kind costs.

    **Example**

      amidst analyse errors val.json results.json -o errors/
    """
    dataset = CocoDataset.load(ann)
    chosen = _category_ids(dataset, category)
    found = diagnosis.diagnose(dataset, Results.load(results))
    document = diagnosis.to_builtins(found)
    if as_json:
        print_json(document)
    else:
        rows = [
            (area, *(_ap(found.ap(area, chosen)[name]) for name in diagnosis.CURVES)) for area in found.areas
        ]
        print_table("", ("area", *diagnosis.CURVES), rows, right=diagnosis.CURVES)
        _family_table(document["areas"]["all"]["supercategories"])
    if output is not None:
        write_atomically(output / "errors.json", _pretty(document))
        title = ", ".join(category) if category else "all categories"
        sheet = error_figure(found, title, chosen)
        for ending in ("svg", "png"):
            save_figure(sheet, output / f"errors.{ending}")
        say(f"figures written to {output}")


@app.command("pascal")
def pascal_(
    ann: AnnFile,
    results: ResultsFile,
    iou: Annotated[float, typer.Option(help="Least IoU of a hit.", min=0.01, max=1)] = pascal.IOU,
    eleven_points: Annotated[
        bool, typer.Option("--11-point", help="The mean at eleven recalls (VOC 2007) instead of the area.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """PASCAL VOC's average precision, by category and on average.

    **Example**

      amidst analyse pascal voc_test.json results.json
    """
    area: pascal.Area = "11-point" if eleven_points else "exact"
    score = pascal.pascal_ap(CocoDataset.load(ann), Results.load(results), iou=iou, area=area)
    if as_json:
        print_json(msgspec.to_builtins(score))
        return
    columns = ("category", "objects", "detections", "recall", "AP")
    rows = [
        (row.name, f"{row.objects:,}", f"{row.detections:,}", _ap(row.recall), _ap(row.ap))
        for row in score.categories
    ]
    print_table("", columns, [*rows, ("mean", "", "", "", _ap(score.mean))], right=columns[1:])


@app.command("transfer")
def transfer_(
    dataset: Annotated[
        list[str], typer.Option(metavar="NAME=ANN.json", help="A dataset to score on; once for each.")
    ],
    results: Annotated[
        list[str],
        typer.Option(metavar="MODEL@NAME=RESULTS.json", help="A model's detections on a dataset."),
    ],
    trained_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL=NAME",
            help="The dataset a model was trained on; left out: the dataset of the model's name.",
            show_default=False,
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these categories; left out: all that the datasets share.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """AP of models on datasets they were not trained on, and what they lose there (Table 2.1).

    Categories are compared by name.

    **Example**

      amidst analyse transfer --dataset coco=coco.json --dataset voc=voc.json --results coco@coco=cc.json
      --results coco@voc=cv.json --results voc@coco=vc.json --results voc@voc=vv.json
    """
    datasets = {name: CocoDataset.load(path) for name, path in map(_assignment, dataset)}
    found = {}
    for key, path in map(_assignment, results):
        model, at, name = key.rpartition("@")
        if not at:
            raise UsageError(f"--results {key}={path}: expected MODEL@DATASET=FILE")
        found[model, name] = Results.load(path)
    homes = dict(map(_assignment, trained_on or []))
    table = transfer.transfer(datasets, found, homes, categories=category)
    if as_json:
        print_json(transfer.to_builtins(table))
        return
    _transfer_table(table)


def _transfer_table(table: transfer.Transfer) -> None:
    numbers = [f"{what} {name}" for what in ("AP", "drop") for name in table.datasets]
    numbers.append("relative drop")
    rows = [
        (
            model,
            table.trained_on[model] or "-",
            *(_ap(table.ap(model, name)) for name in table.datasets),
            *(_ap(table.drop(model, name)) for name in table.datasets),
            _ap(table.relative_drop(model)),
        )
        for model in table.models
    ]
    title = f"{len(table.categories)} shared categories"
    print_table(title, ("model", "trained on", *numbers), rows, right=numbers)


def _family_table(families: dict[str, dict[str, float | None]]) -> None:
    rows = [
        (name, *(_ap(ap[curve]) for curve in diagnosis.CURVES))
        for name, ap in families.items()
        if ap["C75"] is not None
    ]
    print_table("", ("super-category", *diagnosis.CURVES), rows, right=diagnosis.CURVES)


def _category_ids(dataset: CocoDataset, names: list[str] | None) -> set[int] | None:
    if not names:
        return None
    by_name = {category.name: category.id for category in dataset.categories}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise UsageError(f"--category {unknown[0]}: the dataset has no such category")
    return {by_name[name] for name in names}


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise UsageError(f"{text}: expected NAME=VALUE")
    return name, value


def _ap(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _pretty(document: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document))
