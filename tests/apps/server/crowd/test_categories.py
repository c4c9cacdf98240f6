"""Categories over HTTP: added, retired, taken up again; what is refused changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    return open_site()


def every(site: Any) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in site.get("viewer", "/api/categories/all").json()}


def shown(ticket: Any) -> list[str]:
    return [one["name"] for panel in ticket["task"]["panels"] for one in panel["categories"]]


def test_a_category_comes_goes_and_comes_back(site: Any) -> None:
    before = every(site)
    held = site.lease("worker")
    old = shown(held)
    made = site.post("manager", "/api/categories", {"name": " great auk ", "supercategory": "bird"})
    assert made.status_code == 201
    number = max(one["id"] for one in before.values()) + 1
    assert made.json() == {"id": number, "asked": 1}  # the image that somebody has been shown
    assert "great auk" not in shown(held)
    assert site.submit("worker", held).status_code == 200
    assert set(shown(site.lease("expert"))) == set(old)  # the first question of that image goes on
    assert set(shown(site.lease("worker"))) == {*old, "great auk"}  # an image that nobody has seen
    site.clock[0] += 1
    assert site.post("manager", f"/api/categories/{number}/retire").status_code == 200
    assert every(site)["great auk"]["state"] == "retired"
    assert "great auk" not in str(site.get("viewer", "/api/categories").json())
    back = site.post("manager", f"/api/categories/{number}/restore")
    assert (back.status_code, back.json()) == (200, {"asked": 0})
    noted = [one["action"] for one in site.get("owner", "/api/audit").json()]
    assert noted[:3] == ["category.restore", "category.retire", "category.add"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "", "supercategory": "bird"}, 422),
        ({"name": "wren"}, 422),
        ({"name": "wren", "supercategory": " "}, 422),
        ({"name": "w" * 201, "supercategory": "bird"}, 422),
        ({"name": "wren", "supercategory": "bird", "id": 1}, 422),
        ({"name": "wren", "supercategory": "bird", "definition": "\x1b"}, 422),
    ],
)
def test_what_is_no_category_is_refused(site: Any, body: dict[str, Any], status: int) -> None:
    before = every(site)
    assert site.post("manager", "/api/categories", body).status_code == status
    assert every(site) == before


def test_a_name_is_given_once_and_the_last_category_stays(site: Any) -> None:
    before = every(site)
    name = next(iter(before))
    again = site.post("manager", "/api/categories", {"name": name, "supercategory": "x"})
    assert again.status_code == 422
    assert "is taken" in again.text
    assert site.post("manager", "/api/categories/999999/retire").status_code == 404
    assert site.post("manager", f"/api/categories/{before[name]['id']}/restore").status_code == 422
    active = [one["id"] for one in before.values() if one["state"] == "active"]
    for number in active[1:]:
        assert site.post("manager", f"/api/categories/{number}/retire").status_code == 200
    last = site.post("manager", f"/api/categories/{active[0]}/retire")
    assert last.status_code == 422
    assert "the last one" in last.text
    for number in active[1:]:
        assert site.post("manager", f"/api/categories/{number}/restore").status_code == 200
    assert every(site) == before
