"""Every route of the leaderboard for every role, from the OpenAPI document, with odd bodies."""

from __future__ import annotations

import re
from typing import Any

ROLE_OF = {"": "", "owner": "owner", "max": "manager", "ann": "worker", "eve": "worker", "vic": "viewer"}
BODIES: tuple[Any, ...] = (None, {}, [], {"phase": 1e308}, {"team": "x" * 100_000}, {"token": "\ud800"})
LEFT_OUT = {"/api/auth/logout", "/api/accounts/{account}/sign-out", "/api/accounts/{account}/role"}


def operations(site: Any) -> list[tuple[str, str, list[str]]]:
    document = site.call("", "GET", "/api/openapi.json")[1]
    return [
        (method.upper(), path, about["x-roles"])
        for path, methods in document["paths"].items()
        for method, about in methods.items()
    ]


def test_every_route_names_its_roles_and_keeps_to_them(site: Any) -> None:
    found = operations(site)
    assert len(found) > 25
    for method, path, roles in found:
        if path in LEFT_OUT:
            continue
        place = re.sub(r"\{(phase|name)\}", "dev", re.sub(r"\{(submission|account|link)\}", "999999", path))
        for name, role in ROLE_OF.items():
            allowed = roles == ["anyone"] or role in roles
            body = {} if method == "POST" else None
            status = site.call(name, method, place, body)[0]
            assert (status in (401, 403)) != allowed or "/auth/" in path, (method, path, name, status)
            assert status < 500, (method, path, name)


def test_only_organisers_organise(site: Any) -> None:
    roles = {f"{method} {path}": who for method, path, who in operations(site)}
    managers = ["manager", "owner"]
    for route in (
        "POST /api/teams/invite",
        "GET /api/board/settings",
        "POST /api/board/settings",
        "POST /api/phases/{phase}/settings",
        "GET /api/organise/submissions",
    ):
        assert roles[route] == managers
    assert [route for route, who in roles.items() if who == ["anyone"] and not route.startswith("GET")] == [
        "POST /api/auth/link",
        "POST /api/auth/enter",
        "POST /api/auth/login",
    ]


def test_odd_bodies_are_refused_and_never_fail(site: Any) -> None:
    for method, path, _ in operations(site):
        if method != "POST" or path in LEFT_OUT:
            continue
        place = re.sub(r"\{phase\}", "dev", re.sub(r"\{\w+\}", "1", path))
        if path.endswith(("/withdraw", "/link", "/token")):
            continue
        for body in BODIES:
            status, reply = site.call("owner", method, place, body)
            assert status < 500, (path, body)
            assert "error" in reply or status in (200, 201), (path, body)
