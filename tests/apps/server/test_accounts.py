"""Accounts over HTTP on a real database: links, sessions, passwords, roles, limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from amidst.apps.server.access import Gate
from amidst.apps.server.accounts import HOUR, Accounts, Role
from amidst.apps.server.csrf import HEADER
from amidst.apps.server.foundation import make_app
from amidst.apps.server.installation import new_secrets
from amidst.apps.server.limits import MICRO
from amidst.apps.server.routes_accounts import AccountRoutes
from amidst.apps.server.routes_auth import AuthLimits, AuthRoutes
from amidst.crowd import schema_people
from amidst.crowd.store import open_store

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@dataclass
class House:
    """A server of accounts, with a clock that stands still."""

    client: Any
    gate: Gate
    first: str
    clock: list[int]
    tokens: dict[str, str] = field(default_factory=dict)

    def enter(self, token: str, display: str = "Ann") -> Any:
        return self.client.post("/api/auth/enter", json={"token": token, "display": display, "bearer": True})

    def come(self, name: str, role: Role = "worker") -> int:
        """Someone new with this role; `call` takes the name afterwards."""
        token = self.first
        if self.tokens:
            made = self.call("owner", "POST", "/api/invitations", json={"role": role})
            token = made.json()["token"]
        about = self.enter(token, name).json()
        self.tokens[name] = about["token"]
        return int(about["account"])

    def call(self, name: str, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[name]}", **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)


@pytest.fixture
def house(tmp_path: Path, local_client: type[Any]) -> Iterator[House]:
    clock = [1_000_000 * MICRO]
    accounts = Accounts(schema_people.accounts, lambda: clock[0])
    client = local_client()
    store = client.run(open_store(tmp_path / "c.db", create=True, durable=False))
    first = client.run(store.write(accounts.first_link))
    gate = Gate(store, accounts, new_secrets())
    routers = [AuthRoutes(gate, AuthLimits(), FAST).router(), AccountRoutes(gate).router()]
    client.use(make_app("test", gate, routers, {}))
    with client:
        house = House(client, gate, first, clock)
        house.come("owner")
        yield house
        client.run(store.close())


# --- links


def test_nobody_is_there_at_first_and_nobody_registers_alone(house: House) -> None:
    for path in ("/api/auth/enter", "/api/auth/login"):
        body = {"token": "guess"} if path.endswith("enter") else {"login": "admin", "password": "admin"}
        assert house.client.post(path, json=body).status_code in (401, 403)
    assert [one["role"] for one in house.call("owner", "GET", "/api/accounts").json()] == ["owner"]


def test_the_first_link_works_once(house: House) -> None:
    answer = house.enter(house.first)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "link")


def test_there_is_no_first_link_where_there_is_an_owner(house: House) -> None:
    write = house.gate.database.write
    assert house.client.run(write(house.gate.accounts.first_link)) is None


def test_an_invitation_for_two_lets_two_in(house: House) -> None:
    made = house.call("owner", "POST", "/api/invitations", json={"uses": 2}).json()
    assert [house.enter(made["token"]).status_code for _ in range(3)] == [200, 200, 403]


def test_links_expire_and_can_be_withdrawn(house: House) -> None:
    late, gone = (house.call("owner", "POST", "/api/invitations", json={}).json() for _ in range(2))
    path = f"/api/invitations/{gone['id']}/withdraw"
    assert [house.call("owner", "POST", path).status_code for _ in range(2)] == [200, 404]
    assert house.enter(gone["token"]).status_code == 403
    assert [one["id"] for one in house.call("owner", "GET", "/api/invitations").json()] == [late["id"]]
    house.clock[0] += 8 * 24 * HOUR
    assert house.enter(late["token"]).status_code == 403


def test_all_bad_links_are_refused_with_one_text(house: House) -> None:
    used = house.call("owner", "POST", "/api/invitations", json={}).json()["token"]
    house.enter(used)
    texts = {house.enter(token).text for token in (used, "unknown", house.first)}
    assert len(texts) == 1


def test_no_token_is_stored(house: House, tmp_path: Path) -> None:
    made = house.call("owner", "POST", "/api/invitations", json={}).json()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("c.db*"))
    for token in (house.first, house.tokens["owner"], made["token"]):
        assert token.encode() not in stored


# --- sessions


def test_a_session_ends_when_it_is_not_used(house: House) -> None:
    assert house.call("owner", "GET", "/api/auth/me").json()["role"] == "owner"
    house.clock[0] += 25 * HOUR
    answer = house.call("owner", "GET", "/api/auth/me")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not-signed-in")


def test_a_session_in_use_goes_on_but_not_for_ever(house: House) -> None:
    hours = 0
    while house.call("owner", "GET", "/api/auth/me").status_code == 200:
        house.clock[0] += 10 * HOUR
        hours += 10
    assert 30 * 24 <= hours <= 30 * 24 + 30


def test_signing_out_ends_the_session_at_once(house: House) -> None:
    assert house.call("owner", "POST", "/api/auth/logout").status_code == 200
    assert house.call("owner", "GET", "/api/auth/me").status_code == 401


def test_a_browser_gets_a_cookie_that_no_script_reads(house: House) -> None:
    token = house.call("owner", "POST", "/api/invitations", json={}).json()["token"]
    answer = house.client.post("/api/auth/enter", json={"token": token, "display": "Bob"})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "token" not in answer.json()


def test_a_change_by_cookie_needs_the_token_and_no_change_is_a_get(house: House) -> None:
    token = house.call("owner", "POST", "/api/invitations", json={}).json()["token"]
    about = house.client.post("/api/auth/enter", json={"token": token}).json()
    assert house.client.get("/api/auth/me").json()["csrf"] == about["csrf"]
    assert house.client.post("/api/auth/logout").json()["error"]["code"] == "csrf"
    wrong = {HEADER: about["csrf"][::-1]}
    assert house.client.post("/api/auth/logout", headers=wrong).status_code == 403
    right = {HEADER: about["csrf"]}
    foreign = {**right, "Origin": "http://evil.example"}
    assert house.client.post("/api/auth/logout", headers=foreign).json()["error"]["code"] == "cross-site"
    assert house.client.get("/api/auth/logout", headers=right).status_code == 405
    assert house.client.post("/api/auth/logout", headers=right).status_code == 200
    assert house.client.get("/api/auth/me").status_code == 401


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(house: House) -> None:
    house.gate.public_origin = "https://label.example"
    token = house.call("owner", "POST", "/api/invitations", json={}).json()["token"]
    cookie = house.client.post("/api/auth/enter", json={"token": token}).headers["set-cookie"]
    assert cookie.startswith("__Host-amidst=")
    assert "secure" in cookie.lower()
    assert "path=/" in cookie.lower()


# --- passwords


def choose(house: House, name: str, login: str, password: str = PASSWORD, current: str = "") -> int:
    body = {"login": login, "password": password, "current": current}
    return int(house.call(name, "POST", "/api/auth/password", json=body).status_code)


def login(house: House, name: str, password: str = PASSWORD) -> Any:
    return house.client.post("/api/auth/login", json={"login": name, "password": password, "bearer": True})


def test_a_password_lets_in_from_elsewhere(house: House) -> None:
    assert choose(house, "owner", "Ann@Example.org") == 200
    assert login(house, " ann@example.org ").json()["role"] == "owner"
    assert login(house, "ann@example.org", "wrong password").status_code == 401


def test_the_old_password_is_asked_for_and_the_old_sessions_end(house: House) -> None:
    assert choose(house, "owner", "ann") == 200
    elsewhere = login(house, "ann").json()["token"]
    assert choose(house, "owner", "ann", "another password") == 403
    assert choose(house, "owner", "ann", "another password", PASSWORD) == 200
    house.tokens["elsewhere"] = elsewhere
    assert house.call("elsewhere", "GET", "/api/auth/me").status_code == 401
    assert house.call("owner", "GET", "/api/auth/me").status_code == 200
    assert [login(house, "ann", word).status_code for word in (PASSWORD, "another password")] == [401, 200]


def test_short_passwords_and_taken_names_are_refused(house: House) -> None:
    house.come("bob")
    assert choose(house, "owner", "ann", "short") == 422
    assert choose(house, "owner", "ann") == 200
    assert choose(house, "bob", "ANN") == 409
    assert choose(house, "bob", "bob") == 200


def test_unknown_names_and_wrong_passwords_answer_alike(house: House) -> None:
    choose(house, "owner", "ann")
    assert login(house, "ann", "wrong password").text == login(house, "nobody", "wrong password").text


def test_five_logins_a_minute_for_an_account_and_twenty_for_an_address(house: House) -> None:
    choose(house, "owner", "ann")
    assert [login(house, "ann", "wrong password").status_code for _ in range(6)] == [401] * 5 + [429]
    refused = login(house, "ann")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "12")
    assert {login(house, f"name {n}").status_code for n in range(13)} == {401}
    assert login(house, "name 14").status_code == 429
    house.clock[0] += 60 * MICRO
    assert login(house, "ann").status_code == 200


def test_twenty_links_a_minute_for_an_address(house: House) -> None:
    tries = [house.enter("guess").status_code for _ in range(25)]
    assert tries.count(403) == 19  # the owner's own entry was the twentieth
    assert tries[-1] == 429


# --- roles


@pytest.mark.parametrize("role", ["owner", "manager"])
def test_a_manager_cannot_raise_anyone_to_manager(house: House, role: str) -> None:
    house.come("boss", "manager")
    worker, boss = house.come("worker"), house.call("boss", "GET", "/api/auth/me").json()["account"]
    for account in (worker, boss, 1):
        path = f"/api/accounts/{account}/role"
        assert house.call("boss", "POST", path, json={"role": role}).status_code == 403
    assert house.call("boss", "POST", "/api/invitations", json={"role": role}).status_code == 403


@pytest.mark.parametrize("action", ["link", "sign-out"])
def test_a_manager_cannot_get_into_an_owners_account(house: House, action: str) -> None:
    house.come("boss", "manager")
    assert house.call("boss", "POST", f"/api/accounts/1/{action}").status_code == 403


def test_a_link_lets_the_same_account_in_again(house: House) -> None:
    worker = house.come("worker")
    made = house.call("owner", "POST", f"/api/accounts/{worker}/link")
    assert made.status_code == 201
    assert house.enter(made.json()["token"], "another name").json()["account"] == worker
    assert house.enter(made.json()["token"]).status_code == 403


def test_a_link_says_whom_it_lets_in_again_and_only_to_who_has_it(house: House) -> None:
    def ask(token: str) -> Any:
        return house.client.post("/api/auth/link", json={"token": token})

    worker = house.come("worker")
    back = house.call("owner", "POST", f"/api/accounts/{worker}/link").json()["token"]
    new = house.call("owner", "POST", "/api/invitations", json={}).json()["token"]
    assert ask(new).json() == {"display": None}
    for _ in range(2):  # looking uses nothing up
        assert ask(back).json() == {"display": "worker"}
    assert house.enter(back).json()["account"] == worker
    used, guessed = ask(back), ask(back[::-1])
    assert (used.status_code, guessed.status_code) == (403, 403)
    assert used.json() == guessed.json()
    assert [ask(new).status_code for _ in range(20)][-1] == 429


def test_a_new_role_holds_at_once(house: House) -> None:
    worker = house.come("worker")
    assert house.call("worker", "GET", "/api/accounts").status_code == 403
    path = f"/api/accounts/{worker}/role"
    assert house.call("owner", "POST", path, json={"role": "manager"}).status_code == 200
    assert house.call("worker", "GET", "/api/accounts").status_code == 200


def test_the_last_owner_stays(house: House) -> None:
    path = "/api/accounts/1/role"
    assert house.call("owner", "POST", path, json={"role": "worker"}).status_code == 409
    second = house.come("second", "owner")
    assert house.call("owner", "POST", path, json={"role": "worker"}).status_code == 200
    assert house.call("second", "GET", "/api/auth/me").json()["account"] == second


def test_signing_someone_out_ends_all_their_sessions(house: House) -> None:
    worker = house.come("worker")
    assert house.call("owner", "POST", f"/api/accounts/{worker}/sign-out").status_code == 200
    assert house.call("worker", "GET", "/api/auth/me").status_code == 401


def test_unknown_accounts_are_404(house: House) -> None:
    for method, path, body in [
        ("POST", "/api/accounts/99/role", {"role": "worker"}),
        ("POST", "/api/accounts/99/link", None),
        ("POST", "/api/invitations/99/withdraw", None),
    ]:
        assert house.call("owner", method, path, json=body).status_code == 404


def test_the_audit_tells_who_did_what(house: House) -> None:
    worker = house.come("worker")
    house.call("owner", "POST", f"/api/accounts/{worker}/role", json={"role": "expert"})
    rows = house.call("owner", "GET", "/api/audit").json()
    last = rows[0]
    assert (last["who"], last["action"], last["subject"]) == (1, "account.role", str(worker))
    assert last["details"] == {"before": "worker", "after": "expert"}
    assert house.call("owner", "GET", f"/api/audit?before={last['id']}").json() == rows[1:]
