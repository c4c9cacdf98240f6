"""`amidst dataset`: what there is to do with a dataset before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.dataset_convert import convert
from amidst.apps.cli.dataset_duplicates import duplicates
from amidst.apps.cli.dataset_release import release, verify
from amidst.apps.cli.dataset_select import merge, select
from amidst.apps.cli.dataset_show import show
from amidst.apps.cli.dataset_split import split
from amidst.apps.cli.dataset_stats import stats
from amidst.apps.cli.experiments import find_recipe
from amidst.apps.cli.progress import step
from amidst.apps.cli.reach import anchor_reach
from amidst.coco.check import check as check_dataset
from amidst.coco.findings import Finding, Report

app = new_app(help="Check, summarise, browse, split, release and convert COCO-format datasets.")
app.command()(stats)
app.command()(show)
app.command()(duplicates)
app.command()(select)
app.command()(merge)
app.command()(split)
app.command()(release)
app.command()(verify)
app.command()(convert)


@app.command()
def check(
    ann: Annotated[Path, typer.Argument(metavar="ANN", help="COCO file to check.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of its images, to check these too.", show_default=False)
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Also find objects that no anchor of this recipe can reach.", show_default=False),
    ] = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="Read every image to its last pixel: thorough, and slower.")
    ] = False,
    examples: Annotated[int, typer.Option(help="Findings shown of each rule.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print all findings as JSON.")] = False,
) -> None:
    """Find every defect of a dataset, naming file, record and rule.

    Exit code 0: clean, or with notes only; 1: errors (unusable, or wrong numbers) or warnings (probable
    mistakes); 2: a wrong call.

    **Examples**

      amidst dataset check train.json --images images/

      amidst dataset check train.json --recipe retinanet_lite_320 --json
    """
    reach = anchor_reach(find_recipe(recipe).make()) if recipe is not None else None
    with step("reading images") as bar:
        report = check_dataset(
            ann,
            images,
            decode=decode,
            anchor_reach=reach,
            progress=lambda done, total: bar.update(done, total),
        )
    if as_json:
        print_json({"file": str(ann), **report.to_builtins()})
    else:
        _show(report, ann, examples)
    if report.errors or report.warnings:
        raise typer.Exit(1)


def _show(report: Report, ann: Path, examples: int) -> None:
    """Findings by rule, each with its first examples, errors first."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in report.findings:  # errors come first, then warnings, then notes
        by_rule.setdefault(finding.rule, []).append(finding)
    rows: list[tuple[str, str, str, str]] = []
    for rule, found in by_rule.items():
        heads = [(found[0].severity, rule, str(len(found))), *[("", "", "")] * (examples - 1)]
        rows += [(*head, _where(finding, ann)) for head, finding in zip(heads, found, strict=False)]
    if rows:
        print_table("", ("", "rule", "found", f"the first {examples}"), rows, right=("found",))
    looked_at = ", ".join(f"{number} {what}" for what, number in report.checked.items())
    totals = f"{len(report.errors)} errors, {len(report.warnings)} warnings, {len(report.notes)} notes"
    say(f"{ann}: {totals} in {looked_at or 'nothing readable'}")


def _where(finding: Finding, ann: Path) -> str:
    file = "" if finding.file in (None, str(ann)) else f"{finding.file}: "
    record = f"{finding.record}: " if finding.record else ""
    return f"{file}{record}{finding.message}"
