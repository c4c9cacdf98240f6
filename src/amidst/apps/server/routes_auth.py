"""Signing in and out: by link, by password; who one is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from argon2 import PasswordHasher
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from amidst.apps.server import sessions
from amidst.apps.server.access import ANYONE, SIGNED_IN, Gate, Routes, address_of, session_of
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.limits import Limiter, Rate
from amidst.apps.server.sessions import Session
from amidst.apps.server.signing import new_token
from amidst.config import Config

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
MAX_NAME = 80
HASHING = 2  # passwords hashed at a time; each takes 64 MiB

T = TypeVar("T")


class AuthLimits(Config, frozen=True):
    """Attempts to get in."""

    login_account: Rate = Rate(count=5)
    login_address: Rate = Rate(count=20)
    enter_address: Rate = Rate(count=20)


class EnterBody(Body, frozen=True):
    """token: of the link. bearer: give the session's token in the reply instead of a cookie."""

    token: Word
    display: Annotated[str, msgspec.Meta(max_length=200)] = ""
    bearer: bool = False


class LinkBody(Body, frozen=True):
    """token: of the link."""

    token: Word


class LoginBody(Body, frozen=True):
    """bearer: give the session's token in the reply instead of a cookie."""

    login: Word
    password: Word
    bearer: bool = False


class PasswordBody(Body, frozen=True):
    """current: the password until now, where there is one."""

    login: Word
    password: Word
    current: Annotated[str, msgspec.Meta(max_length=200)] = ""


class AuthRoutes:
    """The routes below /api/auth."""

    def __init__(self, gate: Gate, limits: AuthLimits, hasher: PasswordHasher | None = None) -> None:
        clock = gate.accounts.clock
        self._gate, self._accounts, self._database = gate, gate.accounts, gate.database
        self._by_account = Limiter(limits.login_account, clock)
        self._by_address = Limiter(limits.login_address, clock)
        self._entries = Limiter(limits.enter_address, clock)
        self._peeks = Limiter(limits.enter_address, clock)
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(new_token())  # so that unknown names take as long as known ones
        self._hashing = asyncio.Semaphore(HASHING)

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("POST", "/api/auth/link", self.link, ANYONE, LinkBody)
        routes.add("POST", "/api/auth/enter", self.enter, ANYONE, EnterBody)
        routes.add("POST", "/api/auth/login", self.login, ANYONE, LoginBody)
        routes.add("POST", "/api/auth/logout", self.logout, SIGNED_IN)
        routes.add("GET", "/api/auth/me", self.me, SIGNED_IN)
        routes.add("POST", "/api/auth/password", self.password, SIGNED_IN, PasswordBody)
        return routes.router

    async def link(self, request: Request) -> Response:
        """Whom a link lets in again: their name, or null for an invitation."""
        body = await read_body(request, LinkBody)
        self._peeks.take(address_of(request))
        return reply({"display": await self._database.read(lambda c: self._accounts.peek(c, body.token))})

    async def enter(self, request: Request) -> Response:
        """Use up a link: a new account (or the one the link was made for) and its session."""
        body = await read_body(request, EnterBody)
        self._entries.take(address_of(request))
        display = plain_text(body.display, "display", MAX_NAME) if body.display.strip() else "worker"

        def work(connection: Connection) -> str:
            account = self._accounts.enter(connection, body.token, display)
            return sessions.start(self._accounts, connection, account)

        token = await self._database.write(work)
        return await self._signed_in(token, body.bearer)

    async def login(self, request: Request) -> Response:
        """Sign in by name and password."""
        body = await read_body(request, LoginBody)
        self._by_address.take(address_of(request))
        self._by_account.take(sessions.name_hash(body.login))
        found = await self._database.read(lambda c: sessions.find_password(self._accounts, c, body.login))
        account, hashed = found if found is not None else (0, self._nobody)
        right = await self._hash(sessions.is_password, hashed, body.password)
        if found is None or not right:
            raise Refusal(401, "unknown name or wrong password", "login")
        newer = ""
        if self._hasher.check_needs_rehash(hashed):
            newer = await self._hash(sessions.hash_password, body.password)

        def work(connection: Connection) -> str:
            if newer:
                sessions.rehash(self._accounts, connection, account, newer)
            return sessions.start(self._accounts, connection, account)

        token = await self._database.write(work)
        return await self._signed_in(token, body.bearer)

    async def logout(self, request: Request) -> Response:
        """End this session."""
        session = session_of(request)
        await self._database.write(lambda c: sessions.end(self._accounts, c, session.token))
        self._gate.forget()
        response = reply({})
        self._gate.drop_cookie(response)
        return response

    async def me(self, request: Request) -> Response:
        """Who is signed in, until when, and the CSRF token of the session."""
        return reply(self._about(session_of(request)))

    async def password(self, request: Request) -> Response:
        """Choose a login name and password; all other sessions of the account end."""
        session, body = session_of(request), await read_body(request, PasswordBody)
        login = plain_text(body.login, "login", MAX_NAME)
        self._by_account.take(f"password of {session.account}")
        before = await self._database.read(lambda c: sessions.password_of(self._accounts, c, session.account))
        if before is not None and not await self._hash(sessions.is_password, before, body.current):
            raise Refusal(403, "the password until now is wrong", "login")
        hashed = await self._hash(sessions.hash_password, body.password)

        def work(connection: Connection) -> None:
            sessions.set_password(self._accounts, connection, session.account, login, hashed)
            sessions.end_all(self._accounts, connection, session.account, but=session.token)

        await self._database.write(work)
        self._gate.forget()
        return reply({})

    async def _hash(self, work: Callable[..., T], *words: str) -> T:
        """Argon2 in a thread: a tenth of a second that the others need not wait for."""
        async with self._hashing:
            return await asyncio.to_thread(work, self._hasher, *words)

    async def _signed_in(self, token: str, bearer: bool) -> Response:
        session = await self._database.read(lambda c: sessions.find(self._accounts, c, token))
        assert session is not None
        about = self._about(session)
        if bearer:
            return reply({**about, "token": token})
        response = reply(about)
        self._gate.set_cookie(response, token)
        return response

    def _about(self, session: Session) -> dict[str, object]:
        return {
            "account": session.account,
            "display": session.display,
            "role": session.role,
            "expires_at": session.expires_at,
            "csrf": self._gate.csrf(session.token),
        }
