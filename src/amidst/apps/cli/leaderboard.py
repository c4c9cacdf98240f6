"""`amidst leaderboard`: an evaluation server with hidden annotations; organisers' and participants' side."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from amidst.apps.cli.console import new_app, print_json, say, warning_line
from amidst.apps.cli.leaderboard_client import client_app
from amidst.apps.cli.leaderboard_database import database_app
from amidst.apps.cli.leaderboard_export import export_app
from amidst.apps.cli.leaderboard_link import link_app
from amidst.apps.cli.leaderboard_phase import phase_app
from amidst.apps.cli.leaderboard_place import (
    DatabaseUrl,
    Place,
    make,
    now,
    opened,
    parse_phase,
    tidy_url,
)
from amidst.apps.cli.leaderboard_settings import settings_app
from amidst.apps.server.installation import keep_address, load_secrets
from amidst.apps.server.leaderboard.app import BoardConfig, create_app, make_accounts
from amidst.apps.server.serving import bind, is_loopback, make_server
from amidst.coco.dataset import CocoDataset
from amidst.config import override
from amidst.errors import UsageError
from amidst.leaderboard import benchmarks, rights
from amidst.leaderboard.config import BenchmarkConfig
from amidst.leaderboard.runner import Runner

app = new_app("Run an evaluation server with hidden annotations, or submit to one.")
for part in (settings_app, client_app, link_app, phase_app, export_app, database_app):
    app.registered_commands += part.registered_commands

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the benchmark.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.", show_default=False)
]


@app.command()
def init(
    folder: Folder,
    ann: Annotated[Path, typer.Option(metavar="HIDDEN.json", help="COCO file with the hidden annotations.")],
    name: Annotated[str, typer.Option(help="Name of the benchmark.")],
    kind: Annotated[
        Literal["bbox", "segm", "proposals", "mask-proposals"], typer.Option(help="What is scored.")
    ] = "bbox",
    phase: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:SHARE", help="A phase and its share of the images. [dev:0.5, final:0.5]"),
    ] = None,
    description: Annotated[str, typer.Option(help="Shown above the table.")] = "",
    contact: Annotated[str, typer.Option(help="Whom to ask: words, or mailto:name@host.")] = "",
    seed: Annotated[
        int | None, typer.Option(help="Of the division; random if left out.", show_default=False)
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = "",
) -> None:
    """Make a benchmark. Each phase scores its own part of the images, divided by category.

    The scores of the first phase are for all, those of the others for organisers until they say otherwise.
    The list of images and categories is public, which images a phase scores is not.

    --set changes limits: uploads.max_per_image=100, times.running=600, tie=shared.

    **Examples**

      amidst leaderboard init birds/ --ann test.json --name "Birds 2026"

      amidst leaderboard init masks/ --ann test.json --name Masks --kind segm --phase a:0.3 --phase b:0.7
    """
    config = override(BenchmarkConfig(kind=kind, contact=contact), settings or [])
    phases = [parse_phase(word, first=not i) for i, word in enumerate(phase or ["dev:0.5", "final:0.5"])]
    dataset = CocoDataset.load(ann)
    made = make(Place(folder, database_url), dataset, name, description, config, phases, seed)
    if as_json:
        print_json(msgspec.to_builtins(made))
    for one in made:
        say(f"phase {one.name}: {one.images} images, scores for {_audience(one.config.visibility)}")
    say(f"next: amidst leaderboard serve {folder}")


def _audience(visibility: str) -> str:
    return {"all": "all", "owner": "the team", "nobody": "organisers alone"}[visibility]


@app.command()
def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8010,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    public_url: Annotated[
        str,
        typer.Option(help="As users see it, where a proxy with HTTPS stands in front.", show_default=False),
    ] = "",
    settings: Settings = None,
    database_url: DatabaseUrl = "",
) -> None:
    """Serve a benchmark until Ctrl-C. At the first start it prints the one link for its first organiser.

    --set changes the server: scorers=2, auth.login_account.count=10.

    **Examples**

      amidst leaderboard serve birds/

      amidst leaderboard serve birds/ --public-url https://board.example --database-url postgresql://me@db/birds
    """
    place = Place(folder, database_url)
    config = override(BoardConfig(public_origin=tidy_url(public_url)), settings or [])
    if not is_loopback(host) and not config.public_origin.startswith("https://"):
        warning_line("others can listen in: put a proxy with HTTPS in front and give --public-url")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(place, host, port, config))


async def _serve(place: Place, host: str, port: int, config: BoardConfig) -> None:
    async with opened(place) as store:
        secrets = load_secrets(place.root)
        listening = bind(host, port)
        authority = f"[{host}]" if ":" in host else host
        address = config.public_origin or f"http://{authority}:{listening.getsockname()[1]}"
        keep_address(place.root, address)
        first = await store.write(make_accounts(now, config.accounts).first_link)
        for warning in await store.read(benchmarks.warnings):
            warning_line(warning)
        if config.scorers:
            rights.check_folder(place.folder, await store.read(benchmarks.phases))
        if not place.url:
            place.folder.clear_work()
        say(f"serving {place.root} at {address} (Ctrl-C ends)")
        if first is not None:
            say(f"first organiser, once, within 24 hours: {address}/enter#{first}")
        application = await create_app(store, place.folder, now, secrets, config)
        server = make_server(application, behind_proxy=bool(config.public_origin))
        await server.serve(sockets=[listening])


@app.command()
def score(
    folder: Folder,
    scorers: Annotated[int, typer.Option(min=1, max=64, help="Submissions at a time.")] = 1,
    database_url: DatabaseUrl = "",
) -> None:
    """Score submissions apart from the server, as another user, who alone may read `hidden/`.

    Ends by Ctrl-C or SIGTERM. The server then runs with --set scorers=0; both share the folder and a
    PostgreSQL database.

    **Example**

      amidst leaderboard score board/ --database-url postgresql://scorer@host/board --scorers 2
    """
    if not database_url:
        raise UsageError("scorers apart from the server need PostgreSQL: --database-url postgresql://...")
    place = Place(folder, database_url)

    async def work() -> None:
        async with opened(place) as store:
            benchmark = await store.read(benchmarks.find)
            await store.write(rights.check_database)
            rights.check_folder(place.folder, await store.read(benchmarks.phases))
            say(f"scoring {benchmark.name} (Ctrl-C ends)")
            running = asyncio.ensure_future(
                Runner(store, place.folder, benchmark.config, now, scorers=scorers).run()
            )
            for ending in (signal.SIGINT, signal.SIGTERM):  # also where a shell has it ignored
                asyncio.get_running_loop().add_signal_handler(ending, running.cancel)
            with suppress(asyncio.CancelledError):
                await running

    asyncio.run(work())
