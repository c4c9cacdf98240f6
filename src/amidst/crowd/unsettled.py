"""What rests on a manager's change and is still to be decided again; deciding it, a little at a time.

A change (a category retired, work voided, other numbers) is a few statements, however large the campaign, and
lists in the same transaction what rests on it. Short transactions then settle the list, in the order of
the chain: nobody who works waits for all of it. A decision is drawn from the rows as they are, so it does not
matter what others do to a subject before its turn comes, nor how often it comes. What a killed process has
left on the list, the next one settles.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, literal, select, union_all

from amidst.crowd import cells, image_filter, labelling, spotting, verdicts
from amidst.crowd.context import Campaign, read_campaign
from amidst.crowd.schema import unit, unsettled
from amidst.crowd.schema_chain import cell, crowd_region, segmentation
from amidst.crowd.store import Store

T = TypeVar("T")

AT_ONCE = 64  # subjects that one transaction looks at
SLICE_S = 0.05  # of one transaction: nobody waits much longer for it
AWAITED_S = 20.0  # that a manager waits: the server goes on with the rest
PAUSE_S = 0.01  # between two: for the processes that write one after the other
LATE = frozenset({"decision-current", "undecided", "incomplete", "cell-icon"})
"""Faults that a subject has while it waits to be settled: its rows are newer than its decision."""


def enlist(connection: Connection, subjects: Select[Any]) -> None:
    """Puts on the list what a query names: stage, ref_kind and ref_id of units, or of what has units."""
    connection.execute(insert(unsettled).from_select(["stage", "ref_kind", "ref_id"], subjects))


async def change(store: Store, work: Callable[[Connection], T], now: int) -> T:
    """Makes a change that lists what rests on it, and settles that, of a large campaign the first part."""
    made = await store.write(work)
    await settle(store, now, AWAITED_S)
    return made


async def settle(store: Store, now: int, seconds: float = math.inf) -> None:
    """Settles the list to its end, or for so many seconds. Whoever came meanwhile is served first: the queue
    of writers is fair.
    """
    end = time.monotonic() + seconds
    while await store.write(lambda c: settle_some(c, now, SLICE_S)) and time.monotonic() < end:
        await asyncio.sleep(PAUSE_S)


def settle_some(connection: Connection, now: int, seconds: float) -> bool:
    """Settles what the list begins with, for so many seconds; whether there may be more."""
    campaign = read_campaign(connection)
    end = time.monotonic() + seconds
    rows = connection.execute(_NEXT).all()
    done = []
    for row in rows:
        _settle(connection, campaign, row.stage, row.ref_kind, row.ref_id, now)
        done.append(row.id)
        if time.monotonic() >= end:
            break
    if done:
        connection.execute(delete(unsettled).where(unsettled.c.id.in_(done)))
    return len(done) < len(rows) or len(rows) == AT_ONCE


def number(connection: Connection) -> int:
    """How many subjects wait."""
    return int(connection.execute(select(func.count()).select_from(unsettled)).scalar_one())


def waiting(connection: Connection) -> set[str]:
    """What waits, with the cells of images and masks that do: "image/3", "cell/7", "segmentation/5", ..."""
    of_image = unsettled.join(cell, cell.c.image_id == unsettled.c.ref_id)
    names = [
        select(unsettled.c.ref_kind, unsettled.c.ref_id),
        select(literal("cell"), cell.c.id).select_from(of_image).where(unsettled.c.ref_kind == "image"),
        *(
            select(literal("cell"), table.c.cell_id)
            .join(unsettled, unsettled.c.ref_id == table.c.id)
            .where(unsettled.c.ref_kind == table.name)
            for table in (segmentation, crowd_region)
        ),
    ]
    return {f"{row[0]}/{row[1]}" for row in connection.execute(union_all(*names))}


def _settle(connection: Connection, campaign: Campaign, stage: str, kind: str, ref_id: int, now: int) -> None:
    """Masks, regions and cells lock themselves. Of the others the units are locked, as whoever submits does:
    what is read then is not older than what is decided.
    """
    if stage == "verification":
        verdicts.settle_all(connection, campaign, [(kind, ref_id)], now)
        return
    if stage in ("segmentation", "crowd_regions"):
        cells.settle(connection, campaign, ref_id, now)
        return
    connection.execute(_LOCK, {"stage": stage, "kind": kind, "ref": ref_id}).all()
    match stage:
        case "image_filter":
            image_filter.settle(connection, campaign, ref_id, now)
        case "labelling":
            labelling.settle(connection, campaign, ref_id, now)
        case "spotting":
            spotting.settle(connection, campaign, ref_id, now)


_NEXT = select(unsettled).order_by(unsettled.c.id).limit(AT_ONCE).with_for_update(skip_locked=True)
_LOCK = (
    select(unit.c.id)
    .where(unit.c.stage == bindparam("stage"), unit.c.ref_kind == bindparam("kind"))
    .where(unit.c.ref_id == bindparam("ref"))
    .order_by(unit.c.id)
    .with_for_update()
)
