"""`amidst crowd demo`: a campaign on the bundled photographs to try every screen on, in five minutes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli import crowd_campaigns
from amidst.apps.cli.console import say
from amidst.apps.cli.crowd_campaigns import Place, campaign_folder, opened
from amidst.apps.cli.demo_campaign import Entrances, make_demo
from amidst.apps.cli.progress import step
from amidst.apps.server.crowd.app import ServerConfig, create_app
from amidst.apps.server.crowd.tickets import WorkerLimits
from amidst.apps.server.installation import load_secrets
from amidst.apps.server.limits import Rate
from amidst.apps.server.serving import bind, make_server
from amidst.errors import UsageError

STAGES = (
    "image_filter",
    "labelling",
    "spotting",
    "segmentation",
    "verification",
    "crowd_regions",
    "captions",
    "category_votes",
)

# Who tries everything opens all desks within a minute, and each takes tickets ahead.
CURIOUS = ServerConfig(workers=WorkerLimits(lease=Rate(count=300)))


def demo(
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 0,
    folder: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the campaign here.", show_default=False),
    ] = None,
) -> None:
    """Serve a campaign to try: open work at every stage, and a manager's pages with something on them.

    The bundled photographs, half labelled by simulated workers. Prints three links, each good for one
    browser: sign out, or use a private window, to be somebody else. Ctrl-C ends it and removes everything
    but what --keep names.

    **Example**

      amidst crowd demo --port 8000
    """
    if folder is not None and (folder / crowd_campaigns.DATABASE).exists():
        raise UsageError(f"{folder}: there is a campaign already; amidst crowd serve {folder}")
    begun = time.monotonic()
    with campaign_folder(folder) as place:
        with step("the demo's campaign") as progress:
            entrances = make_demo(place, crowd_campaigns.now(), lambda what: progress.update(0, note=what))
        try:
            asyncio.run(_serve(place, port, entrances, begun))
        except KeyboardInterrupt:
            say("")


async def _serve(place: Place, port: int, entrances: Entrances, begun: float) -> None:
    async with opened(place) as store:
        listening = bind("127.0.0.1", port)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        say(f"ready after {time.monotonic() - begun:.1f} s (Ctrl-C ends)\n")
        say(f"manager   {address}/enter#{entrances.manager}")
        say(f"worker    {address}/enter#{entrances.worker}")
        say(f"expert    {address}/enter#{entrances.expert}\n")
        say("Then, for the worker and the expert:")
        for stage in STAGES:
            say(f"  {stage.replace('_', ' '):<16}{address}/work/{stage}")
        secrets = load_secrets(place.folder)
        app = create_app(store, place.media, crowd_campaigns.now, secrets, CURIOUS)
        await make_server(app).serve(sockets=[listening])
