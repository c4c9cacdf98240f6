"""The local server of the explorer: standard library only, on the loopback interface, read-only.

    GET /                         the page
    GET /static/NAME              its modules and style, from the package
    GET /api/dataset              names, counts, colours
    GET /api/images?FILTER&offset&limit     a page of images
    GET /api/images/ROW?min_score           one image
    GET /api/place/ROW?FILTER     its place among the filtered images
    GET /api/sheet?FILTER&count   a sample sheet
    GET /photo/ROW, /thumb/ROW?side, /crop/SOURCE/MARK?side     pictures

Requests must name a loopback host, so that a web page elsewhere cannot reach the server by rebinding its
name; the page may load nothing but what this server sends. Images are asked for by their row, never by a
path.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from amidst.apps.explorer import pictures, views
from amidst.apps.explorer.index import Index
from amidst.apps.explorer.queries import Query, QueryError
from amidst.errors import AmidstError

LOOPBACK = "127.0.0.1"
MAX_PAGE, MAX_SHEET = 200, 120
MAX_DIGITS = 12  # of a row or mark
SIDES = (32, 1024)  # of thumbnails and cut-outs, in pixels

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Explorer:
    """What is shown. roots: resolved folders that image files are looked up in, in order."""

    index: Index
    roots: Sequence[Path]
    title: str
    captions: views.Captions
    cache: pictures.Cache
    static: Mapping[str, pictures.Encoded]

    def answer(self, target: str) -> tuple[pictures.Encoded, str]:
        """Content and Cache-Control for a request target. Raises QueryError or AmidstError."""
        try:
            url = urlsplit(target)
        except ValueError as error:
            raise QueryError(str(error)) from None
        parts = [part for part in url.path.split("/") if part]
        query = Query(parse_qs(url.query, keep_blank_values=True))
        if not parts:
            return self.static["index.html"], "no-cache"
        if parts[0] == "static" and len(parts) == 2 and parts[1] in self.static:
            return self.static[parts[1]], "no-cache"
        if parts[0] == "api":
            return ("application/json", msgspec.json.encode(self._json(parts[1:], query))), "no-store"
        if parts[0] in ("photo", "thumb", "crop"):
            return self._picture(parts, query), "private, max-age=3600"
        raise QueryError(f"there is nothing at {url.path}", HTTPStatus.NOT_FOUND)

    def _json(self, parts: Sequence[str], query: Query) -> Any:
        match parts:
            case ["dataset"]:
                return views.dataset_view(self.index, self.title, self.captions)
            case ["images"]:
                offset, limit = query.whole("offset", 0), query.whole("limit", 60, 1, MAX_PAGE)
                return views.page_view(self.index, query.filter(), offset, limit)
            case ["images", row]:
                least = query.number("min_score", 0.0)
                return views.image_view(self.index, self._row(row), self.captions, least)
            case ["place", row]:
                return views.place_view(self.index, query.filter(), self._row(row))
            case ["sheet"]:
                return views.sheet_view(self.index, query.filter(), query.whole("count", 48, 1, MAX_SHEET))
        raise QueryError("there is no such question", HTTPStatus.NOT_FOUND)

    def _picture(self, parts: Sequence[str], query: Query) -> pictures.Encoded:
        side = query.whole("side", 320, *SIDES)
        make: Callable[[], pictures.Encoded]
        match parts:
            case ["photo", row]:
                record = self.index.images[self._row(row)]
                return pictures.photograph(self._file(record.file_name), record)
            case ["thumb", row]:
                record = self.index.images[self._row(row)]

                def make() -> pictures.Encoded:
                    return pictures.thumbnail(self._file(record.file_name), record, side)

            case ["crop", ("truth" | "found") as source, mark] if mark.isdecimal() and len(mark) < MAX_DIGITS:
                place, box = views.mark_box(self.index, source, int(mark))
                record = self.index.images[place]

                def make() -> pictures.Encoded:
                    return pictures.cut_out(self._file(record.file_name), record, box, side)

            case _:
                raise QueryError("there is no such picture", HTTPStatus.NOT_FOUND)
        return self.cache.get((*parts, side), make)

    def _file(self, file_name: str) -> Path:
        return pictures.find_file(self.roots, file_name)

    def _row(self, text: str) -> int:
        if not text.isdecimal() or len(text) > MAX_DIGITS or int(text) >= len(self.index.images):
            raise QueryError(f"there is no image in row {text}", HTTPStatus.NOT_FOUND)
        return int(text)


def make_explorer(
    index: Index, roots: Sequence[Path], title: str, captions: views.Captions | None = None
) -> Explorer:
    """Everything a server needs; the page's files are read now."""
    folder = files("amidst.apps.explorer").joinpath("static")
    static = {
        item.name: (MEDIA_TYPES[Path(item.name).suffix], item.read_bytes())
        for item in folder.iterdir()
        if Path(item.name).suffix in MEDIA_TYPES
    }
    resolved = tuple(root.resolve() for root in roots)
    return Explorer(index, resolved, title, captions or {}, pictures.Cache(), static)


def make_server(explorer: Explorer, port: int = 0) -> ThreadingHTTPServer:
    """A server bound to the loopback interface, not yet serving; port 0 takes a free one."""

    class Handler(_Handler):
        shown = explorer

    server = _Server((LOOPBACK, port), Handler)
    Handler.port = server.server_port
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection is nothing that a terminal should tell."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    shown: Explorer
    port: int
    protocol_version = "HTTP/1.1"
    server_version = "amidst"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def _respond(self, with_body: bool) -> None:
        if not _is_loopback(self.headers.get("Host", ""), self.port):
            self._send(
                HTTPStatus.MISDIRECTED_REQUEST,
                _problem("this host is not served here"),
                "no-store",
                with_body,
            )
            return
        try:
            content, caching = self.shown.answer(self.path)
            self._send(HTTPStatus.OK, content, caching, with_body)
        except QueryError as error:
            self._send(error.status, _problem(str(error)), "no-store", with_body)
        except AmidstError as error:
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, _problem(str(error)), "no-store", with_body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader went on to another page
        except OSError as error:  # a file that may not be read
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, _problem(str(error)), "no-store", with_body)

    def _send(self, status: HTTPStatus, content: pictures.Encoded, caching: str, with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content[0])
        self.send_header("Content-Length", str(len(content[1])))
        self.send_header("Cache-Control", caching)
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content[1])

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def _is_loopback(host: str, port: int) -> bool:
    return host in {f"{name}:{port}" for name in (LOOPBACK, "localhost")}


def _problem(message: str) -> pictures.Encoded:
    return "application/json", msgspec.json.encode({"problem": message})
