"""A figure that is expensive to make, made once and shown for a while to all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from amidst.apps.server.limits import MICRO, Clock

T = TypeVar("T")


class Recent(Generic[T]):
    """make: makes it. seconds: how long it is shown; who asks while it is made waits for it."""

    def __init__(self, make: Callable[[], Awaitable[T]], clock: Clock, seconds: float) -> None:
        self._make, self._clock, self._seconds = make, clock, seconds
        self._making = asyncio.Lock()
        self._known: tuple[T, int] | None = None

    async def get(self) -> tuple[T, int]:
        """The figure, and when it was made (UTC microseconds)."""
        async with self._making:
            now = self._clock()
            if self._known is None or not 0 <= now - self._known[1] < self._seconds * MICRO:
                self._known = (await self._make(), now)
            return self._known

    def forget(self) -> None:
        """Make it anew for whoever asks next; after a change that its reader must see."""
        self._known = None
