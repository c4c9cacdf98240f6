"""`amidst evaluate`: the COCO metric of a results file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from amidst.apps.cli.console import new_app, print_json
from amidst.apps.cli.scores import print_summary, summary_json
from amidst.evaluation import evaluate as score

app = new_app()


@app.command()
def evaluate(
    ann: Annotated[Path, typer.Argument(metavar="ANN", help="COCO file with the truth.")],
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="COCO results file with the detections.")
    ],
    kind: Annotated[Literal["bbox", "segm"], typer.Option(help="Compare boxes, or masks.")] = "bbox",
    engine: Annotated[
        Literal["fast", "pycocotools"],
        typer.Option(help="What does the arithmetic; the numbers are the same."),
    ] = "fast",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the scores as JSON: kind, stats (the twelve numbers), and more."),
    ] = False,
) -> None:
    """Score a results file with the COCO metric: twelve numbers, and a table by category.

    **Examples**

      amidst evaluate val.json results.json

      amidst evaluate val.json results.json --kind segm --json
    """
    summary = score(ann, results, kind, engine=engine)
    if as_json:
        print_json(summary_json(summary))
    else:
        print_summary(summary)
