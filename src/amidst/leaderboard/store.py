"""A benchmark's database: `amidst.store` with the schema of this room."""

from __future__ import annotations

from pathlib import Path

from amidst.leaderboard.migrations import HEAD
from amidst.store.opening import Schema, Store, open_database

__all__ = ["SCHEMA", "Store", "open_store"]

SCHEMA = Schema("benchmark", "amidst leaderboard", "amidst.leaderboard:migrations", HEAD)


async def open_store(
    where: str | Path, *, create: bool = False, read_only: bool = False, beside: bool = False
) -> Store:
    """The database of a benchmark: see `open_database`."""
    return await open_database(where, SCHEMA, create=create, read_only=read_only, beside=beside)
