"""Known items: masks and images whose truth a manager vouches for. Workers never learn which they are.

GET  /api/images?state=&after=&limit=        the campaign's images, with links to their pictures
GET  /api/golds, POST /api/golds/masks, POST /api/golds/images, POST /api/golds/{gold}/retire
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection, select

from amidst.apps.server.access import MANAGERS, Gate, Routes, session_of
from amidst.apps.server.bodies import MASKS, Body, read_body
from amidst.apps.server.crowd.pictures import Pictures
from amidst.apps.server.errors import reply
from amidst.apps.server.foundation import LARGEST_ID, After, Id, Limit
from amidst.apps.server.limits import MICRO
from amidst.coco.records import Rle
from amidst.crowd import engine
from amidst.crowd.schema import image
from amidst.crowd.store import Store

Key = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
State = Annotated[Literal["candidate", "kept", "removed", "gold"] | None, Query()]
LINK_S = 15 * 60  # of pictures on a manager's page


class GoldMaskBody(Body, frozen=True):
    """A mask that is right. spoil: also make poor masks of it, for the grids."""

    image: Key
    category: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    mask: Rle
    spoil: bool = True


class GoldImageBody(Body, frozen=True):
    """An image that the filter should find (iconic) or leave."""

    image: Key
    iconic: bool


class GoldRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate, pictures: Pictures) -> None:
        self._store, self._gate, self._pictures = store, gate, pictures
        self._clock = gate.accounts.clock

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/images", self.images, MANAGERS, queries=("state", "after", "limit"))
        routes.add("GET", "/api/golds", self.golds, MANAGERS)
        routes.add("POST", "/api/golds/masks", self.add_mask, MANAGERS, GoldMaskBody, status=201)
        routes.add("POST", "/api/golds/images", self.add_image, MANAGERS, GoldImageBody, status=201)
        routes.add("POST", "/api/golds/{gold}/retire", self.retire, MANAGERS)
        return routes.router

    async def images(
        self, request: Request, state: State = None, after: After = 0, limit: Limit = 100
    ) -> Response:
        """Images by id; the next page begins after the last id."""

        def work(connection: Connection) -> list[dict[str, object]]:
            wanted = image.c.id > after
            if state is not None:
                wanted &= image.c.state == state
            columns = (image.c.id, image.c.file_name, image.c.width, image.c.height, image.c.state)
            rows = connection.execute(select(*columns).where(wanted).order_by(image.c.id).limit(limit))
            return [dict(row) for row in rows.mappings()]

        rows = await self._store.read(work)
        now, ids = self._clock(), [int(str(row["id"])) for row in rows]
        until = (now // (LINK_S * MICRO) + 2) * LINK_S * MICRO  # the same address for a while
        subject = f"account-{session_of(request).account}"
        return reply({"images": rows, "media": await self._pictures.of_images(ids, subject, until)})

    async def golds(self) -> Response:
        """All known items."""
        return reply(await engine.list_golds(self._store))

    async def add_mask(self, request: Request) -> Response:
        """Vouch for a mask: it trains workers, and stands in grids as a good and, spoilt, as a poor one."""
        body = await read_body(request, GoldMaskBody, MASKS)
        source = f"account {session_of(request).account}"
        made = await engine.add_gold_mask(
            self._store, body.image, body.category, body.mask, source=source, spoil=body.spoil
        )
        return reply({"golds": made}, 201)

    async def add_image(self, request: Request) -> Response:
        """Vouch for an image of the filter."""
        body = await read_body(request, GoldImageBody)
        made = await engine.add_gold_image(self._store, body.image, iconic=body.iconic)
        return reply({"golds": [made]}, 201)

    async def retire(self, gold: Id) -> Response:
        """Stop handing a known item out; what workers said of it stays."""
        await engine.retire_gold(self._store, gold)
        return reply({})
