"""A database on a PostgreSQL server: any number of processes, asyncpg underneath.

Transactions are the same plain functions as on SQLite; `run_sync` lets them use the asynchronous connection.
READ COMMITTED is enough: unique indexes and fenced updates refuse what must not happen, and a transaction
that met a deadlock or a unique violation in a race is repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from amidst.errors import StoreUnavailable, UsageError

T = TypeVar("T")
Work = Callable[[Connection], T]

ATTEMPTS = 10
REPEAT = {"40001", "40P01", "23505"}  # serialization failure, deadlock, unique violation
FORBIDDEN = "42501"  # insufficient privilege
UNAVAILABLE = ("08", "53", "57", "58", "25006")  # connection, resources, operator, system, read-only


class Step(Protocol):
    """A part of a transaction."""

    async def __call__(self, fn: Callable[[Connection], T], /) -> T:
        """Runs it; what it returns."""


class PostgresStore:
    """See the module. Open with `opening.open_database`."""

    def __init__(self, url: str, *, connections: int = 8) -> None:
        try:
            address = make_url(url).set(drivername="postgresql+asyncpg")
            self._name = address.render_as_string(hide_password=True)
            self._engine = create_async_engine(
                address, pool_size=connections, max_overflow=0, pool_timeout=30, connect_args={"timeout": 10}
            )
        except (ArgumentError, ValueError, TypeError):  # not quoted: a password may stand in it
            raise UsageError("expected a database as postgresql://user:password@host:port/name") from None

    async def write(self, work: Work[T]) -> T:
        """Runs a writing transaction; returns after its commit. Raises what `work` raises, or
        StoreUnavailable.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._engine.begin() as connection:
                    return await connection.run_sync(work)
            except DBAPIError as error:
                again = error.connection_invalidated or _code(error) in REPEAT
                if not again or attempt == ATTEMPTS:
                    raise self._translated(error) from error
            except (OSError, PoolTimeout, TimeoutError) as error:
                raise StoreUnavailable(f"{self._name}: {error}; try again") from error
            await asyncio.sleep(0.002 * attempt)
        raise AssertionError("unreachable")

    async def read(self, work: Work[T]) -> T:
        """Runs a transaction that reads. Raises as `write`."""
        return await self.write(work)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Step]:
        """One transaction in several steps, `await step(work)`, which is not repeated. Raises as `write`."""
        try:
            async with self._engine.begin() as connection:
                yield connection.run_sync
        except DBAPIError as error:
            raise self._translated(error) from error
        except (OSError, PoolTimeout, TimeoutError) as error:
            raise StoreUnavailable(f"{self._name}: {error}; try again") from error

    async def close(self) -> None:
        """Returns all connections."""
        await self._engine.dispose()

    def _translated(self, error: SQLAlchemyError) -> Exception:
        if isinstance(error, DBAPIError) and (
            error.connection_invalidated or _code(error).startswith(UNAVAILABLE)
        ):
            return StoreUnavailable(f"{self._name}: {error.orig}; nothing was written, try again")
        if isinstance(error, DBAPIError) and _code(error) == FORBIDDEN:
            problem = str(error.orig).rpartition(">: ")[2]
            return UsageError(f"{self._name}: {problem}; give this user the right to it")
        return error


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or getattr(error.orig, "pgcode", "") or "")
