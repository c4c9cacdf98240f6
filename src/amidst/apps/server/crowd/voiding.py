"""Taking a worker's work out of all decisions, and back.

GET  /api/voids?before=&limit=                      voids, newest first
POST /api/voids/preview {worker, stage}             what it would reopen and cost; nothing is changed
POST /api/voids {worker, stage, reason}
POST /api/voids/{void}/revert
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response

from amidst.apps.server.access import MANAGERS, Gate, Routes, session_of
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.crowd.recent import Recent
from amidst.apps.server.errors import reply
from amidst.apps.server.foundation import LARGEST_ID, Before, Id, Limit
from amidst.crowd import engine
from amidst.crowd.config import Stage
from amidst.crowd.outlook import Outlook
from amidst.crowd.roster import Roster
from amidst.crowd.store import Store

Key = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
SECONDS_S = 60.0  # how long the price of a judgement is taken for granted


class VoidBody(Body, frozen=True):
    """stage: null for all of a worker's work."""

    worker: Key
    stage: Stage | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class VoidRoutes:
    """See the module. roster: the table of workers, which a void changes."""

    def __init__(self, store: Store, gate: Gate, roster: Recent[Roster]) -> None:
        self._store, self._gate, self._roster = store, gate, roster
        self._accounts, self._clock = gate.accounts, gate.accounts.clock
        self._outlook: Recent[Outlook] = Recent(self._read_outlook, self._clock, SECONDS_S)

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/voids", self.voids, MANAGERS, queries=("before", "limit"))
        routes.add("POST", "/api/voids/preview", self.preview, MANAGERS, VoidBody)
        routes.add("POST", "/api/voids", self.void, MANAGERS, VoidBody, status=201)
        routes.add("POST", "/api/voids/{void}/revert", self.revert, MANAGERS)
        return routes.router

    async def voids(self, before: Before = engine.LATEST, limit: Limit = 50) -> Response:
        """Voids in force and taken back, newest first; the next page ends before the last id."""
        return reply(await engine.list_voids(self._store, before=before, limit=limit))

    async def preview(self, request: Request) -> Response:
        """What voiding a worker's work would reopen and cost; nothing is changed."""
        body = await read_body(request, VoidBody)
        effect = await engine.preview_void(self._store, body.worker, body.stage)
        outlook, _ = await self._outlook.get()
        seconds = {one.stage: one.seconds for one in outlook.stages}
        again = sum(number * seconds.get(stage, 0.0) for stage, number in effect.judgements.items())
        cost = (await engine.campaign_config(self._store)).hour_cost * again / 3600
        return reply({**msgspec.structs.asdict(effect), "hours": again / 3600, "cost": cost})

    async def void(self, request: Request) -> Response:
        """Take a worker's work out of all decisions; it stays stored and can be taken back in."""
        session, body = session_of(request), await read_body(request, VoidBody)
        reason = plain_text(body.reason, "reason", 500)
        by = f"{session.account} {session.display}"
        effect = await engine.void(self._store, body.worker, body.stage, reason, by, self._clock())
        details = {"stage": body.stage, "reason": reason, "void": effect.void_id}
        await self._note(session.account, "void", str(body.worker), details)
        return reply(effect, 201)

    async def revert(self, request: Request, void: Id) -> Response:
        """Take voided work back in."""
        effect = await engine.revert_void(self._store, void, self._clock())
        await self._note(session_of(request).account, "void.revert", str(void), {})
        return reply(effect)

    async def _note(self, who: int, action: str, subject: str, details: Mapping[str, object]) -> None:
        self._roster.forget()
        await self._store.write(lambda c: self._accounts.note(c, who, action, subject, details))

    async def _read_outlook(self) -> Outlook:
        return await engine.outlook(self._store)
