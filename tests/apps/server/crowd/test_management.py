"""What managers do, over HTTP: settings, states, voiding and back, known items, figures, export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from amidst.coco.dataset import CocoDataset


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    return open_site()


def test_progress_counts_what_is_leased_and_done(site: Any) -> None:
    ticket = site.lease("worker")
    found = site.get("viewer", "/api/progress").json()
    (labelling,) = [stage for stage in found["stages"] if stage["stage"] == "labelling"]
    assert (labelling["leased"], labelling["done"]) == (1, 0)
    assert site.submit("worker", ticket).status_code == 200
    found = site.get("viewer", "/api/progress").json()
    (labelling,) = [stage for stage in found["stages"] if stage["stage"] == "labelling"]
    assert (labelling["leased"], labelling["done"]) == (0, 1)


def test_settings_are_replaced_as_a_whole_and_noted(site: Any) -> None:
    before = site.get("manager", "/api/settings").json()
    after = {**before, "labelling": {**before["labelling"], "workers": 5}}
    assert site.call("manager", "PUT", "/api/settings", after).status_code == 200
    assert site.get("viewer", "/api/settings").json()["labelling"]["workers"] == 5
    noted = site.get("owner", "/api/audit").json()[0]
    assert (noted["who"], noted["action"]) == (site.accounts["manager"], "settings")
    assert noted["details"]["before"]["labelling"]["workers"] == 8
    assert site.call("manager", "PUT", "/api/settings", before).status_code == 200


@pytest.mark.parametrize(
    "change", [{"labelling": {"wokers": 5}}, {"stages": ["nonsense"]}, {"name": ""}, {"labelling": 5}]
)
def test_settings_that_do_not_fit_change_nothing(site: Any, change: dict[str, Any]) -> None:
    before = site.get("manager", "/api/settings").json()
    assert site.call("manager", "PUT", "/api/settings", {**before, **change}).status_code == 422
    assert site.get("manager", "/api/settings").json() == before


def test_a_paused_worker_gets_no_ticket_and_keeps_the_session(site: Any) -> None:
    path = f"/api/workers/{site.accounts['expert']}/state"
    assert site.post("manager", path, {"state": "paused"}).status_code == 200
    answer = site.post("expert", "/api/tickets/lease", {"stage": "labelling"}).json()
    assert answer["reason"] == "not_active"
    assert site.post("manager", path, {"state": "active"}).status_code == 200
    assert site.lease("expert") is not None


def test_nobody_bans_upwards_or_themselves(site: Any) -> None:
    owner, manager = (f"/api/workers/{site.accounts[name]}/state" for name in ("owner", "manager"))
    assert site.post("manager", owner, {"state": "banned"}).status_code == 403
    assert site.post("manager", manager, {"state": "banned"}).status_code == 409
    assert site.post("manager", "/api/workers/999999/state", {"state": "banned"}).status_code == 404


def test_voiding_is_previewed_done_and_taken_back(site: Any) -> None:
    body = {"worker": site.come("poor"), "stage": "labelling"}
    for number in range(2):
        assert site.submit("poor", site.lease("poor"), key=f"poor-{number:06}").status_code == 200

    def done() -> int:
        stages = site.get("manager", "/api/progress").json()["stages"]
        return int(next(one["done"] for one in stages if one["stage"] == "labelling"))

    before = done()
    preview = site.post("manager", "/api/voids/preview", body)
    assert (preview.status_code, preview.json()["answers"], done()) == (200, 2, before)
    assert site.post("manager", "/api/voids", body).status_code == 422  # a reason is asked for
    made = site.post("manager", "/api/voids", {**body, "reason": "marks nothing"})
    assert (made.status_code, done()) == (201, before - 2)
    back = site.post("manager", f"/api/voids/{made.json()['void_id']}/revert")
    assert (back.status_code, done()) == (200, before)
    assert [one["action"] for one in site.get("owner", "/api/audit").json()[:2]] == ["void.revert", "void"]
    assert site.get("manager", "/api/doctor").json() == []


def test_known_masks_come_from_managers_and_can_be_retired(site: Any) -> None:
    image = site.world.images[0]
    thing = max(image.objects, key=lambda one: one.area)
    body = {"image": image.record.id, "category": thing.category_id, "mask": thing.mask}
    made = site.post("manager", "/api/golds/masks", body)
    assert made.status_code == 201
    golds = site.get("manager", "/api/golds").json()["golds"]
    assert sorted(one["id"] for one in golds) == sorted(made.json()["golds"])
    assert site.post("manager", f"/api/golds/{golds[0]['id']}/retire").status_code == 200
    states = {one["id"]: one["state"] for one in site.get("manager", "/api/golds").json()["golds"]}
    assert states[golds[0]["id"]] == "retired"


@pytest.mark.parametrize(
    "change",
    [
        {"image": 999_999},
        {"category": 999_999},
        {"mask": {"size": [1, 1], "counts": [0, 1]}},
        {"mask": {"size": [10**9, 10**9], "counts": "x"}},
        {"mask": {"size": [2, 2], "counts": [-1, 5]}},
        {"mask": {"size": [2, 2], "counts": "\x00\xff"}},
    ],
)
def test_known_masks_that_do_not_fit_are_refused(site: Any, change: dict[str, Any]) -> None:
    image = site.world.images[0]
    thing = image.objects[0]
    body = {"image": image.record.id, "category": thing.category_id, "mask": thing.mask, **change}
    assert site.post("manager", "/api/golds/masks", body).status_code in (404, 422)


def test_images_are_listed_page_by_page_with_their_pictures(site: Any) -> None:
    first = site.get("manager", "/api/images?limit=3").json()
    assert [one["id"] for one in first["images"]] == [1, 2, 3]
    picture = first["media"]["1"]
    assert site.client.get(f"{picture['base']}/256?{picture['access']}").status_code == 200
    rest = site.get("manager", "/api/images?after=3").json()["images"]
    assert [one["id"] for one in rest] == [4]
    assert site.get("manager", "/api/images?state=removed").json()["images"] == []


def test_the_export_is_a_coco_file(site: Any) -> None:
    answer = site.get("manager", "/api/export")
    assert "attachment" in answer.headers["content-disposition"]
    dataset = CocoDataset.from_json(answer.content)
    assert [image.file_name for image in dataset.images] == [
        image.record.file_name for image in site.world.images
    ]


def test_quality_of_labellers(site: Any) -> None:
    found = site.get("manager", "/api/quality").json()
    assert site.accounts["worker"] in [one["worker"] for one in found["labellers"]]
    assert found["void_proposals"] == []


def test_decisions_of_something_that_is_not_there(site: Any) -> None:
    assert site.get("manager", "/api/decisions?subject=cell/7").json() == []
    for subject in ("cell", "cell/x", "../7", "cell/7;drop", ""):
        assert site.get("manager", "/api/decisions", params={"subject": subject}).status_code == 422


def test_without_a_provider_there_is_no_assistance(site: Any) -> None:
    ticket = site.lease("manager")
    answer = site.post("manager", f"/api/tickets/{ticket['id']}/assist", {"token": ticket["token"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no-assistance")


def test_a_database_that_is_gone_is_503(open_site: Callable[..., Any]) -> None:
    site = open_site()
    ticket = site.lease("worker")
    site.run(site.store.close())
    answer = site.submit("worker", ticket)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"


def test_who_is_signed_out_is_led_back_after_signing_in(site: Any) -> None:
    assert site.get("", "/enter?to=/manage").status_code == 200
    assert site.get("", "/enter?from=/manage").status_code == 422
