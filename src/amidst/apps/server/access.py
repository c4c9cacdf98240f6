"""Who asks, and whether they may: one gate that every route goes through.

A session comes in a cookie (HttpOnly, SameSite=Lax, over HTTPS Secure and bound to the host) or, for programs
and for pages in frames, in the Authorization header. Each route names the roles that may use it when it is
added; the same names stand in the OpenAPI document as `x-roles`, from which the tests make their table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from amidst.apps.server import sessions
from amidst.apps.server.accounts import ROLES, Accounts, Database, Role
from amidst.apps.server.bodies import described
from amidst.apps.server.csrf import check_origin, check_token, csrf_token
from amidst.apps.server.errors import Refusal
from amidst.apps.server.installation import Secrets
from amidst.apps.server.limits import MICRO
from amidst.apps.server.sessions import Session
from amidst.apps.server.signing import hash_token

Roles = frozenset[Role]
ANYONE: Roles = frozenset()
"""Also who is not signed in."""
SIGNED_IN: Roles = frozenset(ROLES)
OWNERS: Roles = frozenset({"owner"})
MANAGERS: Roles = frozenset({"owner", "manager"})
READERS: Roles = frozenset({"owner", "manager", "viewer"})
WORKERS: Roles = frozenset({"owner", "manager", "expert", "worker"})

Endpoint = Callable[..., Awaitable[Response]]

REMEMBERED_S = 5  # how long another process may let someone in who was just signed out there
MAX_REMEMBERED = 10_000


@dataclass
class Gate:
    """secure: pages are seen over HTTPS. public_origin: as users see it, where a proxy stands in front.

    titles: what a server calls its roles, where that is not their own names.
    """

    database: Database
    accounts: Accounts
    secrets: Secrets
    public_origin: str = ""
    titles: Mapping[Role, str] = field(default_factory=dict)
    _remembered: dict[str, tuple[Session, int]] = field(default_factory=dict)

    @property
    def secure(self) -> bool:
        """Whether cookies are for HTTPS alone."""
        return self.public_origin.startswith("https://")

    @property
    def cookie(self) -> str:
        """Name of the session's cookie."""
        return "__Host-amidst" if self.secure else "amidst"

    async def session(self, request: Request) -> Session | None:
        """The living session of a request."""
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        by_cookie = kind.lower() != "bearer"
        token = request.cookies.get(self.cookie, "") if by_cookie else bearer.strip()
        if not token:
            return None
        session = await self._find(token)
        return None if session is None else replace(session, by_cookie=by_cookie)

    async def _find(self, token: str) -> Session | None:
        key, now = hash_token(token), self.accounts.clock()
        if key in self._remembered:
            session, until = self._remembered[key]
            if now < min(until, session.expires_at):
                return session
        found = await self.database.read(lambda c: sessions.find(self.accounts, c, token))
        if found is None:
            self._remembered.pop(key, None)
            return None
        if sessions.is_worn(self.accounts, found):
            worn = found
            end = await self.database.write(lambda c: sessions.prolong(self.accounts, c, worn))
            found = replace(found, expires_at=end)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (found, now + REMEMBERED_S * MICRO)
        return found

    def forget(self) -> None:
        """Ask the database again about everyone; after every change of sessions, roles and states."""
        self._remembered.clear()

    def require(self, roles: Roles, queries: Sequence[str] = ()) -> Callable[[Request], Awaitable[None]]:
        """The check before a route.

        Raises Refusal: 401 without a session, 403 for another site or role, 422 for a query parameter that is
        not among `queries` (filters are on a white list, and a misspelt one is not ignored).
        """
        allowed = frozenset(queries)

        async def check(request: Request) -> None:
            check_origin(request, self.public_origin)
            if not allowed.issuperset(request.query_params):
                names = ", ".join(sorted(allowed)) or "none"
                raise Refusal(422, f"unknown query parameter; this route takes: {names}")
            if not roles:
                return
            session = await self.session(request)
            if session is None:
                raise _unknown(request)
            if session.by_cookie:
                check_token(request, self.secrets.session, session.token)
            if session.role not in roles:
                raise Refusal(403, self._not_for(session.role, roles))
            request.state.session = session

        return check

    def _not_for(self, role: Role, roles: Roles) -> str:
        may, own = {self.titles.get(one, one) for one in roles}, self.titles.get(role, role)
        return f"this is for {' or '.join(sorted(may))}, not for {own}"

    def csrf(self, token: str) -> str:
        """The CSRF token of a session."""
        return csrf_token(self.secrets.session, token)

    def set_cookie(self, response: Response, token: str) -> None:
        """Keep the session in the browser until it ends; the server decides when."""
        response.set_cookie(
            self.cookie,
            token,
            max_age=int(self.accounts.config.session_limit_h * 3600),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def drop_cookie(self, response: Response) -> None:
        """Forget the session in the browser."""
        response.delete_cookie(self.cookie, path="/", secure=self.secure, httponly=True, samesite="lax")


def _unknown(request: Request) -> Refusal:
    """Of a request without a living session; a program is told that its token is the reason."""
    problem = "sign in first; your work is kept"
    if "authorization" in request.headers:
        problem = "this token is unknown here, or its session has ended; a new one comes with a new link"
    return Refusal(401, problem, headers={"WWW-Authenticate": "Bearer"})


def session_of(request: Request) -> Session:
    """The session that the gate let through."""
    session: Session = request.state.session
    return session


def address_of(request: Request) -> str:
    """Where a request comes from, as far as the server knows."""
    return request.client.host if request.client else "unknown"


@dataclass(frozen=True)
class Routes:
    """A router whose routes all go through the gate."""

    gate: Gate
    router: APIRouter = field(default_factory=APIRouter)

    def add(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        roles: Roles,
        body: Any = None,
        *,
        queries: Sequence[str] = (),
        status: int = 200,
    ) -> None:
        """A route; its first line of documentation becomes its summary.

        body: the type it reads. queries: the query parameters it takes. status: of its success.
        """
        names: list[str] = [*sorted(roles)] or ["anyone"]
        extra: dict[str, Any] = {"x-roles": names, **(described(body) if body is not None else {})}
        if roles:
            extra["security"] = [{"session": []}]
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            dependencies=[Depends(self.gate.require(roles, queries))],
            response_model=None,
            status_code=status,
            summary=(endpoint.__doc__ or "").strip().partition("\n")[0],
            openapi_extra=extra,
            responses={code: {"description": text} for code, text in REFUSALS.items()},
        )


REFUSALS: dict[int | str, str] = {
    401: "no living session",
    403: "another role, another site, or no CSRF token",
    404: "no such thing, or not yours",
    409: "someone was faster, or the state does not allow it",
    413: "the body is too large",
    415: "the body is not plain JSON",
    422: "the body or a parameter does not fit",
    429: "too many requests; Retry-After says when to try again",
    503: "the database cannot be written now; nothing is lost, try again",
}
