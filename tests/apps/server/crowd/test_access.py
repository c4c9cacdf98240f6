"""Every route x every role x foreign objects, from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from amidst.apps.server.crowd.app import PAGES
from amidst.apps.server.csrf import HEADER
from amidst.crowd.schema import metadata

ROLES = ("owner", "manager", "expert", "worker", "viewer")
UNKNOWN = 999_999
Route = tuple[str, str, frozenset[str]]


def routes_of(site: Any) -> list[Route]:
    """Method, path and roles of every route, as documented."""
    found = []
    for path, operations in site.app.openapi()["paths"].items():
        for method, operation in operations.items():
            found.append((method.upper(), path, frozenset(operation["x-roles"])))
    return found


def filled(path: str, number: int = UNKNOWN) -> str:
    """A path with its parameters filled in."""
    for name in ("account", "link", "ticket", "worker", "void", "gold", "assignment", "late", "category"):
        path = path.replace("{" + name + "}", str(number))
    return path.replace("{variant}", "256").replace("{name}", "none.js")


def snapshot(site: Any) -> dict[str, int]:
    """Rows of every table."""

    def work(connection: Any) -> dict[str, int]:
        tables = metadata.sorted_tables
        return {t.name: connection.scalar(select(func.count()).select_from(t)) for t in tables}

    found: dict[str, int] = site.run(site.store.read(work))
    return found


def test_every_route_says_who_may_use_it(site: Any) -> None:
    routes = routes_of(site)
    assert len(routes) > 30
    for _, path, roles in routes:
        assert roles == {"anyone"} or (roles and roles <= set(ROLES)), path
        assert "{" not in filled(path), f"{path}: teach the test its parameter"


def test_open_routes_are_these_and_no_others(site: Any) -> None:
    assert sorted({path for _, path, roles in routes_of(site) if roles == {"anyone"}}) == sorted(
        [
            *PAGES,
            "/mturk",
            "/prolific",
            "/api/auth/enter",
            "/api/auth/link",
            "/api/auth/login",
            "/api/platforms/mturk/enter",
            "/api/platforms/prolific/enter",
            "/media/{name}/{variant}",
            "/static/{name}",
        ]
    )


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    """One for all tests here: they change nothing, and say so."""
    return open_site()


@pytest.mark.parametrize("role", ["", *ROLES])
def test_each_role_passes_exactly_where_it_may(site: Any, role: str) -> None:
    before = snapshot(site)
    for method, path, roles in routes_of(site):
        if roles == {"anyone"} or (path, role) == ("/api/auth/logout", role):
            continue
        answer = site.call(role, method, filled(path))
        if not role:
            assert answer.status_code == 401, (method, path)
        elif role not in roles:
            assert answer.status_code == 403, (method, path, role)
        else:
            assert answer.status_code not in (401, 403, 405), (method, path, role, answer.text)
            assert answer.status_code < 500, (method, path, role, answer.text)
    assert snapshot(site) == before  # nothing was changed: by those who may not, nor by those without a body


def test_reading_changes_nothing(site: Any) -> None:
    before = snapshot(site)
    for method, path, _ in routes_of(site):
        if method == "GET":
            site.get("owner", filled(path, 1))
    assert snapshot(site) == before


def test_every_change_by_cookie_needs_the_token_and_the_own_site(site: Any) -> None:
    link = site.post("owner", "/api/invitations", {"role": "owner"}).json()["token"]
    csrf = site.post("", "/api/auth/enter", {"token": link}).json()["csrf"]  # the cookie is kept
    before = snapshot(site)
    changes = [(m, p) for m, p, roles in routes_of(site) if m not in ("GET", "HEAD") and roles != {"anyone"}]
    assert len(changes) > 20
    for method, path in changes:
        plain = site.call("", method, filled(path))
        assert (plain.status_code, plain.json()["error"]["code"]) == (403, "csrf"), path
        headers = {HEADER: csrf, "Origin": "https://evil.example"}
        foreign = site.call("", method, filled(path), headers=headers)
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "cross-site"), path
    assert snapshot(site) == before


def test_a_ticket_is_there_for_its_worker_alone(site: Any) -> None:
    ticket = site.lease("worker")
    body = {"token": ticket["token"], "rev": 1, "body": {}, "idem_key": "key-00000001", "client": {}}
    fields = {"submit": ("token", "idem_key", "body", "client"), "draft": ("token", "rev", "body")}
    site.come("other")
    before = snapshot(site)
    tried = 0
    for method, path, roles in routes_of(site):
        if "{ticket}" not in path:
            continue
        action = path.rpartition("/")[2]
        sent = {name: body[name] for name in fields.get(action, ("token",))}
        for name in ("other", "expert", "manager", "owner"):
            content = None if method == "GET" or action == "resume" else sent
            answer = site.call(name, method, filled(path, ticket["id"]), content)
            assert answer.status_code == 404, (path, name, answer.text)
            tried += 1
        assert "worker" in roles
    assert tried >= 24
    assert snapshot(site) == before


@pytest.mark.parametrize(
    "query", ["password=1", "worker__password=x", "state=kept&order_by=token_hash", "a.b=1"]
)
def test_filters_are_on_a_white_list(site: Any, query: str) -> None:
    for path in ("/api/images", "/api/accounts", "/api/audit", "/api/golds"):
        answer = site.get("owner", f"{path}?{query}")
        assert answer.status_code == 422
        assert "unknown query parameter" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "query",
    ["state=secret", "after=-1", "after=x", "limit=0", "limit=100000", f"after={10**30}", "after=1e3"],
)
def test_values_of_filters_are_checked(site: Any, query: str) -> None:
    assert site.get("owner", f"/api/images?{query}").status_code == 422


def test_no_reply_names_secrets(site: Any) -> None:
    hidden = [site.secrets.session, site.secrets.links, site.secrets.adapters]
    words = [*site.tokens.values(), *(key.hex() for key in hidden), "argon2", "token_hash", "0" * 64]
    for method, path, _ in routes_of(site):
        if method == "GET" and "/media" not in path:
            text = site.get("owner", filled(path, 1)).text
            assert not [word for word in words if word in text], path


def test_query_parameters_are_declared_where_they_are_allowed(site: Any) -> None:
    document = site.app.openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
            for name in names:
                answer = site.call("owner", method.upper(), filled(path), params={name: "1"})
                assert "unknown query parameter" not in answer.text, (path, name)


def test_bodies_are_documented(site: Any) -> None:
    document = site.app.openapi()
    schema = document["paths"]["/api/tickets/lease"]["post"]["requestBody"]["content"]["application/json"]
    assert "labelling" in msgspec.json.encode(schema).decode()
