"""`amidst analyse proposals`: AP of a Fast R-CNN against the number of proposals it gets (Fig. 3.5c)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.jobs import Split, expect_images
from amidst.apps.cli.opening import choose_device
from amidst.apps.cli.progress import step
from amidst.apps.cli.scores import scores_by_name, shown
from amidst.apps.report.budget_figure import budget_figure
from amidst.apps.report.figure_style import save_figure
from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import Proposals
from amidst.errors import UsageError
from amidst.evaluation import evaluate
from amidst.inference.finding import expect_folder
from amidst.inference.opening import open_model
from amidst.inference.predict import predict_dataset
from amidst.models.weights import ModelInfo
from amidst.training.setup import check_proposals

app = new_app()

AT = "10,30,100,300,1000"
COLUMNS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")


@app.command()
def proposals(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A trained Fast R-CNN.")],
    ann: Annotated[Path, typer.Option(help="COCO file with the truth.")],
    images: Annotated[Path, typer.Option(help="Folder of its images.")],
    file: Annotated[
        list[str],
        typer.Option(
            "--proposals",
            metavar="[NAME=]FILE",
            help="Proposals as COCO results, boxes or masks; once for each method to compare.",
        ),
    ],
    at: Annotated[str, typer.Option(help="Numbers of proposals of an image.")] = AT,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write proposals.svg and .png into this folder.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Detection scores with the best N proposals of each image, for several N.

    **Example**

      amidst analyse proposals runs/fast --ann val.json --images images/ --proposals sharp=sharpmask.json
      --proposals fpn=fpn_masks.json -o curves/
    """
    numbers = _numbers(at)
    network, info = open_model(model, choose_device(device))
    check_proposals(info.config, given=True)
    dataset = CocoDataset.load(ann)
    split = Split(dataset, expect_folder(images), ann)
    expect_images(split)
    found: dict[str, dict[int, dict[str, float]]] = {}
    for name, path in map(_named, file):
        found[name] = {
            n: _scores(network, info, split, Proposals.load(path, dataset, limit=n)) for n in numbers
        }
    if as_json:
        print_json({name: {str(n): scores for n, scores in by.items()} for name, by in found.items()})
    else:
        rows = [
            (name, str(n), *(shown(scores[column]) for column in COLUMNS))
            for name, by in found.items()
            for n, scores in by.items()
        ]
        columns = ("proposals", "an image", *COLUMNS)
        print_table("", columns, rows, right=columns[1:])
    if output is not None:
        sheet = budget_figure({name: {n: s["ap"] for n, s in by.items()} for name, by in found.items()})
        for ending in ("svg", "png"):
            save_figure(sheet, output / f"proposals.{ending}")
        say(f"figures written to {output}")


def _scores(network: nn.Module, info: ModelInfo, split: Split, given: Proposals) -> dict[str, float]:
    with step("detecting", len(split.dataset.images)) as bar:
        results = predict_dataset(
            network, info, split.dataset, split.images_dir, proposals=given, progress=bar.update
        )
    return scores_by_name(evaluate(split.dataset, results))


def _numbers(text: str) -> Sequence[int]:
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise UsageError(f"--at {text}: expected whole numbers from 1 on, such as {AT}")
    return numbers


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals else (Path(text).stem, Path(text))
