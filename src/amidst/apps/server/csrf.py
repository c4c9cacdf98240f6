"""Requests that change something must come from our own page.

Three walls, each enough against most attacks: the session cookie is SameSite=Lax; the Origin of the request,
where the browser names it, must be this server; and the page must show the session's token in a header, which
a page of another site cannot read. The token is a signature of the session: it needs no storage and ends with
it. Requests with their session in the Authorization header are programs, not browsers: no site forges that.
"""

from __future__ import annotations

from fastapi import Request

from amidst.apps.server.errors import Refusal
from amidst.apps.server.signing import is_signed, sign

HEADER = "X-CSRF-Token"
SAFE = {"GET", "HEAD", "OPTIONS"}


def csrf_token(key: bytes, session_token: str) -> str:
    """The token that a page of this session sends with each change."""
    return sign(key, "csrf", session_token)


def check_origin(request: Request, public_origin: str = "") -> None:
    """Raises Refusal (403) when a browser says that a change comes from another site.

    public_origin: scheme and host that users see, where a proxy stands in front; else the Host header's.
    """
    if request.method in SAFE:
        return
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}", public_origin} - {""}
    origin = request.headers.get("origin")
    if origin is not None:
        if origin not in own:
            raise Refusal(403, "this request comes from another site", "cross-site")
    elif request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refusal(403, "this request comes from another site", "cross-site")


def check_token(request: Request, key: bytes, session_token: str) -> None:
    """Raises Refusal (403) when a change in a cookie's session does not show the session's CSRF token."""
    if request.method in SAFE:
        return
    if not is_signed(key, request.headers.get(HEADER, ""), "csrf", session_token):
        raise Refusal(403, f"the header {HEADER} is missing or of another session", "csrf")
