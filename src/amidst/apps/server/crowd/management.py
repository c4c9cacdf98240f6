"""What managers do: set the rules, look at why, take the dataset home.

    GET  /api/settings, PUT /api/settings                   the campaign's configuration
    GET  /api/settings/form                                 its fields, with types, defaults and comments
    GET  /api/decisions?subject= | ?rule=&before=&limit=    automatic steps with their inputs
    GET  /api/doctor, /api/export, /api/export/captions

Reading changes nothing: an export is made from one state of the database and sent, not stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from amidst.apps.server.access import MANAGERS, READERS, Gate, Routes, session_of
from amidst.apps.server.bodies import plain_text, read_body
from amidst.apps.server.crowd.recent import Recent
from amidst.apps.server.crowd.settings import Settings
from amidst.apps.server.crowd.settings_form import form
from amidst.apps.server.errors import reply
from amidst.apps.server.foundation import Before, Limit
from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig
from amidst.crowd.roster import Roster
from amidst.crowd.store import Store

Subject = Annotated[str | None, Query(pattern="^[a-z_]{1,40}/[0-9]{1,18}(/[0-9]{1,18})?$")]
Rule = Annotated[str | None, Query(pattern="^[a-z_ -]{1,60}$")]


class ManagementRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate, settings: Settings, roster: Recent[Roster]) -> None:
        self._store, self._gate, self._settings, self._roster = store, gate, settings, roster
        self._accounts, self._clock = gate.accounts, gate.accounts.clock
        self._heavy = asyncio.Semaphore(1)  # export and doctor read everything

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/settings", self.settings, READERS)
        routes.add("PUT", "/api/settings", self.change_settings, MANAGERS, CampaignConfig)
        routes.add("GET", "/api/settings/form", self.form, MANAGERS)
        why = ("subject", "rule", "before", "limit")
        routes.add("GET", "/api/decisions", self.decisions, MANAGERS, queries=why)
        routes.add("GET", "/api/doctor", self.doctor, MANAGERS)
        routes.add("GET", "/api/export", self.export, MANAGERS)
        routes.add("GET", "/api/export/captions", self.captions, MANAGERS)
        return routes.router

    async def settings(self) -> Response:
        """The campaign's configuration."""
        return reply(await self._settings.get())

    async def change_settings(self, request: Request) -> Response:
        """Put another configuration in force; what was decided stays decided by the rules of its time."""
        session, config = session_of(request), await read_body(request, CampaignConfig)
        plain_text(config.name, "name", 200)
        before = await self._settings.get()
        await self._settings.change(config)
        self._roster.forget()  # the line of rejection may be another
        changed = {"before": msgspec.to_builtins(before), "after": msgspec.to_builtins(config)}
        await self._note(session.account, "settings", "", changed)
        return reply(config)

    async def form(self) -> Response:
        """The fields of the configuration, for a page."""
        return reply({"groups": form()})

    async def decisions(
        self,
        subject: Subject = None,
        rule: Rule = None,
        before: Before = engine.LATEST,
        limit: Limit = 50,
    ) -> Response:
        """Why something is as it is: all decisions about a subject such as cell/7, oldest first, with their
        inputs; without a subject the latest of all, or of a rule."""
        if subject is not None:
            return reply(await engine.list_decisions(self._store, subject))
        return reply(await engine.latest_decisions(self._store, rule=rule, before=before, limit=limit))

    async def doctor(self) -> Response:
        """Every broken invariant, and every decision that would come out otherwise today."""
        async with self._heavy:
            return reply(await engine.doctor(self._store))

    async def export(self) -> Response:
        """The dataset as a COCO file."""
        async with self._heavy:
            made = await engine.export(self._store)
        return _file("annotations.json", await asyncio.to_thread(made.dataset.to_json))

    async def captions(self) -> Response:
        """The captions, in COCO's format."""
        async with self._heavy:
            made = await engine.export(self._store)
        return _file("captions.json", await asyncio.to_thread(msgspec.json.encode, made.captions))

    async def _note(self, who: int, action: str, subject: str, details: Mapping[str, object]) -> None:
        await self._store.write(lambda c: self._accounts.note(c, who, action, subject, details))


def _file(name: str, content: bytes | str) -> Response:
    """JSON that a browser saves."""
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/json", headers=headers)
