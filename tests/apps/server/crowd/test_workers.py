"""The table of workers, one worker, and the work of one, over HTTP; what is left to do; voids as a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from amidst.apps.server.limits import MICRO
from amidst.config import to_builtins
from amidst.crowd.config import CampaignConfig


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any], labels: Any) -> Any:
    """ "many" and "expert" name two categories on each of the four images, "few" one of them."""
    site = open_site()
    for name in ("many", "few"):
        site.come(name)
    for name, number in (("many", 2), ("few", 1), ("expert", 2)):
        for place in range(4):
            ticket = site.lease(name)
            ids = sorted(one["id"] for panel in ticket["task"]["panels"] for one in panel["categories"])
            body = labels(ticket, ids[0], (5.0, 5.0))
            if number == 2:
                other = labels(ticket, ids[-1], (9.0, 9.0))
                both = zip(body["panels"], other["panels"], strict=True)
                body["panels"] = [b if b["present"] else a for a, b in both]
            client = {"ms_active": 10_000 * number}
            assert site.submit(name, ticket, body, key=f"{name}-{place:06}", client=client).status_code == 200
    site.clock[0] += 3600 * MICRO
    return site


def rows(site: Any, query: str = "") -> Any:
    found = site.get("manager", f"/api/workers{query}").json()
    return {row["display"]: row for row in found["workers"]}


def test_figures_of_everybody(site: Any) -> None:
    found = rows(site)
    assert (found["many"]["precision"], found["many"]["recall"]) == (1.0, 1.0)
    assert (found["few"]["precision"], found["few"]["recall"]) == (1.0, 0.5)
    assert found["owner"]["precision"] is None
    assert found["expert"]["expert"] is True
    assert found["few"]["pace"] == pytest.approx(10 / (50 / 3))
    assert found["few"]["stages"]["labelling"]["seconds"] == 10
    assert found["few"]["hours"] == pytest.approx(40 / 3600)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("?sort=recall", "few"),
        ("?sort=hours&descending=true", "expert"),
        ("?sort=display&descending=true", "worker"),
        ("?search=FEW", "few"),
        ("?sort=id&offset=2&limit=1", "expert"),
    ],
)
def test_pages_are_sorted_and_searched(site: Any, query: str, first: str) -> None:
    assert site.get("manager", f"/api/workers{query}").json()["workers"][0]["display"] == first


def test_unknown_values_come_last_in_either_direction(site: Any) -> None:
    for query in ("?sort=recall", "?sort=recall&descending=true"):
        recall = [row["recall"] for row in rows(site, query).values()]
        assert None not in recall[:3]
        assert set(recall[3:]) == {None}


@pytest.mark.parametrize(
    "query", ["?sort=password", "?sort=note", "?limit=0", "?offset=-1", "?descending=perhaps"]
)
def test_columns_and_numbers_are_on_a_white_list(site: Any, query: str) -> None:
    assert site.get("manager", f"/api/workers{query}").status_code == 422


def test_one_worker_and_the_work(site: Any) -> None:
    account = site.accounts["many"]
    found = site.get("manager", f"/api/workers/{account}").json()
    assert (found["role"], found["worker"]["answers"]) == ("worker", 4)
    page = site.get("manager", f"/api/workers/{account}/answers?limit=1").json()
    (one,) = page["answers"]
    assert (one["stage"], one["status"], one["seconds"], one["void"]) == ("labelling", "accepted", 20, None)
    assert one["task"]["type"] == "labelling"
    picture = page["media"][str(one["task"]["image"]["id"])]
    assert site.client.get(f"{picture['base']}/256?{picture['access']}").status_code == 200
    older = site.get("manager", f"/api/workers/{account}/answers?before={one['id']}").json()["answers"]
    assert [row["id"] < one["id"] for row in older] == [True] * 3
    assert site.get("manager", f"/api/workers/{account}/answers?stage=captions").json()["answers"] == []
    assert site.get("manager", "/api/workers/999999").status_code == 404
    assert site.get("manager", "/api/workers/999999/answers").status_code == 404


def test_somebody_who_has_just_come_is_found(site: Any) -> None:
    rows(site)  # the table is remembered for a while
    account = site.come("late")
    assert site.get("manager", f"/api/workers/{account}").json()["worker"]["answers"] == 0


def test_the_plots_of_worker_quality(site: Any) -> None:
    found = site.get("manager", "/api/quality").json()
    assert found["union"]["points"][0]["workers"] == 1
    assert [one["worker"] for one in found["union"]["experts"]] == [site.accounts["expert"]]
    assert found["line"] == to_builtins(CampaignConfig().rejection)
    assert found["whole"] is True


def test_the_line_of_rejection_is_a_setting_and_holds_at_once(site: Any) -> None:
    before = site.get("manager", "/api/settings").json()
    assert site.get("manager", "/api/quality").json()["below_line"] == []
    recall = {"first_precision": 0.0, "first_recall": 0.6, "second_precision": 1.0, "second_recall": 0.6}
    assert site.call("manager", "PUT", "/api/settings", {**before, "rejection": recall}).status_code == 200
    found = site.get("manager", "/api/quality").json()
    assert (found["line"], found["below_line"]) == (recall, [site.accounts["few"]])
    assert rows(site)["few"]["flags"] == ["below the line"]
    assert site.call("manager", "PUT", "/api/settings", before).status_code == 200
    assert rows(site)["few"]["flags"] == []


def test_the_overview_counts_what_is_left(site: Any) -> None:
    found = site.get("viewer", "/api/overview").json()
    (labelling,) = [one for one in found["outlook"]["stages"] if one["stage"] == "labelling"]
    assert labelling["waiting"] + labelling["answers"] == 4 * 8
    assert found["progress"]["workers"] == len(site.accounts)
    hours = site.get("viewer", "/api/activity").json()["hours"]
    assert sum(one["answers"] for one in hours) == 12


def test_a_paused_campaign_hands_nothing_out(site: Any) -> None:
    assert site.post("viewer", "/api/campaign/state", {"state": "paused"}).status_code == 403
    assert site.post("manager", "/api/campaign/state", {"state": "paused"}).status_code == 200
    assert site.get("viewer", "/api/overview").json()["progress"]["state"] == "paused"
    answer = site.post("worker", "/api/tickets/lease", {"stage": "labelling"}).json()
    assert answer["reason"] == "stage_off"
    assert site.post("manager", "/api/campaign/state", {"state": "open"}).status_code == 200


def test_voids_are_listed_with_their_cost(site: Any) -> None:
    body = {"worker": site.accounts["few"], "stage": None}
    preview = site.post("manager", "/api/voids/preview", body).json()
    assert preview["judgements"] == {"labelling": 4}
    assert preview["hours"] > 0
    made = site.post("manager", "/api/voids", {**body, "reason": "a test"}).json()
    (listed,) = site.get("manager", "/api/voids").json()
    assert (listed["id"], listed["answers"], listed["reverted_at"]) == (made["void_id"], 4, None)
    assert rows(site)["few"]["voided"] == 4
    answers = site.get("manager", f"/api/workers/{body['worker']}/answers").json()["answers"]
    assert {one["void"] for one in answers} == {made["void_id"]}
    back = site.post("manager", f"/api/voids/{made['void_id']}/revert").json()
    assert back["judgements"] == {"labelling": 4}
    (listed,) = site.get("manager", "/api/voids").json()
    assert (listed["answers"], listed["reverted_at"] is None) == (0, False)


def test_captions_are_exported(site: Any) -> None:
    answer = site.get("manager", "/api/export/captions")
    assert (answer.status_code, answer.json()) == (200, [])
    assert "captions.json" in answer.headers["content-disposition"]


def test_a_note_stays_where_none_is_sent_and_goes_where_an_empty_one_is(site: Any) -> None:
    worker = site.accounts["worker"]

    def change(**body: Any) -> str:
        sent = {"state": "active", **body}
        assert site.post("manager", f"/api/workers/{worker}/state", sent).status_code == 200
        return str(site.get("manager", f"/api/workers/{worker}").json()["worker"]["note"])

    assert change(note=" draws well ") == "draws well"
    assert change() == "draws well"
    assert change(note="  ") == ""


def test_a_late_answer_is_listed_and_used_once_by_a_manager(open_site: Callable[..., Any]) -> None:
    site = open_site()
    account = site.come("slow")
    ticket = site.lease("slow")
    released = site.post("slow", f"/api/tickets/{ticket['id']}/release", {"token": ticket["token"]})
    assert released.status_code == 200
    late = site.submit("slow", ticket).json()["orphan_id"]
    (listed,) = site.get("manager", f"/api/workers/{account}/late").json()
    assert (listed["id"], listed["stage"], listed["answer"], listed["free"]) == (late, "labelling", None, 1)
    assert site.post("slow", f"/api/late/{late}/use").status_code == 403
    assert site.post("manager", "/api/late/999999/use").status_code == 404
    first = site.post("manager", f"/api/late/{late}/use")
    assert (first.status_code, first.json()["replayed"]) == (200, False)
    assert site.post("manager", f"/api/late/{late}/use").json()["replayed"] is True
    (listed,) = site.get("manager", f"/api/workers/{account}/late").json()
    assert (listed["answer"], listed["free"]) == (first.json()["answer_id"], 0)
    assert site.get("manager", f"/api/workers/{account}").json()["worker"]["answers"] == 1
    second = site.lease("slow")  # who still holds a ticket answers it: what another window sent cannot count
    site.post("slow", f"/api/tickets/{second['id']}/resume")
    held = site.submit("slow", second, key="key-00000002").json()["orphan_id"]
    refused = site.post("manager", f"/api/late/{held}/use")
    assert (refused.status_code, "its ticket is leased" in refused.text) == (409, True)
