"""Whatever is sent: no failure of the server, an answer in time, one clear line.

Bodies come from two sources, see `apps/server/conftest.py`: right and wrong ones by the OpenAPI document of
the application; and NaN, numbers out of range, deep nesting, wrong types, bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

LONGEST_S = 1.0  # of processor time for one body
NOT_CALLED = {"/api/auth/logout"}  # would end the session that asks


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    return open_site()


def sender(site: Any, name: str) -> Callable[..., tuple[int, str]]:
    """Sends as someone who is signed in."""

    def send(method: str, path: str, content: bytes | None, headers: dict[str, str]) -> tuple[int, str]:
        headers = headers | {"Authorization": f"Bearer {site.tokens[name]}"}
        answer = site.client.request(method, path, content=content, headers=headers)
        return answer.status_code, answer.text

    return send


def test_the_whole_api_by_its_document(site: Any, try_document: Callable[..., int]) -> None:
    assert try_document(site.app.openapi(), sender(site, "owner"), NOT_CALLED) > 50


def envelope(ticket: Any, body: bytes) -> bytes:
    head = json.dumps({"token": ticket["token"], "idem_key": "malformed-0001"}).encode()
    return head[:-1] + b', "body": ' + body + b"}"


def test_odd_bodies(site: Any, try_bodies: Callable[..., None]) -> None:
    """Odd bodies as answers, as drafts, as settings, and in place of a whole request."""
    ticket = site.lease("worker") or site.lease("expert")
    owner = "worker" if site.get("worker", "/api/tickets").json() else "expert"
    submit = f"/api/tickets/{ticket['id']}/submit"
    send = sender(site, owner)

    def try_one(place: tuple[str, bool], body: bytes) -> tuple[int, str]:
        path, wrapped = place
        data = envelope(ticket, body) if wrapped else body
        start = time.process_time()
        answer = send("POST", path, data, {"Content-Type": "application/json"})
        assert time.process_time() - start < LONGEST_S, body[:100]
        return answer

    try_bodies(
        [(submit, True), (submit, False), ("/api/tickets/lease", False), ("/api/auth/login", False)], try_one
    )


@pytest.mark.parametrize("size", [256 * 1024 + 1, 2 * 1024 * 1024 + 1])
def test_large_bodies_are_cut_off(site: Any, size: int) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {site.tokens['worker']}"}
    path = "/api/tickets/lease" if size < 2**20 else "/api/tickets/1/submit"
    answer = site.client.post(path, content=b" " * size, headers=headers)
    assert answer.status_code == 413
