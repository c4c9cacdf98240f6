"""Whatever is sent to a leaderboard: no failure of the server, one clear line; see ../conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

LEFT_OUT = {"/api/auth/logout", "/api/accounts/{account}/sign-out", "/api/accounts/{account}/role"}
"""They would end the session that asks."""


@pytest.fixture
def sender(site: Any) -> Iterator[Callable[..., Any]]:
    """sender(name) sends as someone who is signed in."""
    client = httpx.Client(base_url=site.url, timeout=30)

    def sending(name: str) -> Callable[..., tuple[int, str]]:
        def send(method: str, path: str, content: bytes | None, headers: dict[str, str]) -> tuple[int, str]:
            headers = headers | {"Authorization": f"Bearer {site.tokens[name]}"}
            answer = client.request(method, path, content=content, headers=headers)
            return answer.status_code, answer.text

        return send

    yield sending
    client.close()


def test_the_whole_api_by_its_document(
    site: Any, sender: Callable[..., Any], try_document: Callable[..., int]
) -> None:
    document = site.call("", "GET", "/api/openapi.json")[1]
    assert try_document(document, sender("owner"), LEFT_OUT) > 50


def test_odd_bodies_as_requests_and_as_files(
    site: Any, sender: Callable[..., Any], try_bodies: Callable[..., None]
) -> None:
    """A file of such bytes is sent as far as its announced length; what is wrong with it is said."""
    send = sender("ann")
    json_type = {"Content-Type": "application/json"}

    def try_one(place: str, body: bytes) -> tuple[int, str]:
        if place != "a file":
            return send("POST", place, body, json_type)
        status, made = site.announce("ann", max(len(body), 1))
        assert status == 201, made
        path = f"/api/submissions/{made['id']}/content?offset=0"
        answer: tuple[int, str] = send("PUT", path, body, {"Content-Type": "application/octet-stream"})
        return answer

    try_bodies(["/api/submissions", "/api/auth/login", "a file"], try_one)
