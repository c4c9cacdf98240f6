"""Links to pictures that hold for one place of one ticket (or one manager's page) and a short time.

    /media/<name>/<variant>?for=ticket-17-3&until=1790000000&key=<signature>

The name is the hash of the content under a pad of its own (HMAC over whom the link is for and its end): the
server reads it without a table, and nobody else can tell that two links show the same picture, for a known
image would be found out by its repetition. The signature covers the name, whom the link is for and when it
ends: a link opens one picture and dies with its ticket. The address stays the same while the ticket lives:
browsers keep what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import FileResponse

from amidst.apps.server.access import ANYONE, Gate, Routes
from amidst.apps.server.errors import Refusal
from amidst.apps.server.headers import FILE_POLICY
from amidst.apps.server.limits import MICRO, Clock
from amidst.apps.server.media import MEDIA_TYPE, MediaStore
from amidst.apps.server.signing import is_signed, pad, sign

LONGEST_DIGITS = 12
SHA256_BYTES = 32
LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"  # the time of the file would be the same in every link

Subject = Annotated[str, Query(alias="for")]


class Picture(msgspec.Struct, frozen=True):
    """Where a page gets a picture: base/VARIANT?access."""

    base: str
    access: str


@dataclass(frozen=True)
class MediaLinks:
    """Makes and serves the links. key: of this installation."""

    media: MediaStore
    key: bytes
    clock: Clock

    def link(self, sha256: str, subject: str, until: int) -> Picture:
        """A link for `subject` that holds until then (UTC microseconds). A subject has one picture."""
        seconds = str(-(-until // MICRO))
        name = self._veiled(sha256, subject, seconds)
        key = sign(self.key, "media", name, subject, seconds)
        return Picture(f"/media/{name}", f"for={subject}&until={seconds}&key={key}")

    def links(self, sha256_of: Mapping[int, str], subject: str, until: int) -> dict[str, Picture]:
        """Links by number, as JSON names it: "ticket-17" and 3 make the subject "ticket-17-3"."""
        return {
            str(number): self.link(sha256, f"{subject}-{number}", until)
            for number, sha256 in sha256_of.items()
        }

    def content_of(self, picture: Picture) -> str:
        """The hash of the picture that a link of this installation shows."""
        access = dict(parse_qsl(picture.access))
        return self._veiled(picture.base.rpartition("/")[2], access["for"], access["until"])

    def _veiled(self, name: str, subject: str, seconds: str) -> str:
        """From a content's hash to its name in a link, and back: 64 hexadecimal digits each."""
        hidden = zip(bytes.fromhex(name), pad(self.key, SHA256_BYTES, "media", subject, seconds), strict=True)
        return bytes(one ^ other for one, other in hidden).hex()

    def routes(self, gate: Gate) -> APIRouter:
        """GET and HEAD of pictures; the signature is the permission."""
        routes = Routes(gate)
        for method in ("GET", "HEAD"):
            routes.add(method, "/media/{name}/{variant}", self.serve, ANYONE, queries=("for", "until", "key"))
        return routes.router

    async def serve(
        self,
        request: Request,
        name: str,
        variant: str,
        subject: Subject = "",
        until: str = "",
        key: str = "",
    ) -> Response:
        """A picture by a signed link; ranges and conditional requests are answered."""
        if not until.isdecimal() or len(until) > LONGEST_DIGITS or not until.isascii():
            raise Refusal(403, "this link is not complete", "link")
        if not is_signed(self.key, key, "media", name, subject, until):
            raise Refusal(403, "this link was not made here", "link")
        now = self.clock()
        if now > int(until) * MICRO:
            raise Refusal(403, "this link has expired; fetch the ticket again", "link-expired")
        path = self.media.find(self._veiled(name, subject, until), variant)
        if path is None:
            raise Refusal(404, "there is no such picture")
        lasts_s = max(int(until) - now // MICRO, 0)
        headers = {
            "ETag": f'"{key}-{variant}"',
            "Last-Modified": LONG_AGO,
            "Cache-Control": f"private, max-age={lasts_s}, immutable",
            "Content-Security-Policy": FILE_POLICY,
            "Content-Disposition": "inline",
        }
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return FileResponse(path, media_type=MEDIA_TYPE, headers=headers)
