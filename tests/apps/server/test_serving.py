"""Listening and serving in a thread."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Response

from amidst.apps.server.background import background
from amidst.apps.server.serving import bind, is_loopback
from amidst.errors import UsageError


@asynccontextmanager
async def small() -> AsyncIterator[FastAPI]:
    app = FastAPI(openapi_url=None)

    @app.get("/")
    async def hello() -> Response:
        return Response(b"x" * 5000)

    yield app


@asynccontextmanager
async def broken() -> AsyncIterator[FastAPI]:
    raise UsageError("no campaign here")
    yield FastAPI()


def test_small_replies_are_sent_at_once() -> None:
    """40 requests one after the other: with Nagle's algorithm each would wait 40 ms for the last ACK."""
    with background(small) as server:
        connection = http.client.HTTPConnection(*server.address)
        times = []
        for _ in range(40):
            begin = time.monotonic()
            connection.request("GET", "/")
            assert len(connection.getresponse().read()) == 5000
            times.append(time.monotonic() - begin)
        connection.close()
    assert sorted(times)[10] < 0.03


def test_the_protocol_is_named() -> None:
    with bind("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_what_fails_while_opening_is_raised_where_it_was_started() -> None:
    with pytest.raises(UsageError, match="no campaign"), background(broken):
        pass


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 0), ("127.0.0.1", 65536)])
def test_an_address_that_cannot_be_taken(host: str, port: int) -> None:
    with pytest.raises(UsageError, match="cannot listen"):
        bind(host, port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("label.example", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
