"""People from crowd platforms: signed ways in, each assignment once, a page that its platform frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from sqlalchemy import select

from amidst.apps.server.crowd.platforms import campaign_word
from amidst.crowd.adapter_mturk import PREVIEW, SUBMIT_HOSTS
from amidst.crowd.adapters import sign_entry
from amidst.crowd.schema_people import accounts

HOUR = 3600 * 1_000_000


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    return open_site()


def mturk(site: Any, assignment: str, worker: str = "W1", **change: str) -> dict[str, str]:
    """What stands in the address of the page in Mechanical Turk's frame."""
    secret, expires = site.secrets.adapters.hex(), site.clock[0] + HOUR
    signature = sign_entry(secret, campaign_word(secret), "labelling", "order1", expires)
    return {
        "stage": "labelling",
        "group": "order1",
        "expires": str(expires),
        "signature": signature,
        "assignmentId": assignment,
        "hitId": "H1",
        "workerId": worker,
        "turkSubmitTo": SUBMIT_HOSTS[1],
        **change,
    }


def prolific(site: Any, person: str, session: str) -> dict[str, str]:
    link = site.post("manager", "/api/platforms/prolific/link", {"stage": "labelling", "study": "study1"})
    url = link.json()["url"].replace("{%PROLIFIC_PID%}", person).replace("{%SESSION_ID%}", session)
    assert urlsplit(url).path == "/prolific"
    return dict(parse_qsl(urlsplit(url).query))


def enter(site: Any, provider: str, parameters: dict[str, str], name: str = "") -> Any:
    answer = site.post("", f"/api/platforms/{provider}/enter", {"parameters": parameters})
    if name and answer.status_code == 200:
        site.tokens[name] = answer.json()["token"]
    return answer


def finish(site: Any, name: str, assignment: int) -> Any:
    return site.post(name, "/api/platforms/finish", {"assignment": assignment})


def test_from_a_study_to_its_completion_code(site: Any) -> None:
    parameters = prolific(site, "ann", "s1")
    entry = enter(site, "prolific", parameters, "ann").json()
    assert (entry["finished"], entry["stage"], entry["tickets"]) == (False, "labelling", 1)
    assert finish(site, "ann", entry["assignment"]).json() == {"left": 1}
    first, second = site.lease("ann"), site.lease("ann")  # one ahead
    assert site.submit("ann", first).status_code == 200
    assert finish(site, "ann", entry["assignment"]).json() == {"left": 0}
    assert site.submit("ann", second, key="key-00000002").status_code == 409  # given back
    done = enter(site, "prolific", parameters).json()
    assert (done["finished"], "token" in done) == (True, False)
    assert len(done["code"]) == 12
    assert done["return_url"].endswith(f"?cc={done['code']}")
    assert enter(site, "prolific", parameters).json() == done  # a reply may be lost
    other = enter(site, "prolific", prolific(site, "ann", "s2"), "ann").json()
    assert finish(site, "ann", other["assignment"]).json() == {"left": 1}  # no answer is paid twice


def test_a_session_of_someone_else_is_refused(site: Any) -> None:
    enter(site, "prolific", prolific(site, "eve", "s9"))
    answer = enter(site, "prolific", prolific(site, "bob", "s9"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "entry")


def test_coming_again_ends_the_session_before_and_keeps_the_work(site: Any) -> None:
    parameters = mturk(site, "A1", "W7")
    first = enter(site, "mturk", parameters, "first").json()
    ticket = site.lease("first")
    again = enter(site, "mturk", parameters, "again").json()
    assert again["assignment"] == first["assignment"]
    assert site.get("first", "/api/tickets").status_code == 401
    assert [one["id"] for one in site.get("again", "/api/tickets").json()] == [ticket["id"]]
    assert site.submit("again", ticket).status_code == 200


def test_from_a_frame_to_the_platforms_form(site: Any) -> None:
    entry = enter(site, "mturk", mturk(site, "A2", "W8"), "turker").json()
    assert entry["submit_to"] == f"{SUBMIT_HOSTS[1]}/mturk/externalSubmit"
    assert site.submit("turker", site.lease("turker")).status_code == 200
    assert finish(site, "turker", entry["assignment"]).json() == {"left": 0}
    done = enter(site, "mturk", mturk(site, "A2", "W8")).json()
    assert done["fields"] == {"assignmentId": "A2", "answers": "1"}
    assert done["submit_to"] == f"{SUBMIT_HOSTS[1]}/mturk/externalSubmit"
    assert (
        finish(site, "turker", entry["assignment"]).status_code == 401
    )  # coming again has ended the session


def test_a_preview_gets_instructions_and_nothing_else(site: Any) -> None:
    def accounts_number(connection: Any) -> int:
        return len(connection.execute(select(accounts.worker.c.id)).all())

    before = site.run(site.store.read(accounts_number))
    answer = enter(site, "mturk", mturk(site, PREVIEW, ""))
    assert answer.json() == {"preview": True, "finished": False, "stage": "labelling"}
    assert "set-cookie" not in answer.headers
    assert site.run(site.store.read(accounts_number)) == before


@pytest.mark.parametrize(
    "change",
    [
        {"turkSubmitTo": "https://evil.example"},
        {"turkSubmitTo": f"{SUBMIT_HOSTS[0]}@evil.example"},
        {"stage": "spotting"},
        {"group": "order2"},
        {"expires": "1"},
        {"signature": "0" * 64},
        {"assignmentId": "A/../B"},
        {"workerId": "<script>"},
        {"hitId": ""},
    ],
)
def test_no_part_of_an_address_can_be_changed(site: Any, change: dict[str, str]) -> None:
    answer = enter(site, "mturk", mturk(site, "A3", **change))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "entry")
    assert "evil" not in answer.text


def test_an_address_ends(site: Any) -> None:
    parameters = mturk(site, "A4")
    site.clock[0] += 2 * HOUR
    assert enter(site, "mturk", parameters).status_code == 403
    site.clock[0] -= 2 * HOUR


def test_only_the_person_s_hash_is_kept(site: Any) -> None:
    enter(site, "mturk", mturk(site, "A5", "WSECRETNAME"))

    def rows(connection: Any) -> str:
        tables = [accounts.identity, accounts.worker, accounts.audit]
        return str([connection.execute(select(table)).all() for table in tables])

    assert "WSECRETNAME" not in site.run(site.store.read(rows))


def test_a_banned_person_stays_out(site: Any) -> None:
    enter(site, "mturk", mturk(site, "A6", "W66"), "bad")
    about = site.get("bad", "/api/auth/me").json()
    path = f"/api/workers/{about['account']}/state"
    assert site.post("manager", path, {"state": "banned", "note": "spam"}).status_code == 200
    assert enter(site, "mturk", mturk(site, "A7", "W66")).status_code == 403


def test_only_the_platform_may_frame_only_that_page(site: Any) -> None:
    page = site.client.get(f"/mturk?{urlencode(mturk(site, 'A8'))}")
    policy = page.headers["content-security-policy"]
    hosts = " ".join(SUBMIT_HOSTS)
    assert f"frame-ancestors {hosts}" in policy
    assert f"form-action {hosts}" in policy
    assert "script-src 'self'" in policy
    assert "x-frame-options" not in page.headers
    for path in ("/prolific", "/work", "/manage", "/", "/static/platform.js", "/mturk/", "/api/openapi.json"):
        answer = site.client.get(path)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["x-frame-options"] == "DENY", path
    assert site.client.get("/mturk?other=1").status_code == 422
