"""`amidst leaderboard export|phases`: what a benchmark holds, for whoever has its folder."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli.console import new_app, print_json, print_table, warning_line
from amidst.apps.cli.leaderboard_place import DatabaseUrl, Place, opened
from amidst.coco.files import check_writable, write_atomically
from amidst.errors import UsageError
from amidst.leaderboard import benchmarks, ranking, submissions
from amidst.leaderboard.schema import submission

export_app = new_app()

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the benchmark.")]


@export_app.command()
def export(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write, .json or .csv; else JSON on stdout.")
    ] = None,
    phase: Annotated[str, typer.Option(help="Of one phase; CSV needs one.", show_default=False)] = "",
    exact: Annotated[
        bool, typer.Option("--exact", help="Numbers as they were computed, not rounded; for you alone.")
    ] = False,
    database_url: DatabaseUrl = "",
) -> None:
    """Write the tables of all phases (JSON, with all submissions) or of one (CSV); works while it is served.

    **Examples**

      amidst leaderboard export birds/ -o birds.json

      amidst leaderboard export birds/ --phase dev -o dev.csv
    """
    if output is not None:
        if output.suffix.lower() not in (".json", ".csv"):
            raise UsageError(f"--output {output}: expected a name that ends in .json or .csv")
        check_writable(output)
    tree = asyncio.run(_tree(Place(folder, database_url), exact=exact))
    if phase:
        if phase not in tree["phases"]:
            raise UsageError(f"there is no phase {phase!r}; there are: {', '.join(tree['phases'])}")
        tree["phases"] = {phase: tree["phases"][phase]}
    if output is None:
        print_json(msgspec.to_builtins(tree))
    elif output.suffix.lower() == ".json":
        write_atomically(output, msgspec.json.format(msgspec.json.encode(tree)) + b"\n")
    else:
        if len(tree["phases"]) != 1:
            raise UsageError(f"CSV is of one phase: --phase {' or '.join(tree['phases'])}")
        (only,) = tree["phases"].values()
        write_atomically(output, ranking.to_csv(only["rows"]).encode())


async def _tree(place: Place, *, exact: bool) -> dict[str, Any]:
    """The benchmark with its phases, their tables and all their submissions."""
    async with opened(place, read_only=True) as store:
        found = await store.read(benchmarks.find)
        tree: dict[str, Any] = {"name": found.name, "kind": found.config.kind, "phases": {}}
        for one in await store.read(benchmarks.phases):
            sent = await store.read(
                partial(submissions.listed, where=submission.c.phase_id == one.id, limit=10**6)
            )
            rows = ranking.table(sent, found.config, one.config, exact=exact)
            if not exact:
                sent = [msgspec.structs.replace(s, numbers=ranking.rounded(s.numbers)) for s in sent]
            tree["phases"][one.name] = {"config": one.config, "rows": rows, "submissions": sent}
        return tree


@export_app.command()
def phases(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all settings.")] = False,
    database_url: DatabaseUrl = "",
) -> None:
    """List the phases of a benchmark; works while it is served. `phase` and the page /organise change them.

    **Example**

      amidst leaderboard phases birds/
    """

    async def work() -> list[benchmarks.Phase]:
        async with opened(Place(folder, database_url), read_only=True) as store:
            return await store.read(benchmarks.phases)

    found = asyncio.run(work())
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        for warning in one.warnings:
            warning_line(f"phase {one.name}: {warning}; save its settings on /organise")
    rows = [
        (
            p.name,
            f"{p.share:g}",
            str(p.images),
            p.config.visibility,
            str(p.config.per_day),
            str(p.config.total),
        )
        for p in found
    ]
    print_table("", ("phase", "share", "images", "scores for", "a day", "in all"), rows)
