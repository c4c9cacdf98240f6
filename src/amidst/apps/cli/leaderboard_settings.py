"""`amidst leaderboard settings`: what is said of a benchmark, and its limits, shown and changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from sqlalchemy import Connection

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.leaderboard_place import DatabaseUrl, Place, now, opened
from amidst.apps.cli.settings_rows import HEAD, setting, setting_rows, told
from amidst.apps.server.leaderboard.app import BoardConfig, make_accounts
from amidst.apps.server.leaderboard.organising import change_settings
from amidst.config import override
from amidst.errors import UsageError
from amidst.leaderboard import benchmarks
from amidst.leaderboard.benchmarks import Benchmark, Settings
from amidst.leaderboard.config import BenchmarkConfig

settings_app = new_app()

FIXED = ("ann", "annotations", "phase", "phases", "seed", "share", "shares", "split")


@settings_app.command()
def settings(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the benchmark.")],
    name: Annotated[str | None, typer.Option(help="Its name.", show_default=False)] = None,
    description: Annotated[
        str | None, typer.Option(help="Shown above the table.", show_default=False)
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option(help='Whom to ask: words, or mailto:name@host; "" for nobody.', show_default=False),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    database_url: DatabaseUrl = "",
) -> None:
    """Show the settings of a benchmark, or change some; works while it is served.

    Limits of files hold for what begins to come from then on. Kind, annotations and their division into
    phases stay; the settings of a phase are those of `amidst leaderboard phase`.

    **Examples**

      amidst leaderboard settings birds/

      amidst leaderboard settings birds/ --name "Birds 2027" --contact mailto:birds@museum.example

      amidst leaderboard settings birds/ --set uploads.max_per_image=300 --set times.running=7200
    """
    words = {"name": name, "description": description}
    said = {key: text for key, text in words.items() if text is not None}
    sets = changes or []
    for change in sets:
        _check_free(change.partition("=")[0].strip())
    found = asyncio.run(_settings(Place(folder, database_url), said, contact, sets))
    if as_json:
        tree = msgspec.to_builtins(found)
        print_json({key: tree[key] for key in Settings.__struct_fields__})
    elif not said and contact is None and not sets:
        rows = [("--name", found.name, "", ""), ("--description", found.description, "", "")]
        print_table("settings", HEAD, [*rows, *setting_rows(found.config, BenchmarkConfig(), {})])
    else:
        for key in said:
            say(f"{key} is {getattr(found, key)}")
        keys = [change.partition("=")[0].strip() for change in sets]
        for key in ([] if contact is None else ["contact"]) + keys:
            say(f"{key} is {told(setting(found.config, key))}")


def _check_free(key: str) -> None:
    if key.partition(".")[0] in FIXED:
        raise UsageError(
            f"{key} stays: scores come from the annotations as `init` divided them; make another benchmark "
            "for others (when a phase is open, and what a team may send: `amidst leaderboard phase`)"
        )


async def _settings(
    place: Place, words: dict[str, str], contact: str | None, sets: Sequence[str]
) -> Benchmark:
    """The settings after the changes."""
    if not words and contact is None and not sets:
        async with opened(place, read_only=True) as store:
            return await store.read(benchmarks.find)
    accounts = make_accounts(now, BoardConfig().accounts)

    def work(connection: Connection) -> Benchmark:
        before = benchmarks.find(connection)
        config = before.config if contact is None else msgspec.structs.replace(before.config, contact=contact)
        about = {"name": before.name, "description": before.description} | words
        after = Settings(about["name"], about["description"], override(config, sets))
        return change_settings(connection, accounts, None, after)

    async with opened(place, beside=True) as store:
        return await store.write(work)
