"""Headers of every reply: a page may load and run what this server sends, and nothing else.

A plain ASGI layer, outermost, so that error pages and refusals carry them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action {hosts}; frame-ancestors {hosts}"
)
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""For users' files (media): whatever they hold, a browser runs none of it."""
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ONE_YEAR_S = 365 * 24 * 3600


class SecurityHeaders:
    """frames: hosts that may show a page in a frame and get a form from it (crowd platforms), by the path of
    the page; else nobody.

    https: also tell browsers to come back by HTTPS only.
    """

    def __init__(
        self, app: ASGIApp, *, https: bool = False, frames: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        self.app = app
        self.fixed = dict(FIXED)
        if https:
            self.fixed["Strict-Transport-Security"] = f"max-age={ONE_YEAR_S}"
        self.frames = {path: " ".join(hosts) for path, hosts in (frames or {}).items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        hosts = self.frames.get(scope["path"], "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.fixed.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", POLICY.format(hosts=hosts or "'none'"))
                if not hosts:
                    headers.setdefault("X-Frame-Options", "DENY")
            await send(message)

        await self.app(scope, receive, send_with_headers)
