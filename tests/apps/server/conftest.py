"""A client for applications in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI

T = TypeVar("T")


class LocalClient:
    """httpx over an application, without sockets; one event loop for everything."""

    def __init__(self, app: FastAPI | None = None) -> None:
        self.runner = asyncio.Runner()
        if app is not None:
            self.use(app)

    def use(self, app: FastAPI, base_url: str = "http://testserver") -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("10.0.0.1", 50_000))
        self.http = httpx.AsyncClient(transport=transport, base_url=base_url)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.run(self.http.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def __enter__(self) -> LocalClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.http.aclose())
        self.runner.close()


@pytest.fixture(scope="session")
def local_client() -> type[LocalClient]:
    return LocalClient
