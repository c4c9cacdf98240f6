"""`amidst recall`: how many objects proposals find."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.scores import shown
from amidst.apps.report.figure_style import save_figure
from amidst.apps.report.proposal_figures import WHAT, proposal_figure
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.proposals import has_masks
from amidst.errors import DataError, UsageError
from amidst.evaluation.proposals import ProposalSummary, score_proposals

app = new_app()

Kind = Literal["bbox", "segm"]


@app.command()
def recall(
    ann: Annotated[Path, typer.Argument(metavar="ANN.json", help="COCO file with the ground truth.")],
    proposals: Annotated[
        list[str],
        typer.Argument(
            metavar="PROPOSALS.json...",
            help="COCO results files, to be compared if there are several; NAME=FILE gives one a name.",
        ),
    ],
    kind: Annotated[
        Kind | None,
        typer.Option(help="Compare boxes, or masks; left out: masks if every proposal has one."),
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="N,N,...", help="Numbers of proposals an image.")
    ] = "10,100,1000",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON with all curves: of one file, or by name of several."),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write recall.svg, .png and .json into this folder.", show_default=False
        ),
    ] = None,
) -> None:
    """Score proposals: average recall (AR) at N proposals an image, and its area (AUC).

    Matching is COCO's, whatever the categories. AUC averages AR over 1 to 1,000 proposals on a logarithmic
    axis; the bound is AR with all proposals; an object is missed if no proposal overlaps it by more than 0.5.

    **Examples**

      amidst recall val.json proposals.json

      amidst recall val.json rpn=rpn.json sharpmask=sharp.json --kind bbox --at 1,10,100,1000 --plot curves/
    """
    files, numbers = _named_files(proposals), _numbers(at)
    dataset = CocoDataset.load(ann)
    if kind is None and len(files) > 1:
        kind = _common_kind(list(files.values()))
    summaries = {name: _scored(ann, dataset, file, kind, numbers) for name, file in files.items()}
    documents = {name: summary.to_builtins() for name, summary in summaries.items()}
    document = documents if len(documents) > 1 else next(iter(documents.values()))
    if as_json:
        print_json(document)
    elif len(summaries) == 1:
        _print_by_area(next(iter(summaries.values())))
    else:
        _print_side_by_side(summaries)
    if plot is not None:
        write_atomically(plot / "recall.json", msgspec.json.format(msgspec.json.encode(document)))
        sheet = proposal_figure(summaries)
        for ending in ("svg", "png"):
            save_figure(sheet, plot / f"recall.{ending}")
        say(f"figures written to {plot}")


def _scored(ann: Path, dataset: CocoDataset, file: Path, kind: Kind | None, at: list[int]) -> ProposalSummary:
    """The summary of a file. Raises DataError, naming the file of the truth where that is at fault."""
    try:
        return score_proposals(dataset, file, kind=kind, at=at)
    except DataError as error:
        if error.file is not None:
            raise
        hint = "; compare boxes: --kind bbox" if error.rule == "missing-field" else ""
        raise DataError(f"{error.problem}{hint}", file=ann, record=error.record, rule=error.rule) from None


def _print_by_area(summary: ProposalSummary) -> None:
    """One file: a line for each number, a column for each size of objects."""
    rows = [(label, *(by_area[area] for area in summary.areas)) for label, by_area in _lines(summary).items()]
    print_table(_title(summary), ("", *summary.areas), rows, right=summary.areas)


def _print_side_by_side(summaries: dict[str, ProposalSummary]) -> None:
    """Several files: a line for each number and size of objects, a column for each file."""
    first = next(iter(summaries.values()))
    lines = [_lines(summary) for summary in summaries.values()]
    rows = [
        (label, area, *(line[label][area] for line in lines)) for label in lines[0] for area in first.areas
    ]
    rows.insert(0, ("proposals", "", *(f"{s.proposals:,}" for s in summaries.values())))
    title = f"{WHAT[first.kind].capitalize()}: recall in {first.images:,} images"
    print_table(title, ("", "objects", *summaries), rows, right=tuple(summaries))


def _lines(summary: ProposalSummary) -> dict[str, dict[str, str]]:
    """The table's numbers as text, by label and area."""
    lines = {f"AR@{n}": {area: shown(summary.ar(n, area)) for area in summary.areas} for n in summary.at}
    lines["AUC"] = {area: shown(summary.auc(area)) for area in summary.areas}
    lines["bound"] = {area: shown(summary.ar(None, area)) for area in summary.areas}
    for label, numbers in (("missed", summary.missed), ("objects", summary.objects)):
        lines[label] = {area: f"{number:,}" for area, number in zip(summary.areas, numbers, strict=True)}
    return lines


def _title(summary: ProposalSummary) -> str:
    return (
        f"{WHAT[summary.kind].capitalize()}: recall of {summary.proposals:,} proposals "
        f"in {summary.images:,} images"
    )


def _named_files(words: list[str]) -> dict[str, Path]:
    """Files by name: of NAME=FILE the name, else the file's own without its ending."""
    files: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or not path or Path(word).is_file():
            name, path = Path(word).stem, word
        if name in files:
            raise UsageError(f"{word}: there is a second {name!r}; name the files: NAME=FILE")
        files[name] = Path(path)
    return files


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--at {text}: expected numbers such as 10,100,1000") from None


def _common_kind(files: list[Path]) -> Kind:
    """Masks if every proposal of every file has one, and there are any."""
    found = [has_masks(file) for file in files]
    return "segm" if True in found and False not in found else "bbox"
