"""The workers for managers: who they are, how good they are, what each has done.

GET  /api/workers?sort=&descending=&search=&flagged=&offset=&limit=    the table, a page of it
GET  /api/workers/{worker}                                  one of its rows
GET  /api/workers/{worker}/answers?stage=&before=&limit=    the work, with links to its pictures
GET  /api/workers/{worker}/late?before=&limit=              answers that came too late
POST /api/late/{late}/use                                   makes one count, where a place is free again
POST /api/workers/{worker}/state {state}                    active, paused, banned
GET  /api/quality                                           the figures of Fig. 2.4, whom to void
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from amidst.apps.server import sessions
from amidst.apps.server.access import MANAGERS, Gate, Routes, session_of
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.crowd.pictures import Pictures, images_of
from amidst.apps.server.crowd.recent import Recent
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.foundation import Before, Id, Limit
from amidst.crowd import engine
from amidst.crowd.config import Stage
from amidst.crowd.roster import Roster, RosterRow
from amidst.crowd.store import Store
from amidst.errors import UnknownRecord, UsageError

SHOWN_S = 30.0  # how long the table is shown before it is counted again
Column = Literal[
    "id",
    "display",
    "state",
    "answers",
    "voided",
    "late",
    "hours",
    "pace",
    "gold",
    "precision",
    "recall",
    "images",
    "accepted",
    "discarded",
    "last_at",
]
Sort = Annotated[Column, Query()]
Search = Annotated[str, Query(max_length=200)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
Page = Annotated[int, Query(ge=1, le=40)]
OfStage = Annotated[Stage | None, Query()]


class StateBody(Body, frozen=True):
    """paused: gets no tickets. banned: cannot sign in either. note: absent, it stays; empty, it goes."""

    state: Literal["active", "paused", "banned"]
    note: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class WorkerRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate, pictures: Pictures) -> None:
        self._store, self._gate, self._pictures = store, gate, pictures
        self._accounts, self._clock = gate.accounts, gate.accounts.clock
        self.roster: Recent[Roster] = Recent(self._read_roster, self._clock, SHOWN_S)

    def router(self) -> APIRouter:
        """The routes."""
        routes, one = Routes(self._gate), "/api/workers/{worker}"
        table = ("sort", "descending", "search", "flagged", "offset", "limit")
        routes.add("GET", "/api/workers", self.workers, MANAGERS, queries=table)
        routes.add("GET", one, self.worker, MANAGERS)
        routes.add("GET", f"{one}/answers", self.answers, MANAGERS, queries=("stage", "before", "limit"))
        routes.add("GET", f"{one}/late", self.late, MANAGERS, queries=("before", "limit"))
        routes.add("POST", "/api/late/{late}/use", self.use_late, MANAGERS)
        routes.add("POST", f"{one}/state", self.change_state, MANAGERS, StateBody)
        routes.add("GET", "/api/quality", self.quality, MANAGERS)
        return routes.router

    async def workers(
        self,
        sort: Sort = "id",
        descending: bool = False,
        search: Search = "",
        flagged: bool = False,
        offset: Offset = 0,
        limit: Limit = 50,
    ) -> Response:
        """A page of the table. flagged: only workers against whom something speaks."""
        roster, at = await self.roster.get()
        words = search.casefold().strip()
        rows = [
            row
            for row in roster.rows
            if (words in row.display.casefold() or words == str(row.id)) and (row.flags or not flagged)
        ]
        rows.sort(key=_key(sort, descending), reverse=descending)
        return reply({"at": at, "total": len(rows), "workers": rows[offset : offset + limit]})

    async def worker(self, worker: Id) -> Response:
        """One worker's figures."""
        roster, at = await self.roster.get()
        found = next((row for row in roster.rows if row.id == worker), None)
        if found is None:  # may have come since
            await engine.read_worker(self._store, worker)
            self.roster.forget()
            roster, at = await self.roster.get()
            found = next(row for row in roster.rows if row.id == worker)
        account = await self._store.read(lambda c: self._accounts.account(c, worker))
        return reply({"at": at, "worker": found, "role": account.role, "created_at": account.created_at})

    async def answers(
        self,
        request: Request,
        worker: Id,
        stage: OfStage = None,
        before: Before = engine.LATEST,
        limit: Page = 12,
    ) -> Response:
        """What a worker was shown and has said, newest first; the next page ends before the last id."""
        now = self._clock()
        found = await engine.answers_of(self._store, worker, now, stage=stage, before=before, limit=limit)
        ids = [image.id for one in found for image in images_of(one.task)]
        return reply({"answers": found, "media": await self._pictures.of_page(ids, request)})

    async def late(self, worker: Id, before: Before = engine.LATEST, limit: Limit = 50) -> Response:
        """A worker's answers that came too late, newest first, and whether a place is free for each."""
        return reply(await engine.late_answers(self._store, worker, before=before, limit=limit))

    async def use_late(self, request: Request, late: Id) -> Response:
        """Make a late answer count; 409 says why it cannot."""
        who = session_of(request).account
        try:
            receipt = await engine.use_late(self._store, late, self._clock())
        except UnknownRecord:
            raise
        except UsageError as error:
            raise Refusal(409, str(error)) from None
        self.roster.forget()
        details = {"answer": receipt.answer_id, "repeated": receipt.replayed}
        await self._store.write(lambda c: self._accounts.note(c, who, "late.use", str(late), details))
        return reply(receipt)

    async def quality(self) -> Response:
        """Who agrees with whom, who falls below the line, whose masks are discarded too often."""
        roster, at = await self.roster.get()
        return reply(
            {
                "at": at,
                "whole": roster.whole,
                "line": roster.line,
                "labellers": [one.to_builtins() for one in roster.agreement],
                "below_line": roster.below_line,
                "void_proposals": [one.to_builtins() for one in roster.proposals],
                "union": None if roster.union is None else roster.union.to_builtins(),
            }
        )

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
        note = plain_text(body.note, "note", 500) if body.note and body.note.strip() else body.note and ""
        await engine.change_worker(self._store, worker, state=body.state, note=note)
        self._gate.forget()
        self.roster.forget()
        details = {"state": body.state}
        await self._store.write(
            lambda c: self._accounts.note(c, session.account, "worker.state", str(worker), details)
        )
        return reply({})

    async def _read_roster(self) -> Roster:
        return await engine.roster(self._store)


def _key(sort: Column, descending: bool) -> Callable[[RosterRow], tuple[Any, ...]]:
    """Unknown values come last in either direction."""

    def key(row: RosterRow) -> tuple[Any, ...]:
        value = getattr(row, sort)
        if isinstance(value, str):
            value = value.casefold()
        return ((value is None) != descending, 0 if value is None else value)

    return key
