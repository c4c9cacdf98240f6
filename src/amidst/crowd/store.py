"""Opening a campaign's database. The only doors to it are `read` and `write`.

    store = await open_store("campaign/campaign.db")           # SQLite
    store = await open_store("postgresql://user@host/name")    # PostgreSQL, the same campaign for many
    await store.write(lambda connection: ...)

Both kinds take plain functions of a synchronous SQLAlchemy connection, so that the stages are written once.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from amidst.crowd.migrations import HEAD, upgrade
from amidst.crowd.store_postgres import PostgresStore
from amidst.crowd.store_sqlite import SqliteStore
from amidst.errors import UsageError

Store = SqliteStore | PostgresStore


async def open_store(
    where: str | Path, *, create: bool = False, read_only: bool = False, durable: bool = True
) -> Store:
    """The database of a campaign, brought to the current schema.

    where: a file, or postgresql://user:password@host:port/database. create: make the tables in a place that
    has none. read_only: an SQLite file may then be in use by another process. durable: wait for the disk at
    every commit; a simulation need not. Raises UsageError if there is no campaign, if the schema is of a
    later version of amidst, or if another process holds the SQLite file; StoreUnavailable if it cannot be
    reached.
    """
    store = _connect(where, create, read_only, durable)
    try:
        version = await store.read(_version)
        if version is None and not create:
            raise UsageError(f"{where}: no campaign here; make one with `amidst crowd init`")
        if version != HEAD:
            if read_only:
                raise UsageError(f"{where}: made by another version of amidst; `amidst crowd serve` it once")
            await store.write(upgrade)
    except BaseException:
        await store.close()
        raise
    return store


def _connect(where: str | Path, create: bool, read_only: bool, durable: bool) -> Store:
    if isinstance(where, str) and "://" in where:
        if not where.startswith(("postgresql://", "postgres://", "postgresql+asyncpg://")):
            raise UsageError(f"expected a file or postgresql://..., got {where.partition('://')[0]}://...")
        return PostgresStore(where.replace("postgres://", "postgresql://", 1))
    path = Path(where)
    if not create and not path.is_file():
        raise UsageError(f"{path}: no campaign here; make one with `amidst crowd init`")
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteStore(path, read_only=read_only, durable=durable)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version
