"""Bodies, errors, security headers and the walls against other sites, on a small application."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import msgspec
import pytest
from fastapi import FastAPI, Request, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amidst.apps.server import errors
from amidst.apps.server.bodies import Body, described, plain_text, read_body
from amidst.apps.server.csrf import HEADER, check_origin, check_token, csrf_token
from amidst.apps.server.errors import reply
from amidst.apps.server.headers import FILE_POLICY, SecurityHeaders

KEY = b"k" * 32
JSON = {"Content-Type": "application/json"}


class Item(Body, frozen=True):
    name: str
    count: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    parts: tuple[float, ...] = ()


class GoneError(Exception):
    pass


def small_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    errors.install(app, {GoneError: (503, "unavailable")})

    @app.post("/item")
    async def take(request: Request) -> Response:
        check_origin(request)
        item = await read_body(request, Item, 1000)
        return reply({"name": plain_text(item.name, "name", 20), "count": item.count})

    @app.post("/change")
    async def change(request: Request) -> Response:
        check_token(request, KEY, "session-1")
        return reply({})

    @app.get("/fails")
    async def fails() -> Response:
        raise RuntimeError("SELECT secret FROM truth")

    @app.get("/gone")
    async def gone() -> Response:
        raise GoneError("the disk\nis full")

    @app.get("/numbers/{number}")
    async def number(number: int) -> Response:
        return reply({"number": number})

    @app.get("/file")
    async def file() -> Response:
        return Response(b"x", headers={"Content-Security-Policy": FILE_POLICY})

    app.add_middleware(SecurityHeaders, https=True, frames={"/frame": ["https://a.example"]})
    return app


@pytest.fixture(scope="module")
def client(local_client: type[Any]) -> Iterator[Any]:
    with local_client(small_app()) as client:
        yield client


def test_a_good_body(client: Any) -> None:
    answer = client.post("/item", json={"name": " a ", "count": 3})
    assert (answer.status_code, answer.json()) == (200, {"name": "a", "count": 3})
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("status", "content", "headers"),
    [
        (422, b"", JSON),
        (422, b"{", JSON),
        (422, b"[]", JSON),
        (422, b'{"name": 1}', JSON),
        (422, b'{"name": "a", "more": 1}', JSON),
        (422, b'{"name": "a", "count": 101}', JSON),
        (422, b'{"name": "a", "count": 1.5}', JSON),
        (422, b'{"name": "a", "count": "1"}', JSON),
        (422, b'{"name": "a", "count": 1e400}', JSON),
        (422, b'{"name": "a", "count": NaN}', JSON),
        (422, b'{"name": "a", "parts": [Infinity]}', JSON),
        (422, b'{"name": "a\\u0000"}', JSON),
        (422, b'{"name": "\\ud800"}', JSON),
        (422, b'{"name": "\xff"}', JSON),
        (422, b'{"name": "   "}', JSON),
        (422, b'{"name": "aaaaaaaaaaaaaaaaaaaaa"}', JSON),
        (422, b"[" * 999, JSON),
        (413, b"[" * 1001, JSON),
        (415, b"{}", {"Content-Type": "text/plain"}),
        (415, b"name=a", {"Content-Type": "application/x-www-form-urlencoded"}),
        (415, b"{}", {}),
        (415, gzip.compress(b'{"name": "a"}', mtime=0), {**JSON, "Content-Encoding": "gzip"}),
    ],
)
def test_a_bad_body_is_refused_in_one_line(
    client: Any, status: int, content: bytes, headers: dict[str, str]
) -> None:
    answer = client.post("/item", content=content, headers=headers)
    assert answer.status_code == status
    message = answer.json()["error"]["message"]
    assert message
    assert "\n" not in message


def test_a_body_that_hides_its_length_is_counted(client: Any) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(2):
            yield b"x" * 600

    answer = client.post("/item", content=parts(), headers=JSON)
    assert answer.status_code == 413


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "count"]), inner),
    max_leaves=12,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.builds(json.dumps, ODD).map(str.encode) | st.binary(max_size=60))
def test_no_body_breaks_the_server(client: Any, content: bytes) -> None:
    assert client.post("/item", content=content, headers=JSON).status_code in (200, 413, 422)


def test_what_nobody_foresaw_shows_nothing(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/fails")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "failure"
    assert "SELECT" not in answer.text
    assert "SELECT" in caplog.text  # but in the log


def test_errors_of_the_layer_below_are_translated(client: Any) -> None:
    answer = client.get("/gone")
    assert answer.status_code == 503
    assert answer.json() == {"error": {"code": "unavailable", "message": "the disk is full"}}
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/numbers/x", 422), ("GET", "/nothing", 404), ("DELETE", "/item", 405)],
)
def test_refusals_of_the_framework_have_the_same_shape(
    client: Any, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize("path", ["/numbers/1", "/nothing", "/fails", "/gone", "/numbers/x"])
def test_every_reply_has_the_security_headers(client: Any, path: str) -> None:
    headers = client.get(path).headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["strict-transport-security"].startswith("max-age=")


def test_a_page_for_frames_names_who_may_show_it(client: Any) -> None:
    headers = client.get("/frame").headers
    policy = headers["content-security-policy"]
    assert policy.endswith("form-action https://a.example; frame-ancestors https://a.example")
    assert "x-frame-options" not in headers
    below = client.get("/frame/x").headers  # that page alone
    assert below["content-security-policy"].endswith("form-action 'none'; frame-ancestors 'none'")


def test_files_of_users_keep_their_stricter_policy(client: Any) -> None:
    assert client.get("/file").headers["content-security-policy"] == FILE_POLICY


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://testserver"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_changes_come_from_this_site(client: Any, headers: dict[str, str], status: int) -> None:
    assert client.post("/item", json={"name": "a"}, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (csrf_token(KEY, "session-1"), 200),
        (csrf_token(KEY, "session-2"), 403),
        (csrf_token(b"o" * 32, "session-1"), 403),
        ("", 403),
    ],
)
def test_changes_show_the_token_of_their_session(client: Any, token: str, status: int) -> None:
    assert client.post("/change", headers={HEADER: token}).status_code == status


def test_the_described_body_refers_to_nothing_outside() -> None:
    document = described(Item)["requestBody"]["content"]["application/json"]["schema"]
    assert document["properties"]["count"] == {"type": "integer", "minimum": 0, "maximum": 100, "default": 0}
    assert "$ref" not in json.dumps(document)
