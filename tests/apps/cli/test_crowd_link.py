"""`amidst crowd link`: beside a server that has the database, by name, number or as the first manager."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli import crowd_campaigns
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.server.accounts import AccountsConfig
from amidst.apps.server.crowd.app import make_accounts
from amidst.apps.server.installation import keep_address
from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig

ACCOUNTS = make_accounts(crowd_campaigns.now, AccountsConfig())
PEOPLE = (("Olga", "owner"), ("Ann", "worker"), ("Ann", "worker"), ("Bob", "worker"))


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A campaign without pictures and people."""

    async def make() -> None:
        async with opened(Place(tmp_path), create=True) as store:
            await engine.create_campaign(store, CampaignConfig(), 0, secret="x" * 64)

    asyncio.run(make())
    return tmp_path


def test_nobody_has_entered(amidst: Callable[..., Any], campaign: Path) -> None:
    found = amidst("crowd", "link", campaign, "--public-url", "http://x")
    assert (found.code, "nobody has entered yet" in found.err) == (2, True)
    never = amidst("crowd", "link", campaign)
    assert (never.code, "not served yet" in never.err) == (2, True)


def test_who_is_let_in_again(amidst: Callable[..., Any], campaign: Path) -> None:
    """The store stays open as a server has it: its lock does not keep the link out."""
    keep_address(campaign, "http://127.0.0.1:8000")
    found: dict[str, Any] = {}
    words = {
        "first": (),
        "bob": ("--account", "Bob"),
        "number": ("--account", "2"),
        "ann": ("--account", "Ann"),
        "zoe": ("--account", "Zoe"),
    }

    async def play() -> list[int]:
        async with opened(Place(campaign)) as store:
            for name, role in PEOPLE:
                await store.write(lambda c, n=name, r=role: ACCOUNTS.create(c, n, r))  # type: ignore[misc]
            for key, given in words.items():
                found[key] = await asyncio.to_thread(amidst, "crowd", "link", campaign, *given)
            tokens = [found[key].out.strip().partition("#")[2] for key in ("first", "bob", "number")]
            return [
                await store.write(lambda c, t=token: ACCOUNTS.enter(c, t, ""))  # type: ignore[misc]
                for token in tokens
            ]

    assert asyncio.run(play()) == [1, 4, 2]
    assert found["first"].out.startswith("http://127.0.0.1:8000/enter#")
    assert "lets Bob (worker) in again" in found["bob"].err
    assert (found["ann"].code, "2 (worker), 3 (worker)" in found["ann"].err) == (2, True)
    assert (found["zoe"].code, "there are: Olga, Ann" in found["zoe"].err) == (2, True)


def test_a_closed_account_stays_out(amidst: Callable[..., Any], campaign: Path) -> None:
    async def close() -> None:
        async with opened(Place(campaign)) as store:
            await store.write(lambda c: ACCOUNTS.create(c, "Olga", "owner"))
            worker = ACCOUNTS.tables.worker
            await store.write(lambda c: c.execute(worker.update().values(state="banned")).rowcount)

    asyncio.run(close())
    found = amidst("crowd", "link", campaign, "--public-url", "http://x")
    assert (found.code, "is closed" in found.err) == (2, True)
