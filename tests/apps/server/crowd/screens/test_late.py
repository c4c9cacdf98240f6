"""The "Too late" part of a worker's page: an answer whose ticket had ended, used by hand."""

from __future__ import annotations

from typing import Any

SENTENCE = "Two old fishing boats lie on the sand beside a low stone wall"


def send_late(worker: Any, key: str) -> None:
    """A caption by somebody who had given the ticket back meanwhile, as another window does."""
    asked = worker.context.request
    csrf = asked.get(f"{worker.site.address}/api/auth/me").json()["csrf"]

    def post(path: str, body: Any) -> Any:
        return asked.post(worker.site.address + path, data=body, headers={"X-CSRF-Token": csrf}).json()

    ticket = post("/api/tickets/lease", {"stage": "captions"})["ticket"]
    post(f"/api/tickets/{ticket['id']}/release", {"token": ticket["token"]})
    sent = {"token": ticket["token"], "idem_key": key, "body": {"text": SENTENCE}}
    assert post(f"/api/tickets/{ticket['id']}/submit", sent)["orphan_id"]


def test_a_late_answer_is_shown_and_used_once(visit: Any) -> None:
    worker, manager = visit("worker"), visit("manager")
    send_late(worker, "key-00000001")  # before the page: its figures are of the last minutes
    page = manager.open(f"/manage/worker#{worker.account}")
    part = page.locator("section[aria-label='Too late']")
    part.get_by_text("show").click()
    assert SENTENCE in part.locator("pre").inner_text()
    assert worker.site.answers("captions") == []
    part.get_by_role("button", name="Use").click()
    part.get_by_text("counts now").wait_for()
    part.locator(".badge", has_text="used as answer").wait_for()
    assert part.get_by_role("button", name="Use").count() == 0
    assert worker.site.answers("captions") == [{"text": SENTENCE}]
