"""How a request is refused: a status, a short code for programs, one line for people.

    {"error": {"code": "stale", "message": "this ticket was given to someone else"}}

A refusal never carries a traceback, a path, SQL or an answer that is hidden. What nobody foresaw is logged
and answered with 500 and the same shape.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amidst.errors import AnswerError

Handler = Callable[[Request, Exception], Awaitable[Response]]

CODES = {
    400: "bad-request",
    401: "not-signed-in",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    415: "media-type",
    416: "range",
    422: "invalid",
    429: "too-many",
    503: "unavailable",
}
"""The code of a refusal that names none itself."""

log = logging.getLogger(__name__)


class Refusal(Exception):  # noqa: N818 - reads as what it is
    """A request that is not answered as asked. headers: further headers of the reply. rule: of an answer that
    was broken, for a page that can help to mend it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str = "",
        headers: Mapping[str, str] | None = None,
        rule: str = "",
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.rule = status, message, rule
        self.code = code or CODES.get(status, "error")
        self.headers = dict(headers or {})


Translation = Mapping[type[Exception], tuple[int, str]]
"""Exceptions of the layer below -> (status, code); their text becomes the message, a subclass goes first."""


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value (msgspec's types) as a JSON reply that no cache keeps."""
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def refuse(refusal: Refusal) -> Response:
    """The reply to a refused request."""
    message = " ".join(refusal.message.split())
    error = {"code": refusal.code, "message": message}
    if refusal.rule:
        error["rule"] = refusal.rule
    return reply({"error": error}, refusal.status, refusal.headers)


def install(app: FastAPI, translation: Translation) -> None:
    """Every error of `app` ends in `refuse`."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(LastResort)
    for kind, (status, code) in translation.items():
        app.add_exception_handler(kind, _translated(status, code))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refuse(error)


NO_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <title>No such page · amidst</title>
    <link rel="stylesheet" href="/static/design.css" />
  </head>
  <body>
    <main class="page narrow">
      <h1 class="large">There is no such page</h1>
      <p>The address may be mistyped, or the page has moved.</p>
      <p><a class="button" href="/">To the start</a></p>
    </main>
  </body>
</html>
"""


async def _http(request: Request, error: Exception) -> Response:
    """What no route takes: a page for people, JSON for programs."""
    assert isinstance(error, HTTPException)
    is_person = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if error.status_code == 404 and is_person:
        headers = {"Cache-Control": "no-store", "Vary": "Accept"}
        return Response(NO_PAGE, 404, headers, "text/html; charset=utf-8")
    return refuse(Refusal(error.status_code, str(error.detail), headers=error.headers))


async def _invalid(_: Request, error: Exception) -> Response:
    """A path or query parameter that does not fit; its value is not repeated."""
    assert isinstance(error, RequestValidationError)
    problems: Sequence[Any] = error.errors()
    first = problems[0] if problems else {"loc": (), "msg": "does not fit"}
    place = " ".join(str(part) for part in first["loc"])
    return refuse(Refusal(422, f"{place}: {first['msg']}"))


class LastResort:
    """The layer below the security headers in which every other exception ends."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            if begun or scope["type"] != "http":
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            refusal = Refusal(500, "the server failed; the operator finds the reason in its log", "failure")
            await refuse(refusal)(scope, receive, send)


def _translated(status: int, code: str) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        if status >= 500:
            log.error("%s %s: %s", request.method, request.url.path, error)
        headers = {"Retry-After": "5"} if status == 503 else None
        if isinstance(error, AnswerError):
            return refuse(Refusal(status, error.problem, code, headers, error.rule))
        return refuse(Refusal(status, str(error), code, headers))

    return handle
