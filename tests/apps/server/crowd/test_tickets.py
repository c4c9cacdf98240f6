"""Tickets over HTTP: leased once, submitted once, replayed alike, kept when late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from amidst.apps.server.crowd.app import ServerConfig
from amidst.apps.server.limits import MICRO
from amidst.crowd.schema import slot

HOUR = 3600 * MICRO


def test_a_ticket_with_links_to_its_picture(site: Any) -> None:
    answer = site.post("worker", "/api/tickets/lease", {"stage": "labelling"})
    assert answer.status_code == 200
    ticket = answer.json()["ticket"]
    assert ticket["stage"] == "labelling"
    picture = answer.json()["media"][str(ticket["task"]["image"]["id"])]
    got = site.client.get(f"{picture['base']}/1024?{picture['access']}")
    assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")


def test_the_campaign_names_its_stages_and_those_with_work(site: Any) -> None:
    told = site.get("worker", "/api/campaign").json()
    assert told["with_work"] == ["captions", "labelling"]
    assert {"labelling", "spotting"} < set(told["stages"])
    assert told["assistance"] is False


def test_a_stage_with_nothing_to_do_says_why(site: Any) -> None:
    answer = site.post("worker", "/api/tickets/lease", {"stage": "spotting"})
    assert answer.status_code == 200
    assert (answer.json()["ticket"], answer.json()["reason"]) == (None, "nothing_open")


def test_an_answer_is_stored_and_its_repetition_replayed(site: Any) -> None:
    ticket = site.lease("worker")
    first, again = site.submit("worker", ticket), site.submit("worker", ticket)
    assert (first.status_code, first.json()["replayed"]) == (200, False)
    assert (again.status_code, again.json()["replayed"]) == (200, True)
    assert again.json()["answer_id"] == first.json()["answer_id"]


def test_the_same_key_with_another_body_is_a_conflict(site: Any) -> None:
    ticket = site.lease("worker")
    category = ticket["task"]["panels"][0]["categories"][0]["id"]
    assert site.submit("worker", ticket).status_code == 200
    panels = ticket["task"]["panels"]
    other = [{"super": p["super"], "present": False, "icons": []} for p in panels]
    other[0] = {
        "super": panels[0]["super"],
        "present": True,
        "icons": [{"category": category, "x": 1, "y": 1}],
    }
    answer = site.submit("worker", ticket, {"panels": other})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "other_body")


def test_late_work_is_accepted_while_its_place_is_free_and_else_kept(site: Any) -> None:
    ticket = site.lease("worker")
    site.clock[0] += 5 * HOUR
    assert site.submit("worker", ticket).status_code == 200
    gone = site.lease("worker")
    assert (
        site.post("worker", f"/api/tickets/{gone['id']}/release", {"token": gone["token"]}).status_code == 200
    )
    answer = site.submit("worker", gone, key="key-00000002")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale")
    assert answer.json()["orphan_id"] >= 1


def test_nobody_gets_a_unit_twice(site: Any) -> None:
    for number in range(4):
        ticket = site.lease("worker")
        assert site.submit("worker", ticket, key=f"key-{number:08}").status_code == 200
    assert site.lease("worker") is None
    done = site.run(site.store.read(lambda c: c.execute(select(slot.c.unit_id)).scalars().all()))
    assert len(set(done)) == len(done) == 4


def test_a_heartbeat_prolongs_a_ticket(site: Any) -> None:
    ticket = site.lease("worker")
    site.clock[0] += 60 * MICRO
    answer = site.post("worker", f"/api/tickets/{ticket['id']}/heartbeat", {"token": ticket["token"]})
    assert answer.json()["expires_at"] == ticket["expires_at"] + 60 * MICRO


def test_a_draft_survives_and_an_older_one_changes_nothing(site: Any) -> None:
    ticket = site.lease("worker")
    path = f"/api/tickets/{ticket['id']}/draft"
    assert site.get("worker", path).json() is None
    for rev, kept in ((1, 1), (3, 3), (2, 3)):
        sent = {"token": ticket["token"], "rev": rev, "body": {"edit": rev}}
        assert site.post("worker", path, sent).json() == {"rev": kept}
    assert site.get("worker", path).json() == {"rev": 3, "body": {"edit": 3}}


def test_a_resumed_ticket_fences_off_its_old_token(site: Any) -> None:
    old = site.lease("worker")
    assert [one["id"] for one in site.get("worker", "/api/tickets").json()] == [old["id"]]
    new = site.post("worker", f"/api/tickets/{old['id']}/resume").json()["ticket"]
    assert new["token"] != old["token"]
    assert site.submit("worker", old).status_code == 409
    assert site.submit("worker", new, key="key-00000002").status_code == 200


def test_a_session_that_expired_costs_no_work(site: Any) -> None:
    ticket = site.lease("worker")
    site.clock[0] += 25 * HOUR
    assert site.submit("worker", ticket).status_code == 401
    link = site.post("owner", f"/api/accounts/{site.accounts['worker']}/link")
    assert link.status_code == 401  # the owner's has expired too
    site.clock[0] -= 25 * HOUR
    link = site.post("owner", f"/api/accounts/{site.accounts['worker']}/link").json()["token"]
    site.clock[0] += 23 * HOUR
    site.enter("worker", link)
    assert site.submit("worker", ticket).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"panels": []},
        {"panels": "x"},
        {"points": []},
        [],
        1e308,
        {"panels": [{"super": "animal", "present": True, "icons": [{"category": 10**30, "x": 0, "y": 0}]}]},
    ],
)
def test_an_answer_that_breaks_a_rule_is_not_stored(site: Any, body: Any) -> None:
    ticket = site.lease("worker")
    refused = site.submit("worker", ticket, body)
    assert refused.status_code == 422
    assert "\n" not in refused.json()["error"]["message"]
    assert site.submit("worker", ticket).json()["replayed"] is False


@pytest.mark.parametrize("key", ["", "short", "x" * 101, "with blank", "ключ-ключ"])
def test_odd_idempotency_keys_are_refused(site: Any, key: str) -> None:
    assert site.submit("worker", site.lease("worker"), key=key).status_code == 422


def test_another_workers_ticket_is_not_there(site: Any) -> None:
    ticket = site.lease("worker")
    for name in ("expert", "manager", "owner"):
        assert site.submit(name, ticket).status_code == 404
        assert site.post(name, f"/api/tickets/{ticket['id']}/resume").status_code == 404
        assert site.get(name, f"/api/tickets/{ticket['id']}/draft").status_code == 404


def test_thirty_leases_and_sixty_submits_a_minute(open_site: Callable[..., Any]) -> None:
    site = open_site(ServerConfig(sweep_s=0))
    leases = [site.post("worker", "/api/tickets/lease", {"stage": "spotting"}) for _ in range(31)]
    assert [answer.status_code for answer in leases] == [200] * 30 + [429]
    assert leases[-1].headers["retry-after"] == "2"
    ticket = site.lease("expert")
    submits = [site.submit("expert", ticket) for _ in range(61)]
    assert [answer.status_code for answer in submits] == [200] * 60 + [429]
    assert submits[-1].headers["retry-after"] == "1"


def test_a_banned_worker_gets_nothing_more(site: Any) -> None:
    path = f"/api/workers/{site.accounts['worker']}/state"
    assert site.post("manager", path, {"state": "banned", "note": "copies"}).status_code == 200
    assert site.post("worker", "/api/tickets/lease", {"stage": "labelling"}).status_code == 401
