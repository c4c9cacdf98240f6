"""Pages and their files: read from the package once, sent by name, never by path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import PurePath

from fastapi import APIRouter, Request, Response

from amidst.apps.server.access import ANYONE, Gate, Routes
from amidst.apps.server.errors import Refusal

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


class Pages:
    """pages: from a path such as "/enter" to the file it shows. package: where the files' folder lies."""

    def __init__(self, pages: Mapping[str, str], package: str = "amidst.apps.server") -> None:
        self._pages = dict(pages)
        self._files = {
            item.name: item.read_bytes()
            for item in files(package).joinpath("static").iterdir()
            if PurePath(item.name).suffix in MEDIA_TYPES
        }

    def routes(self, gate: Gate, queries: Sequence[str] = ()) -> APIRouter:
        """GET of the pages and of /static/NAME; they hold nothing that is not public.

        queries: what the scripts of the pages read in their addresses.
        """
        routes = Routes(gate)
        for path in self._pages:
            routes.add(
                "GET", path, self.page, ANYONE, queries=("to", *queries)
            )  # where to go after signing in
        routes.add("GET", "/static/{name}", self.file, ANYONE)
        return routes.router

    async def page(self, request: Request) -> Response:
        """A page."""
        return self.send(request, self._pages[request.url.path])

    async def file(self, request: Request, name: str) -> Response:
        """A script or style of the pages."""
        return self.send(request, name)

    def send(self, request: Request, name: str) -> Response:
        """A file by its name. Raises Refusal (404)."""
        content = self._files.get(name)
        if content is None:
            raise Refusal(404, "there is no such file")
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=MEDIA_TYPES[PurePath(name).suffix], headers=headers)
