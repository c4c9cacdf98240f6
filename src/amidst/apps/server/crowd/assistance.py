"""Assistance: masks suggested for a click or a rough outline, where the operator has given a provider.

    POST /api/tickets/{ticket}/assist {token, points, polygon} -> {"masks": [...]}

A provider has a function `suggest(picture, category, points_xy, polygon_xy) -> masks`; the picture is the
upright original, and the function runs in a thread. It is off unless `create_app` is given one
(`model_assistance` is the project's own). Whether it was used is part of each answer (`client.assist_used`),
so that work done with it can be told apart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response

from amidst.apps.server.access import WORKERS, Gate, Routes, session_of
from amidst.apps.server.bodies import Body, read_body
from amidst.apps.server.crowd.pictures import Pictures
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.foundation import Id
from amidst.apps.server.limits import Limiter, Rate
from amidst.apps.server.media import ORIGINAL, MediaStore
from amidst.coco.records import Rle
from amidst.crowd import engine
from amidst.crowd.bodies import CategoryRef, CrowdTask, SegmentationTask, Task, TrainingTask, Vertex
from amidst.crowd.results import Conflict
from amidst.crowd.store import Store

Points = Sequence[tuple[float, float]]
Suggest = Callable[[Path, CategoryRef, Points, Points], Sequence[Rle]]
Drawing = SegmentationTask | TrainingTask | CrowdTask
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assistance:
    """A provider. look: is told of a picture that is going to be asked about, so that a click is quick."""

    suggest: Suggest
    look: Callable[[Path], None] | None = None


class AssistBody(Body, frozen=True):
    """points: clicks on the object. polygon: a rough outline, or nothing."""

    token: Token
    points: Annotated[tuple[Vertex, ...], msgspec.Meta(max_length=20)] = ()
    polygon: Annotated[tuple[Vertex, ...], msgspec.Meta(max_length=500)] = ()


class AssistRoutes:
    """See the module. rate: of one worker."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        pictures: Pictures,
        media: MediaStore,
        assist: Assistance | None,
        rate: Rate,
    ) -> None:
        self._store, self._gate, self._pictures, self._media = store, gate, pictures, media
        self._assist, self._clock = assist, gate.accounts.clock
        self._limit = Limiter(rate, self._clock)
        self._looking: set[asyncio.Task[None]] = set()

    def router(self) -> APIRouter:
        """The route."""
        routes = Routes(self._gate)
        routes.add("POST", "/api/tickets/{ticket}/assist", self.suggest, WORKERS, AssistBody)
        return routes.router

    async def suggest(self, request: Request, ticket: Id) -> Response:
        """Masks suggested for the ticket's image, best first."""
        worker, body = session_of(request).account, await read_body(request, AssistBody)
        self._limit.take(str(worker))
        task = await engine.ticket_task(self._store, worker, ticket, body.token, self._clock())
        if isinstance(task, Conflict):
            raise Refusal(409, "this ticket has ended or another window holds it", "stale")
        if self._assist is None:
            raise Refusal(404, "no assistance is set up on this server", "no-assistance")
        if not isinstance(task, Drawing):
            raise Refusal(409, "there is assistance for drawing only", "no-assistance")
        path = await self._picture(task)
        if path is None:
            raise Refusal(404, "the picture of this ticket is missing")
        found = await asyncio.to_thread(self._assist.suggest, path, task.category, body.points, body.polygon)
        return reply({"masks": found})

    def look_ahead(self, task: Task) -> None:
        """A ticket is handed out: tell the provider of its picture, and do not wait."""
        if self._assist is None or self._assist.look is None or not isinstance(task, Drawing):
            return
        looking = asyncio.create_task(self._look(self._assist.look, task))
        self._looking.add(looking)  # a task that nobody holds may be thrown away
        looking.add_done_callback(self._looking.discard)

    async def _look(self, look: Callable[[Path], None], task: Drawing) -> None:
        path = await self._picture(task)
        if path is not None:
            try:
                await asyncio.to_thread(look, path)
            except Exception:  # whatever a provider does: the work goes on without it
                log.exception("no suggestions for %s", path)

    async def _picture(self, task: Drawing) -> Path | None:
        return self._media.find(await self._pictures.content_of(task.image.id), ORIGINAL)
