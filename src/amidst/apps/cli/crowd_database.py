"""`amidst crowd backup | restore | migrate-store`: what is done to a campaign's database as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.cli.crowd_campaigns import DATABASE, Place, opened
from amidst.apps.cli.progress import step
from amidst.crowd import engine
from amidst.crowd.schema import metadata
from amidst.crowd.store import open_store
from amidst.errors import FindingError, UsageError
from amidst.store.backup import back_up
from amidst.store.backup import restore as put_back
from amidst.store.copying import TableSum, copy_to_postgres
from amidst.store.postgres import PostgresStore
from amidst.store.sqlite import SqliteStore

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")]


def backup(
    folder: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write; it must not exist yet.")],
) -> None:
    """Copy the database (SQLite) as it is at this moment; works while the campaign is served.

    Pictures in DIR/media and keys in DIR/secrets.json never change: copy them beside it with any tool.

    **Example**

      amidst crowd backup birds/ -o birds-$(date +%F).db
    """
    size = back_up(folder / DATABASE, output)
    say(f"{output}: {size:,} bytes, whole and sound")


def restore(
    folder: Folder,
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="What `backup` wrote.")],
) -> None:
    """Put a backup back into its campaign, which must not be served; the database of now is kept beside it.

    The backup is examined first: every invariant, every decision drawn again.

    **Example**

      amidst crowd restore birds/ --from birds-2026-11-28.db
    """
    put_back(source, folder / DATABASE, _examine)
    say(f"{folder / DATABASE} is {source} now; what was there is {DATABASE}.before")


def _examine(database: Path) -> None:
    async def faults() -> int:
        store = await open_store(database, read_only=True)
        try:
            return len(await engine.doctor(store))
        finally:
            await store.close()

    found = asyncio.run(faults())
    if found:
        raise FindingError(f"the backup has {found} faults; nothing was changed")


def migrate_store(
    folder: Folder,
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="postgresql://user:password@host/database, empty.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Copy the database from SQLite to PostgreSQL, compare both, and keep all of it or nothing.

    The campaign must not be served meanwhile. The file is not changed. A copy that ended early left nothing:
    run it again.

    **Example**

      amidst crowd migrate-store birds/ --to postgresql://me@db/birds
      amidst crowd serve birds/ --database-url postgresql://me@db/birds
    """
    if "://" not in target:
        raise UsageError(f"--to {target}: expected postgresql://user:password@host/database")
    sums = asyncio.run(_copied(Place(folder), target))
    if as_json:
        print_json([{"table": one.table, "rows": one.rows, "sha256_sum": one.digest} for one in sums])
        return
    rows = [(one.table, f"{one.rows:,}", one.digest[:16]) for one in sums if one.rows]
    print_table("the same in both", ("table", "rows", "sum of hashes"), rows, right=("rows",))
    say(f"from now on: amidst crowd serve {folder} --database-url {target}")


async def _copied(place: Place, url: str) -> tuple[TableSum, ...]:
    async with opened(place) as source:
        target = await open_store(url, create=True)
        assert isinstance(source, SqliteStore)
        assert isinstance(target, PostgresStore)
        try:
            with step("rows") as progress:
                return await copy_to_postgres(
                    source, target, metadata, lambda table, rows: progress.update(rows, note=table)
                )
        finally:
            await target.close()
