"""What every server stands on: accounts, sessions, limits, headers and errors, put together once.

foundation = Foundation(gate, limits)
app = foundation.make_app("title", routers, translation, lifespan)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query

from amidst.apps.server import errors
from amidst.apps.server.access import Gate
from amidst.apps.server.headers import SecurityHeaders

LARGEST_ID = 2**53 - 1  # what JavaScript counts up to

Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
After = Annotated[int, Query(ge=0, le=LARGEST_ID)]
Before = Annotated[int, Query(ge=1, le=LARGEST_ID)]
Limit = Annotated[int, Query(ge=1, le=1000)]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_app(
    title: str,
    gate: Gate,
    routers: Sequence[APIRouter],
    translation: errors.Translation,
    lifespan: Lifespan | None = None,
    frames: Mapping[str, Iterable[str]] | None = None,
) -> FastAPI:
    """An application of these routers, with its OpenAPI document at /api/openapi.json and no pages of it.

    translation: exceptions of the layers below and how they are answered. frames: paths of pages and the
    hosts that may show them in a frame.
    """
    app = FastAPI(
        title=title,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat whatever Host the request names
        lifespan=lifespan,
    )
    for router in routers:
        app.include_router(router)
    errors.install(app, translation)
    app.add_middleware(SecurityHeaders, https=gate.secure, frames=frames)
    describe = app.openapi

    def document() -> dict[str, Any]:
        made = describe()
        parts = made.setdefault("components", {})
        parts["securitySchemes"] = {"session": {"type": "http", "scheme": "bearer"}}
        return made

    app.openapi = document  # type: ignore[method-assign]
    return app
