"""How the campaign stands, for everybody who may look.

GET  /api/progress                      each stage and each worker in figures
GET  /api/overview                      stages with what is left to do, in judgements, hours and money
GET  /api/activity                      answers of the last days, by hour and stage
POST /api/campaign/state {state}        open, paused
"""

from __future__ import annotations

from typing import Literal

import msgspec
from fastapi import APIRouter, Request, Response

from amidst.apps.server.access import MANAGERS, READERS, Gate, Routes, session_of
from amidst.apps.server.bodies import Body, read_body
from amidst.apps.server.crowd.recent import Recent
from amidst.apps.server.crowd.settings import Settings
from amidst.apps.server.errors import reply
from amidst.apps.server.limits import MICRO
from amidst.crowd import engine
from amidst.crowd.activity import ActivityHour
from amidst.crowd.lacking import Lack
from amidst.crowd.outlook import Outlook
from amidst.crowd.progress import Progress
from amidst.crowd.store import Store

SHOWN_S = 10.0  # how long figures are shown before they are counted again
ACTIVITY_S = 7 * 24 * 3600


class CampaignStateBody(Body, frozen=True):
    """paused: nobody gets a ticket; those that are out can be submitted."""

    state: Literal["open", "paused"]


class OverviewRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate, settings: Settings) -> None:
        self._store, self._gate, self._settings = store, gate, settings
        self._accounts, self._clock = gate.accounts, gate.accounts.clock
        self._figures = Recent(self._count, self._clock, SHOWN_S)
        self._hours = Recent(self._read_activity, self._clock, SHOWN_S)

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/progress", self.progress, READERS)
        routes.add("GET", "/api/overview", self.overview, READERS)
        routes.add("GET", "/api/activity", self.activity, READERS)
        routes.add("POST", "/api/campaign/state", self.change_state, MANAGERS, CampaignStateBody)
        return routes.router

    async def progress(self) -> Response:
        """Each stage and each worker in figures."""
        return reply(await engine.progress(self._store))

    async def overview(self) -> Response:
        """The stages, what waits and what is still to come of it, in hours and money."""
        (progress, outlook, lacking), at = await self._figures.get()
        figures = msgspec.structs.asdict(progress)
        figures["workers"] = len(progress.workers)
        cost = (await self._settings.get()).hour_cost
        return reply(
            {"at": at, "progress": figures, "outlook": outlook, "lacking": lacking, "hour_cost": cost}
        )

    async def activity(self) -> Response:
        """Answers of the last seven days by hour and stage; hours without one are left out."""
        hours, at = await self._hours.get()
        return reply({"at": at, "hours": hours})

    async def change_state(self, request: Request) -> Response:
        """Stop or go on handing out work."""
        session, body = session_of(request), await read_body(request, CampaignStateBody)
        await engine.change_state(self._store, body.state)
        note = {"state": body.state}
        await self._store.write(lambda c: self._accounts.note(c, session.account, "campaign.state", "", note))
        self._figures.forget()
        return reply({})

    async def _count(self) -> tuple[Progress, Outlook, tuple[Lack, ...]]:
        lacking = await engine.lacking(self._store)
        return await engine.progress(self._store), await engine.outlook(self._store), lacking

    async def _read_activity(self) -> list[ActivityHour]:
        return await engine.activity(self._store, self._clock() - ACTIVITY_S * MICRO)
