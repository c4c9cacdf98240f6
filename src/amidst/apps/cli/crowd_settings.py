"""`amidst crowd settings`: the numbers of a campaign, shown and changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.cli.crowd_audit import noted
from amidst.apps.cli.crowd_campaigns import Place, now, opened
from amidst.apps.cli.settings_rows import HEAD, setting, setting_rows, told
from amidst.apps.server.crowd.settings_form import form
from amidst.config import override, to_builtins
from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig
from amidst.crowd.unsettled import settle


def settings(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")],
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.", show_default=False
        ),
    ] = None,
    pause: Annotated[
        bool | None,
        typer.Option(
            "--pause/--go-on",
            help="Hand out no more work (what is out can be submitted), or go on.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    database_url: Annotated[
        str, typer.Option(help="As of `serve`.", envvar="AMIDST_DATABASE_URL", show_default=False)
    ] = "",
) -> None:
    """Show the numbers of a campaign, or change some; works while it is served.

    What was decided stays decided by the numbers of its time; open work asks for the new ones.

    **Examples**

      amidst crowd settings birds/

      amidst crowd settings birds/ --set labelling.workers=5 --set hour_cost=15

      amidst crowd settings birds/ --pause
    """
    place = Place(folder, database_url)

    config = asyncio.run(_config(place, changes or [], pause))
    if as_json:
        print_json(to_builtins(config))
    elif not changes and pause is None:
        notes = {field.key: field.note for group in form() for field in group.fields}
        print_table("settings", HEAD, setting_rows(config, CampaignConfig(), notes))
    else:
        for change in changes or []:
            key = change.partition("=")[0].strip()
            say(f"{key} is {told(setting(config, key))}")
        if pause is not None:
            say("no more work is handed out" if pause else "work is handed out")


async def _config(place: Place, changes: Sequence[str], pause: bool | None) -> CampaignConfig:
    """The configuration after the changes."""
    if not changes and pause is None:
        async with opened(place, read_only=True) as store:
            return await engine.campaign_config(store)
    async with opened(place, beside=True) as store:
        before = await engine.campaign_config(store)
        after = override(before, changes)
        if after != before:
            await engine.change_config(store, after, now())
            changed = {"before": to_builtins(before), "after": to_builtins(after)}
            await noted(store, "settings", "", changed)
            await settle(store, now())
        if pause is not None:
            state: Literal["open", "paused"] = "paused" if pause else "open"
            await engine.change_state(store, state)
            await noted(store, "campaign.state", "", {"state": state})
        return after
