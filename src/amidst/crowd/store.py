"""A campaign's database: `amidst.store` with the schema of `crowd/schema*.py`."""

from __future__ import annotations

from pathlib import Path

from amidst.crowd.migrations import HEAD
from amidst.store.opening import Schema, Store, open_database

__all__ = ["SCHEMA", "Store", "open_store"]

SCHEMA = Schema("campaign", "amidst crowd", "amidst.crowd:migrations", HEAD)


async def open_store(
    where: str | Path,
    *,
    create: bool = False,
    read_only: bool = False,
    durable: bool = True,
    beside: bool = False,
) -> Store:
    """The database of a campaign: see `open_database`."""
    return await open_database(
        where, SCHEMA, create=create, read_only=read_only, durable=durable, beside=beside
    )
