"""The root of the command line: what commands there are, and how an error ends.

`COMMANDS` names every command with the line `amidst --help` shows; the module of that name holds it and is
imported when its command is called (`lazy`), so that help and the numpy side start without torch. A module
offers `app`, a `typer.Typer`: with one command it is that command, with several, or with a callback, a group.

Exit codes: 0 done, 1 the call was right but what it found is not, 2 the call was wrong, 130 interrupted.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from amidst.apps.cli.console import LogLines, error_line
from amidst.apps.cli.lazy import lazy_group, placeholder
from amidst.apps.cli.version import amidst_version
from amidst.errors import AmidstError

COMMANDS = {
    "demo": "Train, predict, score and show on the bundled photographs, in a few minutes.",
    "dataset": "Check, summarise, browse, split, release and convert COCO-format datasets.",
    "collect": "Choose categories, plan searches, fetch photographs that may be used.",
    "crowd": "Label a dataset with people: serve a campaign, simulate one, export it.",
    "leaderboard": "Run an evaluation server with hidden annotations, or submit to one.",
    "recipes": "List the training recipes, or show one with all its settings.",
    "train": "Train a detector on a COCO-format dataset.",
    "alternate": "Train Faster R-CNN in four steps with shared features.",
    "study": "Train the configurations of a table of the thesis, and compare.",
    "predict": "Detect objects in photographs, folders or a dataset.",
    "propose": "Propose masks of objects of any category, with scores.",
    "export": "Write a model as one ONNX file that predicts elsewhere.",
    "evaluate": "Score a results file with the COCO metric.",
    "recall": "Score proposals: average recall, its area, and their curves.",
    "analyse": "Error types, PASCAL's AP, shape masks, transfer between datasets.",
    "report": "Write the HTML report of a training run.",
    "weights": "List, download and convert weights; inspect those of other families.",
}
MODULES = {name: f"amidst.apps.cli.{name}" for name in COMMANDS}
VERBOSE = "--verbose"

app = typer.Typer(
    cls=lazy_group(MODULES),
    name="amidst",
    help="Common objects, amidst their surroundings: check a COCO-format dataset, train a detector on it, "
    "score it and show it.",
    epilog="Start with: amidst demo. Exit codes: 0 done, 1 findings, 2 wrong call.",
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(placeholder)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"amidst {amidst_version()}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option(VERBOSE, help="Log what happens; show where an error comes from. Works anywhere.")
    ] = False,
) -> None:
    """Options of every command; both are dealt with before this is called."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code. Errors on purpose become one line on stderr."""
    words = [word for word in arguments if word != VERBOSE]
    verbose = len(words) < len(arguments)
    logger = logging.getLogger("amidst")
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    logger.handlers = [LogLines()]
    command = typer.main.get_command(app)
    try:
        code = command.main(args=words or ["--help"], prog_name="amidst", standalone_mode=False)
    except AmidstError as error:
        code = _fail(str(error), error.exit_code, verbose)
    except typer.TyperException as error:
        code = _fail(error.format_message(), error.exit_code, verbose)
    except typer.Abort:
        code = 130
    except OSError as error:
        code = _fail(str(error), 2, verbose)
    except KeyboardInterrupt:
        code = 130
    return code if isinstance(code, int) else 0


def _fail(message: str, exit_code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exc()
    if message:
        error_line(message)
    return exit_code


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; exits the process."""
    # Pillow warns of large pictures from half the limit on that amidst.coco.images holds them to.
    warnings.filterwarnings("ignore", message=".*could be decompression bomb")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
