"""`amidst crowd quality`: who agrees with whom, who falls below the line, whose masks are thrown away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.cli.crowd_figures import Rows
from amidst.apps.report.crowd_figures import worker_figure
from amidst.apps.report.figure_style import save_figure
from amidst.crowd import engine
from amidst.crowd.quality import RejectionLine, UnionCurve
from amidst.crowd.roster import Roster, RosterRow
from amidst.crowd.stage_metrics import StageMetrics

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")]
NO_CURVE = UnionCurve((), (), 0)  # as long as experts have not labelled what workers have
FIGURE = "workers"


def quality(
    folder: Folder,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--plots", metavar="DIR", help="Write Fig. 2.4 here, as SVG and PNG.", show_default=False
        ),
    ] = None,
    least_precision: Annotated[
        float | None,
        typer.Option(
            help="Try another line than the campaign's: precision below this, whatever the recall.",
            min=0,
            max=0.99,
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    database_url: Annotated[
        str, typer.Option(help="As of `serve`.", envvar="AMIDST_DATABASE_URL", show_default=False)
    ] = "",
) -> None:
    """How good workers are, and whose work to void; works while the campaign is served and changes nothing.

    Labelling: each worker's precision and recall against all others, several together against experts.
    Drawing: who has so many masks discarded that all of them should go (lower Wilson bound). Known items and
    speed: who is flagged. To void, look at the preview on the page /manage/voids. The line below which all
    labelling of a worker is rejected is the campaign's (`rejection`, on the page /manage/settings).

    **Example**

      amidst crowd quality birds/ --plots figures/
    """
    line = None
    if least_precision is not None:
        line = RejectionLine(first_precision=least_precision, second_precision=least_precision)

    async def work() -> tuple[Roster, StageMetrics]:
        async with opened(Place(folder, database_url), read_only=True) as store:
            return await engine.roster(store, line), await engine.stage_metrics(store)

    found, stages = asyncio.run(work())
    if plots is not None:
        draw(found, plots)
    if as_json:
        print_json({**as_builtins(found), "stages": msgspec.to_builtins(stages)})
        return
    for title, columns, rows in tables(found):
        print_table(title, columns, rows, right=columns[2:])
    print_table("stages", ("measure", "value"), stage_rows(stages), right=("value",))
    if plots is not None:
        say(f"{plots / FIGURE}.svg and .png written")


def as_builtins(found: Roster) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    return {
        "workers": msgspec.to_builtins(found.rows),
        "agreement": [one.to_builtins() for one in found.agreement],
        "line": msgspec.to_builtins(found.line),
        "below_line": list(found.below_line),
        "void_proposals": [one.to_builtins() for one in found.proposals],
        "union": None if found.union is None else found.union.to_builtins(),
        "whole": found.whole,
    }


def tables(found: Roster) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    """Everybody who has worked, and the proposals."""
    columns = (
        "worker",
        "flags",
        "answers",
        "hours",
        "known right",
        "precision",
        "recall",
        "accepted",
        "discarded",
    )
    worked = [row for row in found.rows if row.answers]
    yield "workers", columns, [_worker(row) for row in worked]
    names = {row.id: row.display for row in found.rows}
    masks = [
        (
            names[one.worker],
            "all masks",
            f"{one.discarded} of {one.decided} discarded, at least {one.low:.0%}",
        )
        for one in found.proposals
    ]
    labels = [(names[one], "all labels", "below the line") for one in found.below_line]
    if masks or labels:
        yield "to be voided", ("worker", "what", "why"), masks + labels
    if found.union is not None:
        points = [
            ("union", f"{one.workers} workers", _share(one.recall), _share(one.precision))
            for one in found.union.points
        ]
        yield "against the majority of the experts", ("", "", "recall", "precision"), points


def stage_rows(stages: StageMetrics) -> list[tuple[str, str]]:
    """The figures of the stages, a line each; masks by size."""
    lists = ("drawing", "new_points")
    plain = {name: value for name, value in msgspec.to_builtins(stages).items() if name not in lists}
    rows = [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else _share(value))
        for name, value in plain.items()
    ]
    sizes = [
        (f"{one.size} masks", f"{one.masks:,} of {one.seconds:.1f} s and {one.vertices:.1f} vertices")
        for one in stages.drawing
    ]
    new = " ".join(f"{number:.2f}" for number in stages.new_points)
    return [*rows, ("new points of the 1st, 2nd, ... worker", new or "-"), *sizes]


def draw(found: Roster, folder: Path) -> None:
    """Fig. 2.4 of this campaign. Raises MissingExtra."""
    folder.mkdir(parents=True, exist_ok=True)
    sheet = worker_figure(found.union or NO_CURVE, found.agreement, found.line)
    for ending in ("svg", "png"):
        save_figure(sheet, folder / f"{FIGURE}.{ending}")


def _worker(row: RosterRow) -> tuple[str, ...]:
    return (
        row.display,
        ", ".join(row.flags),
        f"{row.answers:,}",
        f"{row.hours:,.1f}",
        _share(row.gold),
        _share(row.precision),
        _share(row.recall),
        f"{row.accepted:,}",
        f"{row.discarded:,}",
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
