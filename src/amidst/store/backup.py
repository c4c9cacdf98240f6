"""Copies of an SQLite database that is in use, and putting one back.

A copy is one snapshot: it is read in a single reading transaction, which hinders nobody's writing. It gets
its name when it is whole and sound. The files beside a database (-wal, -shm) belong to it alone; another file
in its place would be mixed with them. `restore` takes them away, under the lock that a server holds.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from amidst.errors import DataError, UsageError
from amidst.store.sqlite import lock_file


def back_up(database: Path, copy: Path) -> int:
    """Copy a database, which others may write meanwhile; the bytes of the copy.

    Raises UsageError where there is no database or the copy is there already, DataError for a damaged one.
    """
    if not database.is_file():
        raise UsageError(f"{database}: no database here")
    if copy.exists():
        raise UsageError(f"{copy} is there already; a backup overwrites nothing")
    part = copy.with_name(f"{copy.name}.part")
    try:
        with closing(sqlite3.connect(_to_read(database), uri=True)) as source:
            part.unlink(missing_ok=True)
            with closing(sqlite3.connect(part)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")  # one file, without others beside it
        check_sound(part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(copy)
    except sqlite3.DatabaseError as error:
        raise DataError(f"cannot be copied: {error}", file=database, rule="database") from None
    finally:
        part.unlink(missing_ok=True)
    return copy.stat().st_size


def restore(copy: Path, database: Path, examine: Callable[[Path], None]) -> None:
    """Put a copy into the place of a database that nobody has open; the old one is kept as NAME.before.

    examine: is given the file that will be the database, and raises if it should not. Raises UsageError if a
    process has the database open, DataError for a damaged copy.
    """
    if not copy.is_file():
        raise UsageError(f"{copy}: no backup here")
    handle = lock_file(database)
    part = database.with_name(f"{database.name}.part")
    try:
        shutil.copyfile(copy, part)
        check_sound(part)
        examine(part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        if database.exists():
            with closing(sqlite3.connect(database)) as old:
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what lies beside it goes into the old file
            database.replace(database.with_name(f"{database.name}.before"))
        for beside in ("-wal", "-shm"):
            database.with_name(database.name + beside).unlink(missing_ok=True)
        part.replace(database)
    finally:
        part.unlink(missing_ok=True)
        os.close(handle)


def check_sound(database: Path) -> None:
    """Raises DataError for a file that is no sound SQLite database."""
    try:
        with closing(sqlite3.connect(_to_read(database), uri=True)) as opened:
            found = [row[0] for row in opened.execute("PRAGMA integrity_check(1)")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise DataError(f"damaged: {found[0]}", file=database, rule="database")


def _to_read(database: Path) -> str:
    return f"{database.resolve().as_uri()}?mode=ro"
