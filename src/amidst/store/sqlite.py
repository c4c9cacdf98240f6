"""A database in one SQLite file: one process, one writing thread, many readers.

Writing transactions wait in one queue, first come first served. Those that wait together share a commit:
each runs inside a savepoint of its own, so that one that fails takes nothing with it, and all are
acknowledged after the common commit has reached the disk (WAL, synchronous=FULL). Every writing transaction
begins with BEGIN IMMEDIATE: one that reads first and then wants to write would be refused at once.

A lock file beside the database keeps a second process out; the system frees it when the first one dies. Who
writes a row or two `beside` it takes its turn by SQLite's own locks.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from amidst.errors import StoreUnavailable, UsageError

T = TypeVar("T")
Work = Callable[[Connection], T]

LARGEST_BATCH = 64  # transactions that share one commit
READERS = 2
FAULTS_OF_A_WORK = (sqlite3.IntegrityError, sqlite3.ProgrammingError)  # the others are the database's


class SqliteStore:
    """See the module. Open with `opening.open_database`."""

    def __init__(
        self, path: Path, *, read_only: bool = False, durable: bool = True, beside: bool = False
    ) -> None:
        self._path, self._read_only = path, read_only
        self._lock = None if read_only or beside else lock_file(path)
        self._writer = _engine(path, "BEGIN IMMEDIATE", durable)
        self._connection: Connection | None = None  # the writing thread's, kept: each one made costs time
        self._reader = _engine(path, "BEGIN", durable)
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._thread = threading.Thread(target=self._write_all, name="store-write", daemon=True)
        self._thread.start()
        self._closed = False

    async def write(self, work: Work[T]) -> T:
        """Runs a writing transaction; returns after its commit. Raises what `work` raises, or
        StoreUnavailable.
        """
        if self._closed:
            raise StoreUnavailable(f"{self._path} is closed")
        if self._read_only:
            raise StoreUnavailable(f"{self._path} was opened for reading")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Job(work, loop, future))
        return await future

    async def read(self, work: Work[T]) -> T:
        """Runs a transaction that reads, on a connection of its own. Raises as `write`."""
        if self._closed:
            raise StoreUnavailable(f"{self._path} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, work)

    async def close(self) -> None:
        """Lets what waits finish; frees the file."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._thread.join)
        self._threads.shutdown()
        self._writer.dispose()
        self._reader.dispose()
        if self._lock is not None:
            os.close(self._lock)

    def _read(self, work: Work[T]) -> T:
        try:
            with self._reader.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            raise self._translated(error) from error

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = [first], False
            while len(batch) < LARGEST_BATCH:
                try:
                    job = self._queue.get_nowait()
                except Empty:
                    break
                if job is None:
                    last = True
                    break
                batch.append(job)
            self._write(batch)
            if last:
                break
        if self._connection is not None:
            self._connection.close()

    def _write(self, batch: list[_Job]) -> None:
        outcomes: list[Callable[[], None]] = []
        try:
            self._connection = self._connection or self._writer.connect()
            with self._connection.begin():
                outcomes.extend(_outcome(self._connection, job) for job in batch)
        except (DBAPIError, sqlite3.DatabaseError) as error:  # nothing of the batch was written
            if self._connection is not None:
                self._connection.invalidate()  # one that is made anew sees a repaired disk
                self._connection.close()
            self._connection = None
            failure = self._translated(error)
            outcomes = [_raiser(job, failure) for job in batch]
        except BaseException as error:
            outcomes = [_raiser(job, error) for job in batch]
        for loop in {job.loop for job in batch}:
            told = [tell for job, tell in zip(batch, outcomes, strict=True) if job.loop is loop]
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_tell, told)  # once for all: each call costs a change of thread

    def _translated(self, error: DBAPIError | sqlite3.DatabaseError) -> Exception:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, FAULTS_OF_A_WORK):
            return StoreUnavailable(f"{self._path}: {cause}; nothing was written, try again")
        return error


@dataclass(frozen=True, eq=False)
class _Job:
    """A transaction and who waits for it."""

    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


def _outcome(connection: Connection, job: _Job) -> Callable[[], None]:
    """Runs one transaction of a batch. Raises DBAPIError if the whole batch is lost."""
    future = job.future
    if future.cancelled():
        return lambda: None
    # Said to the driver: SQLAlchemy's own savepoints take as long as a statement that does something.
    say: Callable[[str], object] = connection.connection.driver_connection.execute  # type: ignore[union-attr]
    say("SAVEPOINT job")
    try:
        value = job.work(connection)
    except BaseException as error:
        if isinstance(error, DBAPIError) and not isinstance(error.orig, FAULTS_OF_A_WORK):
            raise
        say("ROLLBACK TO job")
        say("RELEASE job")
        return _raiser(job, error)
    say("RELEASE job")
    return lambda: None if future.done() else future.set_result(value)


def _raiser(job: _Job, error: BaseException) -> Callable[[], None]:
    future = job.future
    return lambda: None if future.done() else future.set_exception(error)


def _tell(outcomes: list[Callable[[], None]]) -> None:
    """On the event loop of those who wait."""
    for outcome in outcomes:
        outcome()


def _engine(path: Path, begin: str, durable: bool) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 10.0})

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is said below, by ourselves
        for pragma in (
            "busy_timeout = 10000",
            "journal_mode = WAL",
            f"synchronous = {'FULL' if durable else 'OFF'}",
            "foreign_keys = ON",
            "cache_size = -65536",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine


def lock_file(path: Path) -> int:
    """An open file, locked for this process. Raises UsageError if another one has it."""
    beside = path.with_name(path.name + ".lock")
    try:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{beside}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise UsageError(
            f"{path} is in use by process {holder}; SQLite serves one process, PostgreSQL serves many"
        ) from None
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    except OSError:
        pass  # the number is for people; the lock holds without it
    return handle
