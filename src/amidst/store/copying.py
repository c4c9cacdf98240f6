"""From an SQLite file to a PostgreSQL server: every row, or none.

All rows go over in one transaction of the target, table by table and page by page: memory stays bounded, and
a copy that ends early leaves the target as empty as it was, so that it can be run again. Before the commit
each table is read back and compared with what was read from the file: the number of its rows, and the sum of
their hashes, which does not depend on an order, for the two databases sort text differently.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, MetaData, Row, Table, func, insert, literal_column, select, text

from amidst.errors import DataError, UsageError
from amidst.store.postgres import PostgresStore
from amidst.store.sqlite import SqliteStore

PAGE = 2000  # rows
_MODULUS = 2**256

Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class TableSum:
    """What a table holds. digest: the sum of its rows' SHA-256, 64 hexadecimal digits."""

    table: str
    rows: int
    digest: str


async def copy_to_postgres(
    source: SqliteStore, target: PostgresStore, metadata: MetaData, report: Callable[[str, int], None]
) -> tuple[TableSum, ...]:
    """Copy all tables into a database that has them and no row in any; what each holds now.

    report: is called with a table and the rows copied so far, of all tables. Raises UsageError for a target
    that is in use, DataError where other rows come back than were sent, StoreUnavailable.
    """
    sums, copied = [], 0
    async with target.transaction() as run:
        await run(partial(_refuse_rows, metadata=metadata))
        for table in metadata.sorted_tables:
            sent = _Sum(table.name)
            async for page in _pages(source, table):
                sent.add(page)
                await run(partial(_insert, table=table, page=page))
                copied += len(page)
                report(table.name, copied)
            found = await run(partial(table_sum, table=table))
            if found != sent.total():
                raise DataError(
                    f"{sent.rows} rows were sent, {found.rows} came back or others; nothing was kept",
                    record=f"table {table.name}",
                    rule="copy",
                )
            await run(partial(_count_on, table=table))
            sums.append(found)
    return tuple(sums)


def table_sum(connection: Connection, table: Table) -> TableSum:
    """What a table holds now, on either database."""
    total = _Sum(table.name)
    rows = connection.execute(select(table), execution_options={"yield_per": PAGE})
    for page in rows.partitions():
        total.add(page)
    return total.total()


class _Sum:
    """Rows and the sum of their hashes, so far."""

    def __init__(self, table: str) -> None:
        self.table, self.rows, self._sum = table, 0, 0
        self._encoder = msgspec.json.Encoder()

    def add(self, rows: Iterable[Row[Any]]) -> None:
        for row in rows:
            digest = hashlib.sha256(self._encoder.encode(tuple(row))).digest()
            self._sum = (self._sum + int.from_bytes(digest, "big")) % _MODULUS
            self.rows += 1

    def total(self) -> TableSum:
        return TableSum(self.table, self.rows, f"{self._sum:064x}")


def _refuse_rows(connection: Connection, metadata: MetaData) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(select(literal_column("1")).select_from(table).limit(1)).first() is not None:
            raise UsageError(f"the target holds rows already (table {table.name}); give an empty database")


async def _pages(source: SqliteStore, table: Table) -> AsyncIterator[Rows]:
    """All rows of a table of the file, each once, while nobody else writes it."""
    rowid = literal_column("rowid", Integer)
    after = 0
    while True:
        query = select(table, rowid.label("_rowid")).where(rowid > after).order_by(rowid).limit(PAGE)
        found = await source.read(lambda c, query=query: c.execute(query).all())  # type: ignore[misc]
        if not found:
            return
        after = found[-1][-1]
        yield [row[:-1] for row in found]


def _insert(connection: Connection, table: Table, page: Rows) -> None:
    names = [column.name for column in table.columns]
    connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in page])


def _count_on(connection: Connection, table: Table) -> None:
    """New rows get numbers after those that came."""
    counter = table.autoincrement_column
    if counter is not None:
        largest = connection.execute(select(func.max(counter))).scalar() or 0
        connection.execute(_SET_SEQUENCE, {"table": table.name, "column": counter.name, "next": largest + 1})


_SET_SEQUENCE = text("SELECT setval(pg_get_serial_sequence(:table, :column), :next, false)")
