"""People from crowd platforms: their way in, and what they get when they are done.

GET  /prolific, /mturk                  pages; the address holds our signature and the platform's names
POST /api/platforms/prolific/enter, /api/platforms/mturk/enter {parameters}
POST /api/platforms/finish {assignment} how many answers are left; at none the assignment is finished

Nobody invites them: the signature in the address does. Who comes gets a bearer token, for a page in a frame
has no cookies; it lives in the page's memory, and coming again with the same assignment ends it and makes a
new one. Who comes with a finished one gets what ends the work, again. A preview of Mechanical Turk gets
instructions and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, insert, select

from amidst.apps.server import sessions
from amidst.apps.server.access import ANYONE, WORKERS, Gate, Routes, address_of, session_of
from amidst.apps.server.bodies import Body, read_body
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.limits import Limiter, Rate
from amidst.apps.server.pages import Pages
from amidst.config import Config
from amidst.crowd import adapter_mturk, adapter_prolific, assignments
from amidst.crowd.adapters import Entry, person_hash
from amidst.crowd.schema_people import accounts as tables
from amidst.crowd.store import Store
from amidst.errors import UsageError

MTURK_PAGE, PROLIFIC_PAGE = "/mturk", "/prolific"
SIGNED = ("stage", "expires", "signature")
QUERIES = {
    MTURK_PAGE: (*SIGNED, "group", "assignmentId", "hitId", "workerId", "turkSubmitTo"),
    PROLIFIC_PAGE: (*SIGNED, "STUDY_ID", "PROLIFIC_PID", "SESSION_ID"),
}
Word = Annotated[str, msgspec.Meta(max_length=2000)]
Key = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class PlatformConfig(Config, frozen=True):
    """Of the work that people from platforms do.

    tickets: answers that an assignment asks for. submit_hosts: where a page in Mechanical Turk's frame may
    post its end, and who may frame it. return_url: where a completion code is taken.
    """

    tickets: int = 1
    submit_hosts: tuple[str, ...] = adapter_mturk.SUBMIT_HOSTS
    return_url: str = "https://app.prolific.com/submissions/complete"
    enter_address: Rate = Rate(count=60)


class ParametersBody(Body, frozen=True):
    """parameters: of the page's address, as they stand there."""

    parameters: Annotated[dict[Word, Word], msgspec.Meta(max_length=20)]


class AssignmentBody(Body, frozen=True):
    """assignment: as the way in gave it."""

    assignment: Key


class PlatformRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate, pages: Pages, config: PlatformConfig) -> None:
        self._store, self._gate, self._pages, self._config = store, gate, pages, config
        self._accounts, self._clock = gate.accounts, gate.accounts.clock
        self._secret = gate.secrets.adapters.hex()
        self._entries = Limiter(config.enter_address, self._clock)

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        for path, names in QUERIES.items():
            routes.add("GET", path, self.page, ANYONE, queries=names)
        routes.add("POST", "/api/platforms/prolific/enter", self.enter_prolific, ANYONE, ParametersBody)
        routes.add("POST", "/api/platforms/mturk/enter", self.enter_mturk, ANYONE, ParametersBody)
        routes.add("POST", "/api/platforms/finish", self.finish, WORKERS, AssignmentBody)
        return routes.router

    async def page(self, request: Request) -> Response:
        """The page that a platform shows."""
        return self._pages.send(request, "platform.html")

    async def enter_prolific(self, request: Request) -> Response:
        """Come in from a platform that names people in the address."""
        return await self._enter(request, adapter_prolific.enter)

    async def enter_mturk(self, request: Request) -> Response:
        """Come in from Mechanical Turk; a preview gets the stage and no session."""
        return await self._enter(request, partial(adapter_mturk.enter, hosts=self._config.submit_hosts))

    async def finish(self, request: Request) -> Response:
        """How many answers an assignment still lacks; at none it is finished, once and for all."""
        worker, body = session_of(request).account, await read_body(request, AssignmentBody)

        def work(connection: Connection) -> int:
            number = assignments.left(connection, worker, body.assignment, self._config.tickets)
            if number == 0:
                assignments.finish(connection, worker, body.assignment, self._clock())
            return number

        return reply({"left": await self._store.write(work)})

    async def _enter(
        self, request: Request, check: Callable[[str, str, Mapping[str, str], int], Entry]
    ) -> Response:
        self._entries.take(address_of(request))
        body, now = await read_body(request, ParametersBody), self._clock()
        try:
            entry = check(self._secret, campaign_word(self._secret), body.parameters, now)
        except UsageError as error:
            raise Refusal(403, str(error), "entry") from None
        if entry.preview:
            return reply({"preview": True, "finished": False, "stage": entry.stage})

        def work(connection: Connection) -> tuple[str, assignments.Assignment]:
            worker = self._worker(connection, entry, now)
            one = assignments.arrive(connection, entry, worker, now)
            sessions.end_all(self._accounts, connection, worker)
            done = one.finished_at is not None
            return "" if done else sessions.start(self._accounts, connection, worker), one

        try:
            token, one = await self._store.write(work)
        except UsageError as error:
            raise Refusal(409, str(error), "entry") from None
        self._gate.forget()
        about = {"preview": False, "finished": not token, "stage": entry.stage, "submit_to": entry.submit_to}
        if not token:
            return reply({**about, **self._way_back(one)})
        return reply({**about, "token": token, "assignment": one.id, "tickets": self._config.tickets})

    def _worker(self, connection: Connection, entry: Entry, now: int) -> int:
        """The account of a person of a platform, made when they come first; their name is kept as a hash."""
        hashed = person_hash(self._secret, entry.provider, entry.external_id)
        known = (tables.identity.c.provider == entry.provider) & (
            tables.identity.c.external_id_hash == hashed
        )
        found = connection.execute(select(tables.identity.c.worker_id).where(known)).scalar()
        if found is not None:
            return int(found)
        worker = self._accounts.create(connection, f"{entry.provider} {hashed[:6]}", "worker")
        row = {"provider": entry.provider, "external_id_hash": hashed, "worker_id": worker, "created_at": now}
        connection.execute(insert(tables.identity), row)
        self._accounts.note(connection, worker, "account.enter", entry.provider, {"role": "worker"})
        return worker

    def _way_back(self, one: assignments.Assignment) -> dict[str, object]:
        if one.provider == adapter_mturk.PROVIDER:
            return {"fields": {"assignmentId": one.external_id, "answers": str(one.answers)}}
        code = adapter_prolific.completion_code(self._secret, one.order_name, one.external_id)
        return {"code": code, "return_url": adapter_prolific.return_url(self._config.return_url, code)}


def campaign_word(secret: str) -> str:
    """A word for the campaign in signatures and orders: of this installation, whatever it is named today."""
    return hashlib.sha256(f"campaign|{secret}".encode()).hexdigest()[:16]
