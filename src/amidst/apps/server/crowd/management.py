"""What managers do: look at the progress, set the rules, take work out and back, look at why.

    GET  /api/progress                                      stages and workers
    GET  /api/settings, PUT /api/settings                   the campaign's configuration
    POST /api/workers/{worker}/state {state}                active, paused, banned
    POST /api/voids/preview, /api/voids, /api/voids/{void}/revert
    GET  /api/decisions?rule=&subject=                      every automatic step with its inputs
    GET  /api/doctor, /api/export

Reading changes nothing: an export is made from one state of the database and sent, not stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from amidst.apps.server import sessions
from amidst.apps.server.access import MANAGERS, READERS, Gate, Routes, session_of
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.crowd.settings import Settings
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.foundation import LARGEST_ID, Id
from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig, Stage
from amidst.crowd.store import Store

Key = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
Subject = Annotated[str, Query(pattern="^[a-z_]{1,40}/[0-9]{1,18}$")]


class StateBody(Body, frozen=True):
    """paused: gets no tickets. banned: cannot sign in either."""

    state: Literal["active", "paused", "banned"]
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class VoidBody(Body, frozen=True):
    """stage: null for all of a worker's work."""

    worker: Key
    stage: Stage | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class ManagementRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate, settings: Settings) -> None:
        self._store, self._gate, self._settings = store, gate, settings
        self._accounts, self._clock = gate.accounts, gate.accounts.clock
        self._heavy = asyncio.Semaphore(1)  # export and doctor read everything

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/progress", self.progress, READERS)
        routes.add("GET", "/api/settings", self.settings, READERS)
        routes.add("PUT", "/api/settings", self.change_settings, MANAGERS, CampaignConfig)
        routes.add("POST", "/api/workers/{worker}/state", self.change_state, MANAGERS, StateBody)
        routes.add("POST", "/api/voids/preview", self.preview, MANAGERS, VoidBody)
        routes.add("POST", "/api/voids", self.void, MANAGERS, VoidBody, status=201)
        routes.add("POST", "/api/voids/{void}/revert", self.revert, MANAGERS)
        routes.add("GET", "/api/decisions", self.decisions, MANAGERS, queries=("subject",))
        routes.add("GET", "/api/doctor", self.doctor, MANAGERS)
        routes.add("GET", "/api/export", self.export, MANAGERS)
        return routes.router

    async def progress(self) -> Response:
        """Each stage and each worker in figures."""
        return reply(await engine.progress(self._store))

    async def settings(self) -> Response:
        """The campaign's configuration."""
        return reply(await self._settings.get())

    async def change_settings(self, request: Request) -> Response:
        """Put another configuration in force; what was decided stays decided by the rules of its time."""
        session, config = session_of(request), await read_body(request, CampaignConfig)
        plain_text(config.name, "name", 200)
        before = await self._settings.get()
        await self._settings.change(config)
        changed = {"before": msgspec.to_builtins(before), "after": msgspec.to_builtins(config)}
        await self._note(session.account, "settings", "", changed)
        return reply(config)

    async def change_state(self, request: Request, worker: Id) -> Response:
        """Let someone work, pause them, or close their account."""
        session, body = session_of(request), await read_body(request, StateBody)
        if worker == session.account:
            raise Refusal(409, "nobody changes their own state")

        def check(connection: Connection) -> None:
            role = self._accounts.account(connection, worker).role
            if role in ("owner", "manager") and session.role != "owner":
                raise Refusal(403, f"only an owner deals with the role {role}")
            if body.state == "banned":
                sessions.end_all(self._accounts, connection, worker)

        await self._store.write(check)
        note = plain_text(body.note, "note", 500) if body.note.strip() else None
        await engine.change_worker(self._store, worker, state=body.state, note=note)
        self._gate.forget()
        await self._note(session.account, "worker.state", str(worker), {"state": body.state})
        return reply({})

    async def preview(self, request: Request) -> Response:
        """What voiding a worker's work would reopen and cost; nothing is changed."""
        body = await read_body(request, VoidBody)
        return reply(await engine.preview_void(self._store, body.worker, body.stage, self._clock()))

    async def void(self, request: Request) -> Response:
        """Take a worker's work out of all decisions; it stays stored and can be taken back in."""
        session, body = session_of(request), await read_body(request, VoidBody)
        reason = plain_text(body.reason, "reason", 500)
        by = f"{session.account} {session.display}"
        effect = await engine.void(self._store, body.worker, body.stage, reason, by, self._clock())
        details = {"stage": body.stage, "reason": reason}
        await self._note(session.account, "void", str(body.worker), details)
        return reply(effect, 201)

    async def revert(self, request: Request, void: Id) -> Response:
        """Take voided work back in."""
        effect = await engine.revert_void(self._store, void, self._clock())
        await self._note(session_of(request).account, "void.revert", str(void), {})
        return reply(effect)

    async def decisions(self, subject: Subject) -> Response:
        """Why something is as it is: the decisions about a subject such as cell/7, with their inputs."""
        return reply(await engine.list_decisions(self._store, subject))

    async def doctor(self) -> Response:
        """Every broken invariant, and every decision that would come out otherwise today."""
        async with self._heavy:
            return reply(await engine.doctor(self._store))

    async def export(self) -> Response:
        """The dataset as a COCO file."""
        async with self._heavy:
            made = await engine.export(self._store)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="annotations.json"',
        }
        content = await asyncio.to_thread(made.dataset.to_json)
        return Response(content, media_type="application/json", headers=headers)

    async def _note(self, who: int, action: str, subject: str, details: Mapping[str, object]) -> None:
        await self._store.write(lambda c: self._accounts.note(c, who, action, subject, details))
