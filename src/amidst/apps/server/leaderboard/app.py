"""The server of a benchmark, from its parts.

store = await open_store(folder.database)
app = await create_app(store, folder, clock, secrets, BoardConfig())
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import msgspec
from argon2 import PasswordHasher
from fastapi import FastAPI

from amidst.apps.server.access import Gate
from amidst.apps.server.accounts import Accounts, AccountsConfig, Role
from amidst.apps.server.errors import Translation
from amidst.apps.server.foundation import make_app
from amidst.apps.server.installation import Secrets
from amidst.apps.server.leaderboard.board import BoardRoutes
from amidst.apps.server.leaderboard.organising import OrganisingRoutes
from amidst.apps.server.leaderboard.sending import FILTERS, SendingRoutes
from amidst.apps.server.limits import Clock, Rate
from amidst.apps.server.pages import Pages
from amidst.apps.server.routes_accounts import AccountRoutes
from amidst.apps.server.routes_auth import AuthLimits, AuthRoutes
from amidst.config import Config
from amidst.errors import AnswerError, DataError, StoreUnavailable, UnknownRecord, UsageError
from amidst.leaderboard import benchmarks
from amidst.leaderboard.checking import Rules, read_public
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.runner import Runner
from amidst.leaderboard.schema import accounts as account_tables
from amidst.leaderboard.submissions import Refused
from amidst.leaderboard.uploads import Uploads
from amidst.store.opening import Store

log = logging.getLogger(__name__)

TRANSLATION: Translation = {
    StoreUnavailable: (503, "unavailable"),
    UnknownRecord: (404, "not-found"),
    Refused: (409, "refused"),
    AnswerError: (422, "answer"),
    DataError: (422, "invalid"),
    UsageError: (422, "invalid"),
}
PAGES = {
    "/": "board.html",
    "/phases": "board.html",
    "/submissions": "board_submissions.html",
    "/organise": "board_organise.html",
    "/enter": "board_enter.html",
}


TITLES: Mapping[Role, str] = {
    "owner": "organisers",
    "manager": "organisers",
    "expert": "participants",
    "worker": "participants",
    "viewer": "guests",
}


class BoardConfig(Config, frozen=True):
    """public_origin: scheme and host that users see, if a proxy stands in front. scorers: submissions scored
    at a time; 0 where `amidst leaderboard score` does it. pieces: of uploads, for each account. Sessions live
    long, because programs hold their tokens.
    """

    public_origin: str = ""
    scorers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 1
    pieces: Rate = Rate(count=1200)
    accounts: AccountsConfig = AccountsConfig(session_h=30 * 24.0, session_limit_h=366 * 24.0)
    auth: AuthLimits = msgspec.field(default_factory=AuthLimits)


def make_accounts(clock: Clock, config: AccountsConfig) -> Accounts:
    """The accounts of a benchmark: organisers and members of teams."""
    return Accounts(account_tables, clock, config, benchmarks.entered)


def _told(working: asyncio.Task[None]) -> None:
    """Says at once that nothing is scored any more, not when the server ends."""
    if not working.cancelled() and working.exception() is not None:
        log.critical("scorers and watchdog have ended; restart the server", exc_info=working.exception())


async def create_app(
    store: Store,
    folder: Folder,
    clock: Clock,
    secrets: Secrets,
    config: BoardConfig,
    *,
    hasher: PasswordHasher | None = None,
) -> FastAPI:
    """The application; it scores and keeps watch while it runs, and leaves the store open when it ends.

    hasher: of passwords, by default Argon2id with the library's parameters.
    """
    benchmark = await store.read(benchmarks.find)
    gate = Gate(store, make_accounts(clock, config.accounts), secrets, config.public_origin, TITLES)
    uploads = Uploads(Rules.of(read_public(folder.public), benchmark.config))
    runner = Runner(store, folder, benchmark.config, clock, scorers=config.scorers)
    routers = [
        BoardRoutes(store, gate, folder).router(),
        SendingRoutes(store, gate, folder, uploads, runner, config.pieces).router(),
        OrganisingRoutes(store, gate).router(),
        AuthRoutes(gate, config.auth, hasher).router(),
        AccountRoutes(gate).router(),
        Pages(PAGES).routes(gate, FILTERS),
    ]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        working = asyncio.create_task(runner.run())
        working.add_done_callback(_told)
        yield
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    return make_app("amidst leaderboard", gate, routers, TRANSLATION, lifespan)
