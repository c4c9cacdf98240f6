"""Crowd adapters: signed entries, and Mechanical Turk's protocol against a fake on the loopback address."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from amidst.crowd import adapter_mturk, adapter_prolific
from amidst.crowd.adapter_mturk import Offer
from amidst.crowd.adapters import Entry, PlatformError, check_entry, person_hash, sign_entry, waiting
from amidst.crowd.mturk_client import MTurkClient, authorization
from amidst.crowd.store import Store, open_store
from amidst.errors import UsageError

SECRET = "5e" * 32
OFFER = Offer(title="Label", description="Pictures", reward="0.10")


def test_an_entry_holds_only_as_it_was_signed() -> None:
    signature = sign_entry(SECRET, "c", "labelling", "g", 100)
    check_entry(SECRET, "c", "labelling", "g", 100, signature, 100)
    with pytest.raises(UsageError, match="over"):
        check_entry(SECRET, "c", "labelling", "g", 100, signature, 101)
    for change in (
        ("other", "labelling", "g", 100),
        ("c", "spotting", "g", 100),
        ("c", "labelling", "g", 101),
    ):
        with pytest.raises(UsageError, match="not one that the campaign gave out"):
            check_entry(SECRET, *change, signature, 50)  # type: ignore[arg-type]


def test_prolific_identities_come_in() -> None:
    url = adapter_prolific.entry_url("https://here/prolific", SECRET, "c", "labelling", "study1", 100)
    filled = url.replace("{%PROLIFIC_PID%}", "ann").replace("{%SESSION_ID%}", "s1")
    parameters = dict(parse_qsl(urlsplit(filled).query))
    assert adapter_prolific.enter(SECRET, "c", parameters, 50) == Entry(
        provider="prolific", external_id="ann", stage="labelling", group="study1", assignment="s1"
    )
    for name, value in (
        ("PROLIFIC_PID", ""),
        ("stage", "none"),
        ("expires", "101"),
        ("expires", "9" * 5000),
        ("expires", "\u0663"),
        ("STUDY_ID", "study2"),
    ):
        with pytest.raises(UsageError):
            adapter_prolific.enter(SECRET, "c", {**parameters, name: value}, 50)


def test_a_completion_code_belongs_to_its_session() -> None:
    code = adapter_prolific.completion_code(SECRET, "study1", "s1")
    assert code == adapter_prolific.completion_code(SECRET, "study1", "s1")
    others = [("study1", "s2"), ("study2", "s1")]
    assert code not in [adapter_prolific.completion_code(SECRET, *one) for one in others]
    assert adapter_prolific.return_url("https://p/complete", code) == f"https://p/complete?cc={code}"


def mturk_parameters(**change: str) -> dict[str, str]:
    return {
        "stage": "labelling",
        "group": "g",
        "expires": "100",
        "signature": sign_entry(SECRET, "c", "labelling", "g", 100),
        "assignmentId": "A1",
        "hitId": "H1",
        "workerId": "W1",
        "turkSubmitTo": "https://workersandbox.mturk.com/",
        **change,
    }


def test_mturk_entries() -> None:
    entry = adapter_mturk.enter(SECRET, "c", mturk_parameters(), 50)
    assert entry.submit_to == "https://workersandbox.mturk.com/mturk/externalSubmit"
    assert (entry.external_id, entry.assignment, entry.hit, entry.preview) == ("W1", "A1", "H1", False)
    local = mturk_parameters(turkSubmitTo="http://127.0.0.1:9")
    assert adapter_mturk.enter(SECRET, "c", local, 50, hosts=["http://127.0.0.1:9"]).submit_to.endswith(
        ":9/mturk/externalSubmit"
    )
    looking = adapter_mturk.enter(SECRET, "c", mturk_parameters(assignmentId=adapter_mturk.PREVIEW), 50)
    assert looking.preview
    assert looking.external_id == ""
    for name, value in (
        ("turkSubmitTo", "https://evil.example"),
        ("turkSubmitTo", "https://www.mturk.com.evil.example"),
        ("turkSubmitTo", ""),
        ("workerId", ""),
        ("assignmentId", "a/b"),
        ("hitId", ""),
        ("workerId", "\u00c4NN"),
        ("signature", "0"),
        ("stage", "other"),
    ):
        with pytest.raises(UsageError):
            adapter_mturk.enter(SECRET, "c", mturk_parameters(**{name: value}), 50)


def test_signatures_are_those_of_the_published_example() -> None:
    """The "get-vanilla" case of AWS's test suite for Signature Version 4."""
    header = authorization(
        "GET",
        "/",
        {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"},
        b"",
        "AKIDEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "us-east-1",
        "service",
    )
    assert header.endswith("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")


class Fake:
    """Speaks the requester's protocol: HITs by their token, assignments, payments."""

    def __init__(self) -> None:
        self.hits: list[dict[str, Any]] = []
        self.assignments: dict[str, list[dict[str, str]]] = {}
        self.paid: list[tuple[str, str, str]] = []
        self.questions: list[str] = []
        self.failures = 0
        self.lost_replies = 0

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.failures:
            self.failures -= 1
            return 503, {"Message": "busy"}
        if operation == "CreateHIT":
            if any(hit["token"] == body["UniqueRequestToken"] for hit in self.hits):
                return 400, {"Message": "This HIT was made already"}
            hit = {
                "HITId": f"H{len(self.hits)}",
                "RequesterAnnotation": body["RequesterAnnotation"],
                "MaxAssignments": body["MaxAssignments"],
                "token": body["UniqueRequestToken"],
            }
            self.hits.append(hit)
            self.questions.append(body["Question"])
            if self.lost_replies:
                self.lost_replies -= 1
                return 500, {}
            return 200, {"HIT": hit}
        if operation == "ListHITs":
            start = int(body.get("NextToken", 0))
            page = {"HITs": self.hits[start : start + 2]}
            return 200, {**page, **({"NextToken": str(start + 2)} if start + 2 < len(self.hits) else {})}
        if operation == "ListAssignmentsForHIT":
            return 200, {"Assignments": self.assignments.get(body["HITId"], [])}
        self.paid.append((operation, body["AssignmentId"], body.get("WorkerId", "")))
        return 200, {}


@pytest.fixture
def fake() -> Iterator[tuple[Fake, MTurkClient]]:
    state = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
            service, _, operation = self.headers["X-Amz-Target"].partition(".")
            assert service == "MTurkRequesterServiceV20170117"
            code, reply = state.answer(operation, msgspec.json.decode(body))
            data = msgspec.json.encode(reply)
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state, MTurkClient(address, "key", "secret", lambda: 0)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def with_campaign(tmp_path: Path, play: Any) -> None:
    async def run() -> None:
        store = await open_store(tmp_path / "campaign.db", create=True, durable=False)
        await play(store)
        await store.close()

    asyncio.run(run())


async def order(store: Store, assignments: int = 20) -> int:
    return await store.write(
        lambda c: adapter_mturk.publish(
            c, "https://here/mturk", SECRET, "c", "labelling", "g", assignments, OFFER, 0
        )
    )


def test_hits_are_placed_once_in_portions_of_nine(tmp_path: Path, fake: tuple[Fake, MTurkClient]) -> None:
    platform, client = fake

    async def play(store: Store) -> None:
        assert await order(store) == 3
        assert await order(store) == 0
        assert await adapter_mturk.deliver(store, client, SECRET, 1) == (3, [])
        assert await adapter_mturk.deliver(store, client, SECRET, 2) == (0, [])
        assert [hit["MaxAssignments"] for hit in platform.hits] == [9, 9, 2]

    with_campaign(tmp_path, play)


def test_a_hit_whose_reply_was_lost_is_adopted(tmp_path: Path, fake: tuple[Fake, MTurkClient]) -> None:
    platform, client = fake

    async def play(store: Store) -> None:
        await order(store)
        platform.failures, platform.lost_replies = 1, 1
        done, problems = await adapter_mturk.deliver(store, client, SECRET, 1)
        assert (done, len(problems)) == (0, 1)  # busy: later
        done, problems = await adapter_mturk.deliver(store, client, SECRET, 2)
        assert (done, len(platform.hits)) == (0, 1)  # made, and we do not know
        assert await adapter_mturk.reconcile(store, client, 3) == 1
        assert await adapter_mturk.deliver(store, client, SECRET, 4) == (2, [])
        assert len(platform.hits) == 3
        assert await adapter_mturk.reconcile(store, client, 5) == 0

    with_campaign(tmp_path, play)


def test_only_confirmed_assignments_are_paid_and_only_once(
    tmp_path: Path, fake: tuple[Fake, MTurkClient]
) -> None:
    platform, client = fake
    platform.assignments["H0"] = [{"AssignmentId": "A1", "WorkerId": "W1"}]

    async def play(store: Store) -> None:
        first, second = (person_hash(SECRET, "mturk", name) for name in ("W1", "W2"))
        for who, assignment in ((first, "A1"), (second, "A2")):
            for _ in range(2):
                await store.write(lambda c, a=assignment, w=who: adapter_mturk.approve(c, "H0", a, w, 1))
        await store.write(lambda c: adapter_mturk.bonus(c, "H0", "A1", first, "0.05", "thanks", "one", 1))
        await store.write(lambda c: adapter_mturk.reject(c, "H0", "A1", second, "not yours", 1))
        done, problems = await adapter_mturk.deliver(store, client, SECRET, 2)
        assert (done, len(problems)) == (2, 2)
        assert platform.paid == [("ApproveAssignment", "A1", ""), ("SendBonus", "A1", "W1")]
        assert await store.read(waiting) == []

    with_campaign(tmp_path, play)


def test_an_unreachable_platform_is_asked_again() -> None:
    with pytest.raises(PlatformError) as caught:
        MTurkClient("http://127.0.0.1:1", "key", "secret", lambda: 0).call("ListHITs", {})
    assert caught.value.again
