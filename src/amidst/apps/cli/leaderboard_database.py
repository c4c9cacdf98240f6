"""`amidst leaderboard backup | restore`: what is done to a benchmark's database as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection, func, select

from amidst.apps.cli.console import new_app, say
from amidst.apps.cli.leaderboard_place import Place
from amidst.leaderboard import benchmarks
from amidst.leaderboard.schema import submission
from amidst.leaderboard.store import open_store
from amidst.store.backup import back_up
from amidst.store.backup import restore as put_back

database_app = new_app()

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the benchmark.")]


@database_app.command()
def backup(
    folder: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write; it must not exist yet.")],
) -> None:
    """Copy the database (SQLite) as it is at this moment; works while the benchmark is served.

    `hidden/`, `public.json` and `secrets.json` never change, files in `uploads/` only come and go: copy them
    beside it with any tool.

    **Example**

      amidst leaderboard backup birds/ -o birds-$(date +%F).db
    """
    size = back_up(Place(folder).folder.database, output)
    say(f"{output}: {size:,} bytes, whole and sound")


@database_app.command()
def restore(
    folder: Folder,
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="What `backup` wrote.")],
) -> None:
    """Put a backup back into its benchmark, which must not be served; the database of now is kept beside it.

    Uploads that came after the backup are kept in `uploads.before`: their numbers will be given again.

    **Example**

      amidst leaderboard restore birds/ --from birds-2026-11-28.db
    """
    place, last = Place(folder).folder, 0

    def examine(database: Path) -> None:
        nonlocal last
        last = asyncio.run(_last_of(database))

    put_back(source, place.database, examine)
    later = place.set_later_uploads_aside(last)
    say(f"{place.database} is {source} now; what was there is {place.database.name}.before")
    if later:
        say(f"{later} uploads that came after it are in {place.uploads.name}.before")


async def _last_of(database: Path) -> int:
    """The number of the last submission of a benchmark. Raises UsageError if the file holds none."""

    def work(connection: Connection) -> int:
        benchmarks.find(connection)
        return connection.scalar(select(func.max(submission.c.id))) or 0

    store = await open_store(database, read_only=True)
    try:
        return await store.read(work)
    finally:
        await store.close()
