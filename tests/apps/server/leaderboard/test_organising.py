"""What organisers do: co-organisers, links for members, withdrawing, looking at what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Guesses = Callable[..., list[dict[str, Any]]]


def test_a_member_is_let_in_again_by_a_link(site: Any) -> None:
    teams = {team["name"]: team for team in site.call("owner", "GET", "/api/teams")[1]}
    assert [one["display"] for one in teams["A"]["members"]] == ["ann", "abe"]
    ann = teams["A"]["members"][0]["account"]
    status, made = site.call("max", "POST", f"/api/accounts/{ann}/link")
    assert status == 201
    site.enter("ann in a browser", made["token"])
    assert site.call("ann in a browser", "GET", "/api/submissions")[1]["team"] == "A"
    body = {"token": made["token"], "display": "x", "bearer": True}
    assert site.call("", "POST", "/api/auth/enter", body)[0] == 403  # once
    assert site.call("bob", "POST", f"/api/accounts/{ann}/link")[0] == 403


def test_from_a_program_into_a_browser(site: Any) -> None:
    for name in ("bob", "vic", "owner"):
        status, made = site.call(name, "POST", "/api/link")
        assert status == 201
        site.enter("again", made["token"])
        who = site.call(name, "GET", "/api/auth/me")[1]["account"]
        assert site.call("again", "GET", "/api/auth/me")[1]["account"] == who
    assert site.call("", "POST", "/api/link")[0] == 401


def test_signing_somebody_out_ends_their_links_too(site: Any) -> None:
    site.member("una", "U")
    una = site.call("una", "GET", "/api/auth/me")[1]["account"]
    links = [site.call("una", "POST", "/api/link"), site.call("max", "POST", f"/api/accounts/{una}/link")]
    assert site.call("max", "POST", f"/api/accounts/{una}/sign-out")[0] == 200
    assert site.call("una", "GET", "/api/auth/me")[0] == 401
    for _, made in links:
        body = {"token": made["token"], "bearer": True}
        assert site.call("", "POST", "/api/auth/enter", body)[0] == 403
    site.enter("una", site.call("max", "POST", f"/api/accounts/{una}/link")[1]["token"])
    assert site.call("una", "GET", "/api/submissions")[1]["team"] == "U"


def test_an_owner_invites_co_organisers_and_takes_the_invitation_back(site: Any) -> None:
    status, made = site.call("owner", "POST", "/api/invitations", {"role": "manager", "note": "Mo"})
    assert status == 201
    assert made["id"] in [link["id"] for link in site.call("max", "GET", "/api/invitations")[1]]
    assert site.call("owner", "POST", f"/api/invitations/{made['id']}/withdraw")[0] == 200
    body = {"token": made["token"], "bearer": True}
    assert site.call("", "POST", "/api/auth/enter", body)[0] == 403
    assert site.call("max", "POST", "/api/invitations", {"role": "manager"})[0] == 403


def test_organisers_withdraw_and_see_what_happened(site: Any, make_guesses: Guesses) -> None:
    sent = site.send("bob", make_guesses(site.dataset, 31), method="M")[1]
    site.wait("bob", sent["id"])
    path = f"/api/submissions/{sent['id']}"
    assert site.call("max", "POST", f"{path}/withdraw", {"reason": "x" * 301})[0] == 422
    after = site.call("max", "POST", f"{path}/withdraw", {"reason": " trained on val "})[1]
    assert (after["state"], after["reason"]) == ("withdrawn", "by the organisers: trained on val")
    changes = site.call("bob", "GET", f"{path}/changes")[1]
    states = [change["after"] for change in changes]
    assert states == ["received", "checking", "queued", "running", "scored", "withdrawn"]
    assert [change["before"] for change in changes] == ["", *states[:-1]]
    assert changes[-1]["reason"] == "by the organisers: trained on val"
    assert site.call("ann", "GET", f"{path}/changes")[0] == 404
    noted = site.call("owner", "GET", "/api/audit")[1][0]
    assert (noted["action"], noted["subject"]) == ("submission.withdraw", str(sent["id"]))
    assert (noted["display"], noted["details"]["team"]) == ("max", "B")
    own = site.send("bob", make_guesses(site.dataset, 32))[1]
    assert site.call("bob", "POST", f"/api/submissions/{own['id']}/withdraw")[1]["reason"] == "by the team"


def test_refusals_say_whom_a_route_is_for(site: Any) -> None:
    told = site.call("ann", "GET", "/api/teams")[1]["error"]["message"]
    assert told == "this is for organisers, not for participants"
    told = site.call("vic", "GET", "/api/submissions")[1]["error"]["message"]
    assert told == "this is for organisers or participants, not for guests"
    site.tokens["stranger"] = "x" * 32
    assert "token is unknown" in site.call("stranger", "GET", "/api/submissions")[1]["error"]["message"]
    assert "sign in first" in site.call("", "GET", "/api/submissions")[1]["error"]["message"]


def test_settings_of_the_benchmark_hold_at_once(site: Any, make_guesses: Guesses) -> None:
    path = "/api/board/settings"
    before = site.call("max", "GET", path)[1]
    assert (before.pop("warnings"), before["name"], before["config"]["kind"]) == ([], "Boxes <b>", "bbox")
    config = {**before["config"], "contact": "mailto:o@e.org"}
    uploads = {**config["uploads"], "max_bytes": 100_000, "max_per_image": 1}
    after = {"name": "Crates", "description": "New.", "config": {**config, "uploads": uploads}}
    status, found = site.call("max", "POST", path, after)
    assert (status, found["name"], found["config"]["uploads"]["max_per_image"]) == (200, "Crates", 1)
    shown = site.call("", "GET", "/api/board")[1]
    assert (shown["name"], shown["description"], shown["contact"]) == ("Crates", "New.", "mailto:o@e.org")
    assert shown["limits"] == uploads
    assert site.announce("ann", 100_001)[0] == 413
    refused = site.send("ann", make_guesses(site.dataset, 61))
    assert (refused[0], "more than 1" in refused[1]["error"]["message"]) == (422, True)
    noted = site.call("owner", "GET", "/api/audit")[1][0]
    assert (noted["action"], noted["display"]) == ("benchmark.settings", "max")
    assert (noted["details"]["before"]["name"], noted["details"]["after"]["name"]) == ("Boxes <b>", "Crates")
    assert site.call("max", "POST", path, after)[0] == 200  # nothing new: no event
    assert site.call("owner", "GET", "/api/audit")[1][0]["id"] == noted["id"]
    for wrong, told in (
        ({**after, "config": {**config, "kind": "segm"}}, "kind stays bbox"),
        ({**after, "config": {**config, "contact": "mailto:x"}}, "mailto:name@host"),
        ({**after, "config": {**config, "uploads": {"max_ratio": 0}}}, "max_ratio"),
        ({**after, "phases": []}, "phases"),
        ({**after, "name": " "}, "needs a name"),
    ):
        status, refusal = site.call("max", "POST", path, wrong)
        assert (status, told in refusal["error"]["message"]) == (422, True), refusal
    assert site.call("max", "POST", path, before)[0] == 200
    assert site.call("", "GET", "/api/board")[1]["name"] == "Boxes <b>"


def test_submissions_are_searched_and_teams_find_their_own_alone(site: Any) -> None:
    keys = [site.announce(who, 9, method=f"Find {who}")[1]["id"] for who in ("ann", "bob", "ann")]

    def found(name: str, query: str) -> list[int]:
        path = "/api/organise/submissions" if name == "owner" else "/api/submissions"
        status, reply = site.call(name, "GET", f"{path}?{query}")
        assert status == 200, reply
        return [one["id"] for one in (reply if name == "owner" else reply["submissions"])]

    assert found("owner", "method=find") == keys[::-1]
    assert found("owner", "method=find&team=b") == found("owner", "method=find%20bob") == [keys[1]]
    assert found("owner", "method=find&state=scored") == []
    assert found("owner", f"method=find&before={keys[2]}&limit=1") == [keys[1]]
    assert found("ann", "method=find&state=received") == [keys[2], keys[0]]
    assert found("bob", "method=find") == [keys[1]]
    assert found("bob", "method=ann") == []
    for name, query in (
        ("ann", "team=B"),
        ("ann", "numbers=1"),
        ("owner", "order=ap"),
        ("owner", "state=none"),
        ("owner", "method=%00"),
        ("owner", "team=" + "x" * 101),
        ("owner", "limit=1001"),
    ):
        path = "/api/organise/submissions" if name == "owner" else "/api/submissions"
        assert site.call(name, "GET", f"{path}?{query}")[0] == 422, query
    assert site.call("ann", "GET", "/api/organise/submissions?method=find")[0] == 403
    for key in keys:
        assert site.call("owner", "POST", f"/api/submissions/{key}/withdraw")[0] == 200
