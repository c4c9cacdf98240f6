"""Accounts, invitations and the audit, for managers.

Nobody can give, take or use what stands above them: a manager deals with experts, workers and viewers, only
an owner with managers and owners. That holds for links that let someone in again just as for roles.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, select

from amidst.apps.server import sessions
from amidst.apps.server.access import MANAGERS, Gate, Routes, session_of
from amidst.apps.server.accounts import Role
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.foundation import LARGEST_ID, After, Before, Id, Limit
from amidst.apps.server.sessions import Session

MAX_NOTE = 200


class InvitationBody(Body, frozen=True):
    """uses: how many people may come by the link, each with an account of their own."""

    role: Role = "worker"
    uses: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 90)] | None = None
    note: Annotated[str, msgspec.Meta(max_length=MAX_NOTE)] = ""


class RoleBody(Body, frozen=True):
    """The new role."""

    role: Role


class AccountRoutes:
    """The routes below /api/accounts, /api/invitations and /api/audit."""

    def __init__(self, gate: Gate) -> None:
        self._gate, self._accounts, self._database = gate, gate.accounts, gate.database

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/accounts", self.accounts, MANAGERS, queries=("after", "limit"))
        routes.add("POST", "/api/accounts/{account}/role", self.role, MANAGERS, RoleBody)
        routes.add("POST", "/api/accounts/{account}/link", self.link, MANAGERS)
        routes.add("POST", "/api/accounts/{account}/sign-out", self.sign_out, MANAGERS)
        routes.add("GET", "/api/invitations", self.invitations, MANAGERS)
        routes.add("POST", "/api/invitations", self.invite, MANAGERS, InvitationBody, status=201)
        routes.add("POST", "/api/invitations/{link}/withdraw", self.withdraw, MANAGERS)
        routes.add("GET", "/api/audit", self.audit, MANAGERS, queries=("before", "limit"))
        return routes.router

    async def accounts(self, after: After = 0, limit: Limit = 500) -> Response:
        """All accounts with their roles, by id; the next page begins after the last id."""
        return reply(await self._database.read(lambda c: self._accounts.accounts(c, after, limit)))

    async def role(self, request: Request, account: Id) -> Response:
        """Give an account another role."""
        session, body = session_of(request), await read_body(request, RoleBody)

        def work(connection: Connection) -> None:
            self._check_rank(connection, session, account, body.role)
            self._accounts.set_role(connection, account, body.role, session.account)

        await self._database.write(work)
        self._gate.forget()
        return reply({})

    async def link(self, request: Request, account: Id) -> Response:
        """A link that lets an account in again, once. Shown only now."""
        session = session_of(request)

        def work(connection: Connection) -> str:
            self._check_rank(connection, session, account)
            return self._accounts.return_link(connection, account, session.account)

        return reply({"token": await self._database.write(work)}, 201)

    async def sign_out(self, request: Request, account: Id) -> Response:
        """End all sessions of an account."""
        session = session_of(request)

        def work(connection: Connection) -> None:
            self._check_rank(connection, session, account)
            sessions.end_all(self._accounts, connection, account)
            self._accounts.note(connection, session.account, "account.sign-out", str(account), {})

        await self._database.write(work)
        self._gate.forget()
        return reply({})

    async def invitations(self) -> Response:
        """Links that can still be used, without their tokens."""
        return reply(await self._database.read(self._accounts.links))

    async def invite(self, request: Request) -> Response:
        """A link by which people come in. Its token is shown only now."""
        session, body = session_of(request), await read_body(request, InvitationBody)
        _check_may_give(session, body.role)
        note = plain_text(body.note, "note", MAX_NOTE) if body.note.strip() else ""

        def work(connection: Connection) -> tuple[int, str]:
            return self._accounts.issue(
                connection, body.role, by=session.account, uses=body.uses, note=note, hours=body.hours
            )

        link, token = await self._database.write(work)
        return reply({"id": link, "token": token}, 201)

    async def withdraw(self, request: Request, link: Id) -> Response:
        """End a link before it is used."""
        session = session_of(request)
        if not await self._database.write(lambda c: self._accounts.withdraw(c, link, session.account)):
            raise Refusal(404, f"there is no usable link {link}")
        return reply({})

    async def audit(self, before: Before = LARGEST_ID, limit: Limit = 200) -> Response:
        """Who did what, newest first; the next page ends before the last id."""
        table, worker = self._accounts.tables.audit, self._accounts.tables.worker

        def work(connection: Connection) -> list[dict[str, Any]]:
            rows = connection.execute(
                select(table, worker.c.display)
                .outerjoin(worker, worker.c.id == table.c.worker_id)
                .where(table.c.id < before)
                .order_by(table.c.id.desc())
                .limit(limit)
            ).mappings()
            return [_entry(dict(row)) for row in rows]

        return reply(await self._database.read(work))

    def _check_rank(
        self, connection: Connection, session: Session, account: int, role: Role | None = None
    ) -> Role:
        """The role of `account`. Raises Refusal (403, 404) where it, or `role`, stands above the asker's."""
        now = self._accounts.account(connection, account).role
        for one in (now, role or now):
            _check_may_give(session, one)
        return now


def _check_may_give(session: Session, role: Role) -> None:
    if role in ("owner", "manager") and session.role != "owner":
        raise Refusal(403, f"only an owner deals with the role {role}")


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    row["details"] = msgspec.json.decode(row.pop("details_json"))
    row["who"] = row.pop("worker_id")
    return row
