"""Stores on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig
from amidst.crowd.store import Store, open_store

T = TypeVar("T")
SECRET = "5e" * 32


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty campaign may be made, on either database."""
    if request.param == "sqlite":
        return str(tmp_path / "campaign.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def with_store(place: str) -> Callable[..., object]:
    """with_store(play, config=...) runs `await play(store)` on a new campaign, and closes it."""

    def run(play: Callable[[Store], Awaitable[T]], config: CampaignConfig | None = None) -> T:
        async def main() -> T:
            store = await open_store(place, create=True, durable=False)  # nobody pulls the plug here
            try:
                await engine.create_campaign(store, config or CampaignConfig(), 0, secret=SECRET)
                return await play(store)
            finally:
                await store.close()

        return asyncio.run(main())

    return run
