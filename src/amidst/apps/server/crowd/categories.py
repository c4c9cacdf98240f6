"""Categories that come, go and come back while a campaign runs.

GET  /api/categories/all                      every category, retired ones too, with what there is of each
POST /api/categories                          a further one: its id, and how many images are asked again
POST /api/categories/{category}/retire, /api/categories/{category}/restore
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from amidst.apps.server.access import MANAGERS, READERS, Gate, Routes, session_of
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.errors import reply
from amidst.apps.server.foundation import Id
from amidst.crowd import engine
from amidst.crowd.categories import NewCategory
from amidst.crowd.store import Store

LONGEST_NAME, LONGEST_DEFINITION = 200, 2000


class CategoryBody(Body, frozen=True):
    """definition: what workers are told it is, "" for nothing."""

    name: str
    supercategory: str
    definition: str = ""


class CategoryRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/categories/all", self.every, READERS)
        routes.add("POST", "/api/categories", self.add, MANAGERS, CategoryBody, status=201)
        routes.add("POST", "/api/categories/{category}/retire", self.retire, MANAGERS)
        routes.add("POST", "/api/categories/{category}/restore", self.restore, MANAGERS)
        return routes.router

    async def every(self) -> Response:
        """All categories by their ids, retired ones too."""
        return reply(await engine.list_categories(self._store))

    async def add(self, request: Request) -> Response:
        """Add a category, with the first id that none has had; labelled images are asked about it alone."""
        body = await read_body(request, CategoryBody)
        name = plain_text(body.name, "name", LONGEST_NAME)
        group = plain_text(body.supercategory, "supercategory", LONGEST_NAME)
        about = plain_text(body.definition, "definition", LONGEST_DEFINITION) if body.definition else ""
        there = await engine.list_categories(self._store)
        number = max((one.id for one in there), default=0) + 1
        new = NewCategory(id=number, name=name, supercategory=group, definition=about)
        asked = await engine.add_categories(self._store, [new], self._gate.accounts.clock())
        await self._note(request, "category.add", number, {"name": name, "asked": asked})
        return reply({"id": number, "asked": asked}, 201)

    async def retire(self, request: Request, category: Id) -> Response:
        """Stop asking about a category and leave it out of the export; what was said of it stays."""
        await engine.retire_category(self._store, category, self._gate.accounts.clock())
        await self._note(request, "category.retire", category, {})
        return reply({})

    async def restore(self, request: Request, category: Id) -> Response:
        """Take a retired category up again; images that were labelled without it are asked about it."""
        asked = await engine.restore_category(self._store, category, self._gate.accounts.clock())
        await self._note(request, "category.restore", category, {"asked": asked})
        return reply({"asked": asked})

    async def _note(self, request: Request, action: str, category: int, details: dict[str, object]) -> None:
        who, accounts = session_of(request).account, self._gate.accounts
        await self._store.write(lambda c: accounts.note(c, who, action, f"category/{category}", details))
