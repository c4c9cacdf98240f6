"""Links to pictures that hold for one ticket (or one manager's page) and a short time.

    /media/<sha256>/<variant>?for=ticket-17&until=1790000000&key=<signature>

The signature covers the picture, whom the link is for and when it ends, so that a link opens one picture and
dies with its ticket. The address stays the same while the ticket lives: browsers keep what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import FileResponse

from amidst.apps.server.access import ANYONE, Gate, Routes
from amidst.apps.server.errors import Refusal
from amidst.apps.server.headers import FILE_POLICY
from amidst.apps.server.limits import MICRO, Clock
from amidst.apps.server.media import MEDIA_TYPE, MediaStore
from amidst.apps.server.signing import is_signed, sign

LONGEST_DIGITS = 12

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
        """A link for `subject` (such as "ticket-17") that holds until then (UTC microseconds)."""
        seconds = str(-(-until // MICRO))
        key = sign(self.key, "media", sha256, subject, seconds)
        return Picture(f"/media/{sha256}", f"for={subject}&until={seconds}&key={key}")

    def links(self, sha256_of: Mapping[int, str], subject: str, until: int) -> dict[str, Picture]:
        """Links by image id, as JSON names it."""
        return {str(image): self.link(sha256, subject, until) for image, sha256 in sha256_of.items()}

    def routes(self, gate: Gate) -> APIRouter:
        """GET and HEAD of pictures; the signature is the permission."""
        routes = Routes(gate)
        for method in ("GET", "HEAD"):
            routes.add(
                method, "/media/{sha256}/{variant}", self.serve, ANYONE, queries=("for", "until", "key")
            )
        return routes.router

    async def serve(
        self,
        request: Request,
        sha256: str,
        variant: str,
        subject: Subject = "",
        until: str = "",
        key: str = "",
    ) -> Response:
        """A picture by a signed link; ranges and conditional requests are answered."""
        if not until.isdecimal() or len(until) > LONGEST_DIGITS or not until.isascii():
            raise Refusal(403, "this link is not complete", "link")
        if not is_signed(self.key, key, "media", sha256, subject, until):
            raise Refusal(403, "this link was not made here", "link")
        now = self.clock()
        if now > int(until) * MICRO:
            raise Refusal(403, "this link has expired; fetch the ticket again", "link-expired")
        path = self.media.find(sha256, variant)
        if path is None:
            raise Refusal(404, "there is no such picture")
        lasts_s = max(int(until) - now // MICRO, 0)
        headers = {
            "ETag": f'"{sha256}-{variant}"',
            "Cache-Control": f"private, max-age={lasts_s}, immutable",
            "Content-Security-Policy": FILE_POLICY,
            "Content-Disposition": "inline",
        }
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return FileResponse(path, media_type=MEDIA_TYPE, headers=headers)
