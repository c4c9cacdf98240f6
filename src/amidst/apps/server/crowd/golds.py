"""Known items: masks and images whose truth a manager vouches for. Workers never learn which they are.

GET  /api/images?state=&after=&limit=        the campaign's images, with links to their pictures
GET  /api/golds?kind=&state=&after=&limit=   known items, what workers said of them, links to pictures
GET  /api/masks?state=&category=&before=&limit=   decided masks, from which known ones are made
POST /api/golds/masks, /api/golds/decided, /api/golds/images, /api/golds/{gold}/retire
GET  /api/categories                         the categories by their ids
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection, select

from amidst.apps.server.access import MANAGERS, READERS, Gate, Routes, session_of
from amidst.apps.server.bodies import MASKS, Body, read_body
from amidst.apps.server.crowd.pictures import Pictures
from amidst.apps.server.errors import reply
from amidst.apps.server.foundation import LARGEST_ID, After, Before, Id, Limit
from amidst.coco.records import Rle
from amidst.crowd import engine
from amidst.crowd.schema import image
from amidst.crowd.store import Store

Key = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
State = Annotated[Literal["candidate", "kept", "removed", "gold"] | None, Query()]
Kind = Annotated[Literal["known_bad", "known_good", "training", "iconic", "not_iconic"] | None, Query()]
GoldState = Annotated[Literal["active", "retired"] | None, Query()]
Decided = Annotated[Literal["accepted", "discarded"], Query()]
CategoryId = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]
Page = Annotated[int, Query(ge=1, le=200)]


class GoldMaskBody(Body, frozen=True):
    """A mask that is right. spoil: also make poor masks of it, for the grids."""

    image: Key
    category: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    mask: Rle
    spoil: bool = True


class DecidedBody(Body, frozen=True):
    """A mask that verification has accepted (known good, for training) or discarded (known bad)."""

    mask: Key
    spoil: bool = True


class GoldImageBody(Body, frozen=True):
    """An image that the filter should find (iconic) or leave."""

    image: Key
    iconic: bool


class GoldRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate, pictures: Pictures) -> None:
        self._store, self._gate, self._pictures = store, gate, pictures

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/images", self.images, MANAGERS, queries=("state", "after", "limit"))
        known = ("kind", "state", "after", "limit")
        routes.add("GET", "/api/golds", self.golds, MANAGERS, queries=known)
        decided = ("state", "category", "before", "limit")
        routes.add("GET", "/api/masks", self.masks, MANAGERS, queries=decided)
        routes.add("GET", "/api/categories", self.categories, READERS)
        routes.add("POST", "/api/golds/decided", self.add_decided, MANAGERS, DecidedBody, status=201)
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
        ids = [int(str(row["id"])) for row in rows]
        return reply({"images": rows, "media": await self._pictures.of_page(ids, request)})

    async def golds(
        self, request: Request, kind: Kind = None, state: GoldState = None, after: After = 0, limit: Page = 60
    ) -> Response:
        """Known items by id; the next page begins after the last id."""
        found = await engine.list_golds(self._store, kind=kind, state=state, after=after, limit=limit)
        media = await self._pictures.of_page([one.image.id for one in found], request)
        return reply({"golds": found, "media": media})

    async def masks(
        self,
        request: Request,
        state: Decided = "accepted",
        category: CategoryId = None,
        before: Before = engine.LATEST,
        limit: Page = 60,
    ) -> Response:
        """Masks that workers have decided, newest first; the next page ends before the last id."""
        found = await engine.decided_masks(
            self._store, state, category_id=category, before=before, limit=limit
        )
        media = await self._pictures.of_page([one.image.id for one in found], request)
        return reply({"masks": found, "media": media})

    async def categories(self) -> Response:
        """All categories of the panels."""
        return reply(await engine.categories(self._store))

    async def add_decided(self, request: Request) -> Response:
        """Make a decided mask a known one."""
        body = await read_body(request, DecidedBody)
        made = await engine.add_decided_gold(self._store, body.mask, spoil=body.spoil)
        await self._note(request, "gold.add", f"segmentation/{body.mask}", {"golds": made})
        return reply({"golds": made}, 201)

    async def add_mask(self, request: Request) -> Response:
        """Vouch for a mask: it trains workers, and stands in grids as a good and, spoilt, as a poor one."""
        body = await read_body(request, GoldMaskBody, MASKS)
        source = f"account {session_of(request).account}"
        made = await engine.add_gold_mask(
            self._store, body.image, body.category, body.mask, source=source, spoil=body.spoil
        )
        await self._note(request, "gold.add", f"image/{body.image}", {"golds": made})
        return reply({"golds": made}, 201)

    async def add_image(self, request: Request) -> Response:
        """Vouch for an image of the filter."""
        body = await read_body(request, GoldImageBody)
        made = await engine.add_gold_image(
            self._store, body.image, self._gate.accounts.clock(), iconic=body.iconic
        )
        await self._note(request, "gold.add", f"image/{body.image}", {"golds": [made]})
        return reply({"golds": [made]}, 201)

    async def retire(self, request: Request, gold: Id) -> Response:
        """Stop handing a known item out; what workers said of it stays."""
        await engine.retire_gold(self._store, gold)
        await self._note(request, "gold.retire", f"gold/{gold}", {})
        return reply({})

    async def _note(self, request: Request, action: str, subject: str, details: dict[str, object]) -> None:
        who, accounts = session_of(request).account, self._gate.accounts
        await self._store.write(lambda c: accounts.note(c, who, action, subject, details))
