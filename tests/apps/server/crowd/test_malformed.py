"""Whatever is sent: no failure of the server, an answer in time, one clear line.

Bodies come from two sources: schemathesis, from the OpenAPI document of the application, right and wrong; and
hypothesis, for what no schema thinks of: NaN, numbers out of range, deep nesting, wrong types, bytes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

EXAMPLES = int(os.environ.get("AMIDST_BODIES", "300"))  # 5000 takes minutes
PER_ROUTE = 6
LONGEST_S = 1.0  # of processor time for one body
LOOSE = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
NOT_CALLED = {"/api/auth/logout"}  # would end the session that asks


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    return open_site()


def check(answer: Any, what: object) -> None:
    assert answer.status_code < 500, (what, answer.text)
    if answer.status_code >= 400 and answer.content:
        message = answer.json()["error"]["message"]
        assert message, what
        assert "\n" not in message, what
        assert "Traceback" not in message, what


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_the_whole_api_by_its_document(site: Any, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(site.app.openapi())
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in NOT_CALLED:
            continue

        @settings(max_examples=PER_ROUTE, **LOOSE)
        @given(case=operation.as_strategy(generation_mode=mode))
        def try_it(case: Any) -> None:
            nonlocal tried
            tried += 1
            sent = case.as_transport_kwargs(base_url="http://testserver")
            headers = {"Authorization": f"Bearer {site.tokens['owner']}"}
            headers.update({k: v for k, v in dict(sent.get("headers") or {}).items() if k == "Content-Type"})
            try:
                request = site.client.http.build_request(
                    sent["method"],
                    sent["url"],
                    params=sent.get("params"),
                    content=content(sent),
                    headers=headers | ({"Content-Type": "application/json"} if "json" in sent else {}),
                )
            except (ValueError, TypeError, UnicodeError):
                return  # what no client can send
            check(site.run(site.client.http.send(request)), case)

        try:
            try_it()
        except (schemathesis.errors.SchemathesisError, Unsatisfiable):
            continue  # nothing can be wrong about a route without parameters
    assert tried > 50


def content(sent: dict[str, Any]) -> bytes | None:
    if "json" in sent:
        return json.dumps(sent["json"]).encode()
    data = sent.get("data")
    return data if isinstance(data, bytes) else None


NUMBERS = st.sampled_from(
    [0, -1, 1e308, -1e308, 10**30, 2**63, float("nan"), float("inf"), 1e-320, 0.1 + 0.2]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | NUMBERS
WORDS = st.sampled_from(
    ["panels", "super", "present", "icons", "category", "x", "y", "points", "bad", "kind"]
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


def envelope(ticket: Any, body: bytes) -> bytes:
    head = json.dumps({"token": ticket["token"], "idem_key": "malformed-0001"}).encode()
    return head[:-1] + b', "body": ' + body + b"}"


def test_odd_bodies(site: Any) -> None:
    """Odd bodies as answers, as drafts, as settings, and in place of a whole request."""
    ticket = site.lease("worker") or site.lease("expert")
    owner = "worker" if site.get("worker", "/api/tickets").json() else "expert"
    paths = [
        (f"/api/tickets/{ticket['id']}/submit", True),
        (f"/api/tickets/{ticket['id']}/submit", False),
        ("/api/tickets/lease", False),
        ("/api/auth/login", False),
    ]

    @settings(max_examples=EXAMPLES, **LOOSE)
    @given(body=BODIES, place=st.sampled_from(paths))
    def try_it(body: bytes, place: tuple[str, bool]) -> None:
        path, wrapped = place
        data = envelope(ticket, body) if wrapped else body
        start = time.process_time()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {site.tokens[owner]}"}
        answer = site.client.post(path, content=data, headers=headers)
        assert time.process_time() - start < LONGEST_S, body[:100]
        check(answer, body[:200])

    try_it()


@pytest.mark.parametrize("size", [256 * 1024 + 1, 2 * 1024 * 1024 + 1])
def test_large_bodies_are_cut_off(site: Any, size: int) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {site.tokens['worker']}"}
    path = "/api/tickets/lease" if size < 2**20 else "/api/tickets/1/submit"
    answer = site.client.post(path, content=b" " * size, headers=headers)
    assert answer.status_code == 413
