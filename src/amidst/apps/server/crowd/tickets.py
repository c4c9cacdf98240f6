"""What workers do: lease a ticket, keep it, save drafts, submit, give it back.

    POST /api/tickets/lease {stage}                     a ticket, or why there is none
    POST /api/tickets/{ticket}/submit {token, idem_key, body, client}
    POST /api/tickets/{ticket}/heartbeat | draft | release | resume
    GET  /api/tickets, /api/tickets/{ticket}/draft, /api/campaign

The reply to a submit is sent after its commit; the same key with the same body gives the same reply again. A
ticket's reply has the same shape whether items are known to the engine or not: the engine makes the task, and
this file adds nothing but links to its pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Request, Response

from amidst.apps.server.access import WORKERS, Gate, Routes, session_of
from amidst.apps.server.bodies import MASKS, Body, read_body
from amidst.apps.server.crowd.pictures import Pictures
from amidst.apps.server.crowd.settings import Settings
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.foundation import Id
from amidst.apps.server.limits import Limiter, Rate
from amidst.config import Config
from amidst.crowd import engine
from amidst.crowd.bodies import Client, Task
from amidst.crowd.config import Stage
from amidst.crowd.results import Conflict, Ticket
from amidst.crowd.store import Store

Token = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class WorkerLimits(Config, frozen=True):
    """Requests of one worker. other: heartbeats, drafts and everything else about tickets."""

    lease: Rate = Rate(count=30)
    submit: Rate = Rate(count=60)
    other: Rate = Rate(count=300)


class LeaseBody(Body, frozen=True):
    """A ticket of which stage."""

    stage: Stage


class TokenBody(Body, frozen=True):
    """token: of the ticket."""

    token: Token


class SubmitBody(Body, frozen=True):
    """An answer. idem_key: chosen by the client once per answer. body: as amidst.crowd.bodies has it."""

    token: Token
    idem_key: Annotated[str, msgspec.Meta(min_length=8, max_length=100, pattern=r"^[A-Za-z0-9_.:-]+$")]
    body: msgspec.Raw
    schema: Literal[1] = 1
    client: Client = Client()


class DraftBody(Body, frozen=True):
    """Unfinished work. rev: one more than the last that was saved."""

    token: Token
    rev: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    body: msgspec.Raw


class TicketRoutes:
    """The routes below /api/tickets. look_ahead: is told of every task that is shown. assisted: whether
    outlines are suggested on this server."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        settings: Settings,
        pictures: Pictures,
        limits: WorkerLimits,
        look_ahead: Callable[[Task], None],
        assisted: bool,
    ) -> None:
        self._store, self._gate, self._settings, self._pictures = store, gate, settings, pictures
        self._clock = clock = gate.accounts.clock
        self._look_ahead, self._assisted = look_ahead, assisted
        self._leases = Limiter(limits.lease, clock)
        self._submits = Limiter(limits.submit, clock)
        self._others = Limiter(limits.other, clock)

    def router(self) -> APIRouter:
        """The routes."""
        routes, one = Routes(self._gate), "/api/tickets/{ticket}"
        routes.add("GET", "/api/campaign", self.campaign, WORKERS)
        routes.add("GET", "/api/tickets", self.held, WORKERS)
        routes.add("POST", "/api/tickets/lease", self.lease, WORKERS, LeaseBody)
        routes.add("POST", f"{one}/resume", self.resume, WORKERS)
        routes.add("POST", f"{one}/heartbeat", self.heartbeat, WORKERS, TokenBody)
        routes.add("GET", f"{one}/draft", self.draft, WORKERS)
        routes.add("POST", f"{one}/draft", self.save_draft, WORKERS, DraftBody)
        routes.add("POST", f"{one}/submit", self.submit, WORKERS, SubmitBody)
        routes.add("POST", f"{one}/release", self.release, WORKERS, TokenBody)
        return routes.router

    async def campaign(self, request: Request) -> Response:
        """What a worker's page has to know: the stages that are on, those with work, its times, whether
        outlines are suggested."""
        config = await self._settings.get()
        waiting = await engine.open_stages(self._store, session_of(request).account)
        return reply(
            {
                "name": config.name,
                "stages": config.stages,
                "with_work": waiting,
                "lease": config.lease,
                "assistance": self._assisted,
            }
        )

    async def held(self, request: Request) -> Response:
        """The tickets this worker holds."""
        return reply(await engine.held(self._store, session_of(request).account))

    async def lease(self, request: Request) -> Response:
        """A ticket of a stage, or the reason why there is none now."""
        worker, body = session_of(request).account, await read_body(request, LeaseBody)
        self._leases.take(str(worker))
        found = await engine.lease(self._store, worker, body.stage, self._clock())
        if isinstance(found, Ticket):
            return await self._shown(found)
        return reply({"ticket": None, "reason": found.reason, "retry_at": found.retry_at})

    async def resume(self, request: Request, ticket: Id) -> Response:
        """A ticket again after a reload; its token is new and the old one is good for nothing."""
        worker = self._other(request)
        found = await engine.resume(self._store, worker, ticket, self._clock())
        return _conflict(found) if isinstance(found, Conflict) else await self._shown(found)

    async def heartbeat(self, request: Request, ticket: Id) -> Response:
        """Keep a ticket; its new end."""
        worker, body = self._other(request), await read_body(request, TokenBody)
        found = await engine.heartbeat(self._store, worker, ticket, body.token, self._clock())
        return _conflict(found) if isinstance(found, Conflict) else reply({"expires_at": found})

    async def draft(self, request: Request, ticket: Id) -> Response:
        """The draft saved last, or null."""
        return reply(await engine.load_draft(self._store, self._other(request), ticket))

    async def save_draft(self, request: Request, ticket: Id) -> Response:
        """Save unfinished work; an older revision than the stored one changes nothing."""
        worker, body = self._other(request), await read_body(request, DraftBody, MASKS)
        _check_json(body.body)
        found = await engine.save_draft(
            self._store, worker, ticket, body.token, body.rev, bytes(body.body), self._clock()
        )
        return _conflict(found) if isinstance(found, Conflict) else reply({"rev": found})

    async def submit(self, request: Request, ticket: Id) -> Response:
        """Store an answer, once; the receipt comes after it is safe on disk."""
        worker, body = session_of(request).account, await read_body(request, SubmitBody, MASKS)
        self._submits.take(str(worker))
        found = await engine.submit(
            self._store,
            worker,
            ticket,
            body.token,
            body.idem_key,
            bytes(body.body),
            body.client,
            self._clock(),
        )
        return _conflict(found) if isinstance(found, Conflict) else reply(found)

    async def release(self, request: Request, ticket: Id) -> Response:
        """Give a ticket back unanswered."""
        worker, body = self._other(request), await read_body(request, TokenBody)
        found = await engine.release(self._store, worker, ticket, body.token)
        return _conflict(found) if isinstance(found, Conflict) else reply({"released": found})

    def _other(self, request: Request) -> int:
        worker = session_of(request).account
        self._others.take(str(worker))
        return worker

    async def _shown(self, ticket: Ticket) -> Response:
        self._look_ahead(ticket.task)
        lease = (await self._settings.get()).lease
        shown, links = await self._pictures.of_ticket(ticket, lease.limit_s)
        return reply({"ticket": shown, "media": links})


def _conflict(conflict: Conflict) -> Response:
    """409: what a page has to know to go on."""
    text = {
        "stale": "this ticket has ended or another window holds it; the answer was kept for the manager",
        "other_body": "this key was used for another answer; nothing was stored",
    }[conflict.reason]
    body = {"error": {"code": conflict.reason, "message": text}, "orphan_id": conflict.orphan_id}
    return reply(body, 409)


def _check_json(body: msgspec.Raw) -> None:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Refusal(422, "body: not JSON, or nested too deeply") from None
