"""Orders and payments over HTTP, against a fake on the loopback address that speaks the platform's tongue."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from amidst.apps.server.crowd.app import ServerConfig
from amidst.apps.server.crowd.platforms import campaign_word
from amidst.apps.server.crowd.tickets import WorkerLimits
from amidst.apps.server.limits import Rate
from amidst.crowd.adapter_mturk import PREVIEW, SUBMIT_HOSTS
from amidst.crowd.adapters import sign_entry

ADAPTERS = Path(__file__).resolve().parents[3] / "crowd" / "test_adapters.py"
spec = importlib.util.spec_from_file_location("adapters_of_tests", ADAPTERS)
assert spec is not None
assert spec.loader is not None
adapters: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(adapters)
fake = adapters.fake  # the fixture: the fake's state, and a real client of it

MANY = Rate(count=1_000_000)
OPEN = ServerConfig(sweep_s=0, workers=WorkerLimits(lease=MANY, submit=MANY, other=MANY))
ORIGIN = "https://label.example"
ORDER = {
    "stage": "labelling",
    "group": "order1",
    "assignments": 10,
    "title": "Name things",
    "description": "In pictures",
    "reward": "0.10",
}


@pytest.fixture
def site(open_site: Callable[..., Any], fake: Any) -> Any:
    """A site behind HTTPS with the fake as its platform."""
    return open_site(replace(OPEN, public_origin=ORIGIN), platform=fake[1])


def finished(site: Any, hit: str, assignment: str, worker: str) -> int:
    """An assignment that a person has come for and done; its number."""
    secret = site.secrets.adapters.hex()
    expires = site.clock[0] + 10**9
    parameters = {
        "stage": "labelling",
        "group": "order1",
        "expires": str(expires),
        "signature": sign_entry(secret, campaign_word(secret), "labelling", "order1", expires),
        "assignmentId": assignment,
        "hitId": hit,
        "workerId": worker,
        "turkSubmitTo": SUBMIT_HOSTS[0],
    }
    entry = site.post("", "/api/platforms/mturk/enter", {"parameters": parameters}).json()
    site.tokens[worker] = entry["token"]
    assert site.submit(worker, site.lease(worker)).status_code == 200
    done = site.post(worker, "/api/platforms/finish", {"assignment": entry["assignment"]})
    assert done.json() == {"left": 0}
    return int(entry["assignment"])


def deliver(site: Any) -> Any:
    return site.post("manager", "/api/platforms/mturk/deliver").json()


def test_an_order_is_placed_once_and_leads_to_the_page(site: Any, fake: Any) -> None:
    assert site.post("owner", "/api/platforms/mturk/hits", ORDER).json() == {"hits": 2}
    assert site.post("owner", "/api/platforms/mturk/hits", ORDER).json() == {"hits": 0}
    assert deliver(site) == {"adopted": 0, "delivered": 2, "problems": []}
    assert deliver(site) == {"adopted": 0, "delivered": 0, "problems": []}
    assert [hit["MaxAssignments"] for hit in fake[0].hits] == [9, 1]
    (url,) = [one.text for one in ElementTree.fromstring(fake[0].questions[0]).iter() if "URL" in one.tag]
    assert url.startswith(f"{ORIGIN}/mturk?")
    parameters = dict(parse_qsl(urlsplit(url).query)) | {"assignmentId": PREVIEW}
    entry = site.post("", "/api/platforms/mturk/enter", {"parameters": parameters})
    assert entry.json() == {"preview": True, "finished": False, "stage": "labelling"}


def test_orders_wait_for_a_platform_that_is_away(site: Any, fake: Any) -> None:
    site.post("owner", "/api/platforms/mturk/hits", ORDER)
    fake[0].failures = 1
    found = deliver(site)
    assert (found["delivered"], len(found["problems"])) == (0, 1)
    assert deliver(site)["delivered"] == 2


def test_finished_work_is_paid_once_to_who_the_platform_says(site: Any, fake: Any) -> None:
    one = finished(site, "H0", "A1", "W1")
    fake[0].assignments["H0"] = [{"AssignmentId": "A1", "WorkerId": "W1"}]
    path = f"/api/platforms/assignments/{one}"
    assert site.post("manager", f"{path}/approve").json() == {"queued": True}
    assert site.post("manager", f"{path}/approve").json() == {"queued": False}
    bonus = {"amount": "0.05", "reason": "thank you", "key": "first"}
    assert site.post("manager", f"{path}/bonus", bonus).status_code == 403  # owners give money away
    assert site.post("owner", f"{path}/bonus", bonus).json() == {"queued": True}
    assert deliver(site) == {"adopted": 0, "delivered": 2, "problems": []}
    assert fake[0].paid == [("ApproveAssignment", "A1", ""), ("SendBonus", "A1", "W1")]
    (listed,) = site.get("manager", "/api/platforms/assignments").json()
    assert (listed["id"], listed["hit"], listed["answers"]) == (one, "H0", 1)
    assert site.get("manager", f"/api/platforms/assignments?after={one}").json() == []


def test_who_came_with_a_foreign_name_is_not_paid(site: Any, fake: Any) -> None:
    one = finished(site, "H0", "A1", "W1")
    fake[0].assignments["H0"] = [{"AssignmentId": "A1", "WorkerId": "W2"}]
    site.post("manager", f"/api/platforms/assignments/{one}/approve")
    found = deliver(site)
    assert (found["delivered"], len(found["problems"])) == (0, 1)
    assert fake[0].paid == []


def test_a_rejection_has_a_reason(site: Any, fake: Any) -> None:
    one = finished(site, "H0", "A1", "W1")
    fake[0].assignments["H0"] = [{"AssignmentId": "A1", "WorkerId": "W1"}]
    path = f"/api/platforms/assignments/{one}/reject"
    assert site.post("manager", path, {"reason": " "}).status_code == 422
    assert site.post("manager", path, {"reason": "not looked at"}).json() == {"queued": True}
    assert deliver(site)["delivered"] == 1
    assert fake[0].paid == [("RejectAssignment", "A1", "")]


def test_unfinished_and_foreign_assignments_are_not_paid(site: Any) -> None:
    link = site.post("manager", "/api/platforms/prolific/link", {"stage": "labelling", "study": "s"}).json()
    url = link["url"].replace("{%PROLIFIC_PID%}", "ann").replace("{%SESSION_ID%}", "s1")
    assert url.startswith(ORIGIN)
    parameters = dict(parse_qsl(urlsplit(url).query))
    entry = site.post("", "/api/platforms/prolific/enter", {"parameters": parameters}).json()
    path = f"/api/platforms/assignments/{entry['assignment']}/approve"
    assert site.post("manager", path).json()["error"]["message"] == "prolific pays by itself"
    assert site.post("manager", "/api/platforms/assignments/99/approve").status_code == 404


def test_without_https_or_a_platform_nothing_is_ordered(open_site: Callable[..., Any]) -> None:
    site = open_site()
    assert "HTTPS" in site.post("owner", "/api/platforms/mturk/hits", ORDER).json()["error"]["message"]
    assert site.post("manager", "/api/platforms/mturk/deliver").status_code == 404
    for wrong in ({"reward": "0,10"}, {"reward": "-1.00"}, {"assignments": 0}, {"group": "a b"}):
        assert site.post("owner", "/api/platforms/mturk/hits", ORDER | wrong).status_code == 422
