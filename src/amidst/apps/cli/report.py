"""`amidst report`: the HTML page of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.console import new_app, say
from amidst.apps.report.build import write_report

app = new_app()


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The page; report.html in the run folder if not given.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the report of a training run as one self-contained HTML page.

    It shows the curves of loss and AP, the scores by category and size, precision against recall, and the
    validation images with truth beside detections, worst misses first.

    **Examples**

      amidst report runs/mine -o mine.html
    """
    say(f"report written to {write_report(run, output or run / 'report.html')}")
