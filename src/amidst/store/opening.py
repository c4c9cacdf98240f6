"""Opening a database of one schema. The only doors to it are `read` and `write`.

    store = await open_database("campaign/campaign.db", schema)           # SQLite
    store = await open_database("postgresql://user@host/name", schema)    # PostgreSQL, for many processes
    await store.write(lambda connection: ...)

Both kinds take plain functions of a synchronous SQLAlchemy connection, so that everything is written once.

A schema's history is one numbered file per change, applied in order by Alembic: a package with `env.py` and
`versions/`. The first one is the whole schema, frozen as SQL for either database.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic.command import upgrade
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text

from amidst.errors import UsageError
from amidst.store.postgres import PostgresStore
from amidst.store.sqlite import SqliteStore

Store = SqliteStore | PostgresStore


@dataclass(frozen=True)
class Schema:
    """A kind of database.

    name: of what it holds, for messages ("campaign"). command: the group that makes it ("amidst crowd").
    migrations: where they lie, as Alembic wants it ("amidst.crowd:migrations"). head: the last of them.
    """

    name: str
    command: str
    migrations: str
    head: str


async def open_database(
    where: str | Path,
    schema: Schema,
    *,
    create: bool = False,
    read_only: bool = False,
    durable: bool = True,
    beside: bool = False,
) -> Store:
    """The database, brought to the current schema.

    where: a file, or postgresql://user:password@host:port/database. create: make the tables in a place that
    has none. read_only: an SQLite file may then be in use by another process. durable: wait for the disk at
    every commit; a simulation need not. beside: write a row or two while another process may have the SQLite
    file; what is cached there must not depend on them.

    Raises UsageError if there is none, if its schema is of a later version of amidst, or if another process
    holds the SQLite file; StoreUnavailable if it cannot be reached.
    """
    nothing_here = UsageError(f"{where}: no {schema.name} here; make one with `{schema.command} init`")
    if isinstance(where, str) and "://" in where:
        store: Store = _connect(where)
    else:
        path = Path(where)
        if not create and not path.is_file():
            raise nothing_here
        path.parent.mkdir(parents=True, exist_ok=True)
        store = SqliteStore(path, read_only=read_only, durable=durable, beside=beside)
    try:
        version = await store.read(_version)
        if version is None and not create:
            raise nothing_here
        if version != schema.head:
            if read_only or beside:
                raise UsageError(
                    f"{where}: made by another version of amidst; `{schema.command} serve` it once"
                )
            await store.write(lambda connection: _upgrade(connection, schema))
    except BaseException:
        await store.close()
        raise
    return store


async def has_tables(url: str) -> bool:
    """Whether a PostgreSQL database holds tables of amidst. Raises UsageError, StoreUnavailable."""
    store = _connect(url)
    try:
        return await store.read(_version) is not None
    finally:
        await store.close()


def _connect(url: str) -> PostgresStore:
    if not url.startswith(("postgresql://", "postgres://", "postgresql+asyncpg://")):
        raise UsageError(f"expected a file or postgresql://..., got {url.partition('://')[0]}://...")
    return PostgresStore(url.replace("postgres://", "postgresql://", 1))


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _upgrade(connection: Connection, schema: Schema) -> None:
    """Brings a database to the head within the caller's transaction.

    Raises UsageError if it was made by a later version of amidst.
    """
    config = Config()
    config.set_main_option("script_location", schema.migrations)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        upgrade(config, schema.head)
    except CommandError as error:
        raise UsageError(f"the {schema.name} was made by another version of amidst: {error}") from None
