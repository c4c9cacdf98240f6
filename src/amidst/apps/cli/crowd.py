"""`amidst crowd`: a labelling campaign from an empty folder to a COCO file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli import (
    crowd_campaigns,
    crowd_categories,
    crowd_content,
    crowd_database,
    crowd_demo,
    crowd_late,
    crowd_link,
    crowd_quality,
    crowd_settings,
    crowd_simulate,
)
from amidst.apps.cli.console import new_app, print_json, print_table, say, warning_line
from amidst.apps.cli.crowd_assist import assistance
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.cli.crowd_content import Filter, Records
from amidst.apps.cli.crowd_figures import outlook_table, progress_tables
from amidst.apps.cli.crowd_known import KnownFile, KnownImages, read_known, take_known_in
from amidst.apps.cli.crowd_platform import mturk
from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.crowd.assistance import Assistance
from amidst.apps.server.installation import keep_address, load_secrets
from amidst.apps.server.serving import bind, is_loopback, make_server
from amidst.coco.files import write_atomically
from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.adapters import Platform
from amidst.crowd.config import CampaignConfig
from amidst.errors import FindingError, UsageError

app = new_app("Label a dataset with people: the thesis's chain of stages, served to a browser.")
app.command("demo")(crowd_demo.demo)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        help="postgresql://user:password@host/database instead of SQLite in DIR.",
        envvar="AMIDST_DATABASE_URL",
        show_envvar=True,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.", show_default=False),
]


@app.command()
def init(
    folder: Folder,
    images: Annotated[Path, typer.Option(help="Folder of photographs; its subfolders are searched too.")],
    categories: Annotated[
        Path | None,
        typer.Option(
            help='COCO file, or text with a line "name, supercategory" each; left out: the 91 of the thesis.',
            show_default=False,
        ),
    ] = None,
    records: Records = None,
    known: KnownFile = None,
    known_images: KnownImages = None,
    image_filter: Filter = False,
    settings: Settings = None,
    database_url: DatabaseUrl = "",
) -> None:
    """Make a campaign of a folder of photographs.

    Photographs are copied, turned upright and stripped of metadata; the folder itself is not changed.

    Photographs of --known that lie among those of --images are known, not labelled.

    **Examples**

      amidst crowd init birds/ --images photos/ --categories birds.txt --set labelling.workers=5

      amidst crowd init birds/ --images photos/ --categories birds.txt --known known/birds.json
    """
    place = Place(folder, database_url)
    config = override(CampaignConfig(), settings or [])
    chosen = crowd_campaigns.read_categories(categories)
    crowd_campaigns.check_new(place, config, chosen)
    ids = {one.name: one.id for one in chosen}
    content = read_known(known, known_images, ids, config.segmentation.min_area)
    with crowd_campaigns.undone_on_failure(folder):
        vouched = take_known_in(content, place.media)
        hidden = {one.image.sha256 for one in vouched}
        found = crowd_campaigns.take_in(images, place.media, records)
        taken = [one for one in found if one.sha256 not in hidden]
        load_secrets(folder)
        at = crowd_campaigns.now()
        crowd_campaigns.create(place, config, chosen, taken, vouched=vouched, at=at, filtered=image_filter)
    number = sum(len(one.masks) for one in vouched)
    masks = f" and {number:,} known masks in {len(vouched):,} images of their own" if vouched else ""
    say(f"{len(taken):,} images and {len(chosen)} categories{masks}; next: amidst crowd serve {folder}")


@app.command()
def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    public_url: Annotated[
        str,
        typer.Option(
            help="Address users see, such as https://label.example, with a proxy on this machine in front.",
            show_default=False,
        ),
    ] = "",
    assist: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="Suggest outlines: a model of mask proposals (a run folder or file of `amidst train`).",
            show_default=False,
        ),
    ] = "",
    turk: Annotated[
        str,
        typer.Option(
            "--mturk",
            metavar="WHERE",
            help="Order work from Mechanical Turk: sandbox, production, or an address.",
            show_default=False,
        ),
    ] = "",
    settings: Settings = None,
    database_url: DatabaseUrl = "",
) -> None:
    """Serve a campaign until Ctrl-C. At the first start it prints the one link for its first manager.

    --set changes limits of this server: workers.lease.count=60, accounts.session_h=12.

    **Examples**

      amidst crowd serve birds/

      amidst crowd serve birds/ --public-url https://label.example --database-url postgresql://me@db/birds
    """
    place = Place(folder, database_url)
    config = override(ServerConfig(public_origin=_origin(public_url)), settings or [])
    if not is_loopback(host) and not config.public_origin.startswith("https://"):
        warning_line("others can listen in: put a proxy with HTTPS in front and give --public-url")
    try:
        asyncio.run(_serve(place, host, port, config, mturk(turk), assistance(assist)))
    except KeyboardInterrupt:
        say("")


async def _serve(
    place: Place,
    host: str,
    port: int,
    config: ServerConfig,
    platform: Platform | None,
    assist: Assistance | None,
) -> None:
    async with opened(place) as store:
        secrets = load_secrets(place.folder)
        listening = bind(host, port)
        address = config.public_origin or f"http://{_authority(host, listening.getsockname()[1])}"
        keep_address(place.folder, address)
        first = await store.write(make_accounts(crowd_campaigns.now, config.accounts).first_link)
        say(f"serving {place.folder} at {address} (Ctrl-C ends)")
        if first is not None:
            say(f"first manager, once, within 24 hours: {address}/enter#{first}")
        application = create_app(
            store, place.media, crowd_campaigns.now, secrets, config, assist=assist, platform=platform
        )
        server = make_server(application, behind_proxy=bool(config.public_origin))
        await server.serve(sockets=[listening])


@app.command()
def status(folder: Folder, as_json: AsJson = False, database_url: DatabaseUrl = "") -> None:
    """How far a campaign is, stage by stage and worker by worker, and what is left; works while it is served.

    What is left is what waits now and what will follow from it, in hours by the times measured here, and in
    money where the campaign knows what an hour costs: amidst crowd settings DIR --set hour_cost=15.

    **Example**

      amidst crowd status birds/
    """

    async def work() -> Any:
        async with opened(Place(folder, database_url), read_only=True) as store:
            config = await engine.campaign_config(store)
            lacking = await engine.lacking(store)
            return await engine.progress(store), await engine.outlook(store), config, lacking

    progress, outlook, config, lacking = asyncio.run(work())
    if as_json:
        found = {"outlook": outlook, "lacking": lacking}
        print_json({**msgspec.to_builtins(progress), **msgspec.to_builtins(found)})
        return
    for title, columns, rows in (*progress_tables(progress), outlook_table(outlook)):
        print_table(title, columns, rows, right=columns[1:])
    cost = f", {outlook.cost:,.2f} at {config.hour_cost:g} an hour" if config.hour_cost else ""
    guessed = f"; the thesis's figures stand in for: {', '.join(outlook.guessed)}" if outlook.guessed else ""
    say(f"left: {outlook.hours:,.1f} hours{cost}{guessed}")
    for one in lacking:
        warning_line(one.text)
    if progress.unsettled:
        warning_line(
            f"{progress.unsettled} decisions are still to be drawn again after a change: "
            "the server does that, and nothing is exported before"
        )
    if progress.state == "paused":
        warning_line("paused, nobody gets work: amidst crowd settings DIR --go-on")


@app.command()
def export(
    folder: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", help="COCO file to write.")],
    captions: Annotated[
        Path | None, typer.Option(help="Write the captions here, in COCO's format.", show_default=False)
    ] = None,
    database_url: DatabaseUrl = "",
) -> None:
    """Write what has been accepted as a COCO file; works while the campaign is served.

    Masks are polygons, those with holes and crowd regions run lengths; iscrowd stands for crowd regions
    alone, and images without objects stay.

    **Example**

      amidst crowd export birds/ -o birds.json && amidst dataset check birds.json
    """

    async def work() -> Any:
        async with opened(Place(folder, database_url), read_only=True) as store:
            return await engine.export(store)

    made = asyncio.run(work())
    made.dataset.save(output)
    if captions is not None:
        write_atomically(captions, msgspec.json.encode(made.captions))
    dataset = made.dataset
    say(f"{len(dataset.images):,} images, {len(dataset.annotations):,} annotations written to {output}")


@app.command()
def doctor(folder: Folder, as_json: AsJson = False, database_url: DatabaseUrl = "") -> None:
    """Check every invariant and derive every decision again; exit code 1 where one is broken.

    **Example**

      amidst crowd doctor birds/
    """

    async def work() -> Any:
        async with opened(Place(folder, database_url), read_only=True) as store:
            return await engine.doctor(store)

    faults = asyncio.run(work())
    if as_json:
        print_json(msgspec.to_builtins(faults))
    else:
        for fault in faults:
            say(f"{fault.subject}: {fault.problem} [{fault.rule}]")
    if faults:
        raise FindingError(f"{len(faults)} faults")
    say("no fault: all invariants hold, all decisions come out the same again")


app.command("add")(crowd_content.add)
app.command("settings")(crowd_settings.settings)
app.command("retire-category")(crowd_categories.retire_category)
app.command("quality")(crowd_quality.quality)
app.command("late")(crowd_late.late)
app.command("link")(crowd_link.link)
app.command("votes")(crowd_content.votes)
app.command("backup")(crowd_database.backup)
app.command("restore")(crowd_database.restore)
app.command("migrate-store")(crowd_database.migrate_store)
app.command("simulate")(crowd_simulate.simulate)


def _origin(public_url: str) -> str:
    """Scheme and host of --public-url. Raises UsageError."""
    origin = public_url.rstrip("/")
    scheme, _, host = origin.partition("://")
    if origin and (scheme not in ("http", "https") or not host or "/" in host):
        raise UsageError(f"--public-url {public_url}: expected https://host or http://host, without a path")
    return origin


def _authority(host: str, port: int) -> str:
    named = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"[{named}]:{port}" if ":" in named else f"{named}:{port}"
