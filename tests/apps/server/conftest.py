"""A client for applications in this process; requests that no sensible client sends."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

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


# --- malformed requests: schemathesis from an application's document, hypothesis for what no schema thinks of

EXAMPLES = int(os.environ.get("AMIDST_BODIES", "300"))  # 5000 takes minutes
PER_ROUTE = 6
LOOSE: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}

NUMBERS = st.sampled_from(
    [0, -1, 1e308, -1e308, 10**30, 2**63, float("nan"), float("inf"), 1e-320, 0.1 + 0.2]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | NUMBERS
WORDS = st.sampled_from(
    ["panels", "super", "present", "icons", "category", "x", "y", "points", "bad", "kind", "phase", "team"]
)
ODD = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
DEEP = st.integers(1, 100_000).map(lambda depth: b"[" * depth + b"]" * depth)
WIDE = st.integers(1, 30_000).map(lambda width: json.dumps([0] * width).encode())
BODIES = ODD.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200) | DEEP | WIDE

Send = Callable[[str, str, bytes | None, dict[str, str]], tuple[int, str]]
"""(method, path with its query, content, headers) -> status and text of the answer."""


def check_answer(status: int, text: str, what: object) -> None:
    """No failure of the server, and one clear line where it refuses."""
    assert status < 500, (what, text)
    if status >= 400 and text:
        message = json.loads(text)["error"]["message"]
        assert message, what
        assert "\n" not in message, what
        assert "Traceback" not in message, what


@pytest.fixture(params=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def try_document(request: pytest.FixtureRequest) -> Callable[..., int]:
    """try_document(document, send, left_out) tries every route with requests that its OpenAPI document calls
    right, then such as it calls wrong; how many were tried."""

    def run(document: dict[str, Any], send: Send, left_out: set[str]) -> int:
        tried = 0
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = result.ok()
            if operation.path in left_out:
                continue

            @settings(max_examples=PER_ROUTE, **LOOSE)
            @given(case=operation.as_strategy(generation_mode=request.param))
            def try_it(case: Any) -> None:
                nonlocal tried
                tried += 1
                sent = case.as_transport_kwargs(base_url="http://testserver")
                try:
                    built = httpx.Request(sent["method"], sent["url"], params=sent.get("params"))
                except (ValueError, TypeError, UnicodeError):
                    return  # what no client can send
                check_answer(*send(built.method, built.url.raw_path.decode("ascii"), *_content(sent)), case)

            try:
                try_it()
            except (schemathesis.errors.SchemathesisError, Unsatisfiable):
                continue  # nothing can be wrong about a route without parameters
        return tried

    return run


def _content(sent: dict[str, Any]) -> tuple[bytes | None, dict[str, str]]:
    if "json" in sent:
        return json.dumps(sent["json"]).encode(), {"Content-Type": "application/json"}
    data = sent.get("data")
    headers = {k: v for k, v in dict(sent.get("headers") or {}).items() if k == "Content-Type"}
    return (data if isinstance(data, bytes) else None), headers


@pytest.fixture(scope="session")
def try_bodies() -> Callable[..., None]:
    """try_bodies(places, send) calls send(place, body) -> (status, text) with bodies of no schema."""

    def run(places: list[Any], send: Callable[[Any, bytes], tuple[int, str]]) -> None:
        @settings(max_examples=EXAMPLES, **LOOSE)
        @given(body=BODIES, place=st.sampled_from(places))
        def try_it(body: bytes, place: Any) -> None:
            check_answer(*send(place, body), body[:200])

        try_it()

    return run
