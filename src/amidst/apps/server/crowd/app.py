"""The server of a campaign, from its parts.

store = await open_store("campaign/campaign.db")
app = create_app(store, MediaStore(folder / "media"), clock, secrets, ServerConfig())
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
from argon2 import PasswordHasher
from fastapi import FastAPI

from amidst.apps.server.access import Gate
from amidst.apps.server.accounts import Accounts, AccountsConfig
from amidst.apps.server.crowd.assistance import Assistance, AssistRoutes
from amidst.apps.server.crowd.categories import CategoryRoutes
from amidst.apps.server.crowd.golds import GoldRoutes
from amidst.apps.server.crowd.management import ManagementRoutes
from amidst.apps.server.crowd.orders import OrderRoutes
from amidst.apps.server.crowd.overview import OverviewRoutes
from amidst.apps.server.crowd.pictures import Pictures
from amidst.apps.server.crowd.platforms import MTURK_PAGE, PlatformConfig, PlatformRoutes
from amidst.apps.server.crowd.settings import Settings
from amidst.apps.server.crowd.tickets import TicketRoutes, WorkerLimits
from amidst.apps.server.crowd.voiding import VoidRoutes
from amidst.apps.server.crowd.workers import WorkerRoutes
from amidst.apps.server.errors import Translation
from amidst.apps.server.foundation import make_app
from amidst.apps.server.installation import Secrets
from amidst.apps.server.limits import Clock, Rate
from amidst.apps.server.media import MediaStore
from amidst.apps.server.media_links import MediaLinks
from amidst.apps.server.pages import Pages
from amidst.apps.server.routes_accounts import AccountRoutes
from amidst.apps.server.routes_auth import AuthLimits, AuthRoutes
from amidst.config import Config
from amidst.crowd import engine, schema_people
from amidst.crowd.adapters import Platform
from amidst.crowd.config import STAGES
from amidst.crowd.store import Store
from amidst.crowd.unsettled import settle
from amidst.errors import AnswerError, DataError, StoreUnavailable, UnknownRecord, UsageError

TRANSLATION: Translation = {
    StoreUnavailable: (503, "unavailable"),
    UnknownRecord: (404, "not-found"),
    AnswerError: (422, "answer"),
    DataError: (422, "invalid"),
    UsageError: (422, "invalid"),
}
MANAGE = ("workers", "worker", "voids", "golds", "decisions", "people", "settings", "export", "audit")
PAGES = {
    "/": "enter.html",
    "/enter": "enter.html",
    "/work": "work.html",
    **{f"/work/{stage}": "work.html" for stage in STAGES if stage != "training"},
    "/manage": "manage.html",
    **{f"/manage/{page}": "manage.html" for page in MANAGE},
}
"""From addresses to files of `static/`; who may see what is the matter of the routes that the pages ask."""

log = logging.getLogger(__name__)


class ServerConfig(Config, frozen=True):
    """public_origin: scheme and host that users see, if a proxy stands in front. sweep_s: how often expired
    tickets are taken back; 0 for never (a caller does it)."""

    public_origin: str = ""
    sweep_s: float = 5.0
    accounts: AccountsConfig = msgspec.field(default_factory=AccountsConfig)
    auth: AuthLimits = msgspec.field(default_factory=AuthLimits)
    workers: WorkerLimits = msgspec.field(default_factory=WorkerLimits)
    assist: Rate = Rate(count=60)
    platforms: PlatformConfig = msgspec.field(default_factory=PlatformConfig)


def make_accounts(clock: Clock, config: AccountsConfig) -> Accounts:
    """The accounts of a campaign: its workers, managers and readers."""
    return Accounts(schema_people.accounts, clock, config)


def create_app(
    store: Store,
    media: MediaStore,
    clock: Clock,
    secrets: Secrets,
    config: ServerConfig,
    *,
    hasher: PasswordHasher | None = None,
    assist: Assistance | None = None,
    platform: Platform | None = None,
) -> FastAPI:
    """The application; it sweeps while it runs, and leaves the store open when it ends.

    hasher: of passwords, by default Argon2id with the library's parameters. assist: suggests masks. platform:
    Mechanical Turk's interface, for those who order work there.
    """
    accounts = make_accounts(clock, config.accounts)
    gate = Gate(store, accounts, secrets, config.public_origin)
    settings, links = Settings(store, clock), MediaLinks(media, secrets.links, clock)
    pictures = Pictures(store, links)
    workers, pages = WorkerRoutes(store, gate, pictures), Pages(PAGES)
    orders = OrderRoutes(store, gate, platform)
    assistance = AssistRoutes(store, gate, pictures, media, assist, config.assist)
    routers = [
        TicketRoutes(  # first: asked most often
            store, gate, settings, pictures, config.workers, assistance.look_ahead, assist is not None
        ).router(),
        AuthRoutes(gate, config.auth, hasher).router(),
        AccountRoutes(gate).router(),
        assistance.router(),
        ManagementRoutes(store, gate, settings, workers.roster).router(),
        CategoryRoutes(store, gate).router(),
        GoldRoutes(store, gate, pictures).router(),
        OverviewRoutes(store, gate, settings).router(),
        workers.router(),
        VoidRoutes(store, gate, workers.roster).router(),
        PlatformRoutes(store, gate, pages, config.platforms).router(),
        orders.router(),
        links.routes(gate),
        pages.routes(gate),
    ]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        ever = [_sweep(store, clock, config.sweep_s)] if config.sweep_s else []
        ever += [orders.keep_telling()] if platform is not None else []
        tasks = [asyncio.create_task(one) for one in ever]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    frames = {MTURK_PAGE: config.platforms.submit_hosts}
    return make_app("amidst crowd", gate, routers, TRANSLATION, lifespan, frames)


async def _sweep(store: Store, clock: Clock, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await engine.sweep(store, clock())
            await settle(store, clock())  # what a process that was killed has left
        except StoreUnavailable as error:
            log.error("expired tickets stay until the database is back: %s", error)
