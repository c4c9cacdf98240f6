"""The campaign's configuration, read again every few seconds: another process may have changed it."""

from __future__ import annotations

from amidst.apps.server.limits import MICRO, Clock
from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig
from amidst.crowd.store import Store

REMEMBERED_S = 5


class Settings:
    """The configuration as it was at most `REMEMBERED_S` ago, and at once after a change made here."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._known: CampaignConfig | None = None
        self._until = 0

    async def get(self) -> CampaignConfig:
        """The configuration."""
        now = self._clock()
        if self._known is None or now >= self._until:
            self._known = await engine.campaign_config(self._store)
            self._until = now + REMEMBERED_S * MICRO
        return self._known

    async def change(self, config: CampaignConfig) -> None:
        """Put another one in force."""
        await engine.change_config(self._store, config, self._clock())
        self._known = None
