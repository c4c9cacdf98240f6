"""`amidst crowd late`: answers that came after their place was gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from amidst.apps.cli import crowd_campaigns
from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.cli.crowd_audit import noted
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.crowd import engine
from amidst.crowd.late import LateAnswer


def late(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")],
    use: Annotated[
        int | None,
        typer.Option("--use", metavar="ID", help="Make this one count.", min=1, show_default=False),
    ] = None,
    worker: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Only those of this worker.", min=1, show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the answers themselves.")] = False,
    database_url: Annotated[
        str, typer.Option(help="As of `serve`.", envvar="AMIDST_DATABASE_URL", show_default=False)
    ] = "",
) -> None:
    """List the latest answers that came too late, or use one where a place is free again; it is audited.

    **Examples**

      amidst crowd late birds/

      amidst crowd late birds/ --use 7
    """
    place = Place(folder, database_url)
    if use is not None:
        say(f"late answer {use} counts as answer {asyncio.run(_used(place, use))}")
        return

    async def work() -> list[LateAnswer]:
        async with opened(place, read_only=True) as store:
            return await engine.late_answers(store, worker)

    found = asyncio.run(work())
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    rows = [(str(one.id), str(one.worker), str(one.stage), _fate(one)) for one in found]
    print_table("late answers", ("id", "worker", "stage", "place"), rows, right=("id", "worker"))


async def _used(place: Place, late_id: int) -> int:
    async with opened(place) as store:
        receipt = await engine.use_late(store, late_id, crowd_campaigns.now())
        details = {"answer": receipt.answer_id, "repeated": receipt.replayed}
        await noted(store, "late.use", str(late_id), details)
        return receipt.answer_id


def _fate(one: LateAnswer) -> str:
    if one.answer is not None:
        return f"used as answer {one.answer}"
    return f"{one.free} free" if one.free else "none is free"
