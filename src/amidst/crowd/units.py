"""Units and slots: making them, taking and freeing places; what becomes of a unit.

`free_units` finds the ones that somebody may judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from amidst.crowd.config import Stage
from amidst.crowd.schema import FREE_UNIT, slot, unit

UNITED = ("category_votes", "image_filter", "labelling", "spotting", "captions")
"""Stages whose units are decided by the number of their judgements."""


def create(
    connection: Connection,
    stage: Stage,
    ref_kind: str,
    ref_ids: Iterable[int],
    needed: int,
    now: int,
    *,
    category_id: int | None = None,
    author_id: int | None = None,
    expert_only: bool = False,
) -> None:
    """Open units of a stage, one per referred row."""
    rows = [
        {
            "stage": stage,
            "ref_kind": ref_kind,
            "ref_id": ref_id,
            "needed": needed,
            "category_id": category_id,
            "author_id": author_id,
            "expert_only": expert_only,
            "created_at": now,
        }
        for ref_id in ref_ids
    ]
    if rows:
        connection.execute(insert(unit), rows)


def take(connection: Connection, units: Sequence[int], worker_id: int, ticket_id: int) -> None:
    """Leases a slot of each unit; `find` has locked them."""
    if not units:
        return
    connection.execute(_TAKE, {"units": units})
    connection.execute(
        _SLOTS,
        [
            {"unit_id": unit_id, "worker_id": worker_id, "ticket_id": ticket_id, "position": place}
            for place, unit_id in enumerate(units)
        ],
    )


def retake(connection: Connection, ticket_id: int, worker_id: int) -> list[int]:
    """Leases the slots of a ticket that has ended again where their places are free; the units."""
    ended = connection.execute(
        select(slot.c.id, slot.c.unit_id)
        .where(slot.c.ticket_id == ticket_id, slot.c.state.in_(("expired", "released")))
        .order_by(slot.c.unit_id)
    ).all()
    own = slot.alias("own")
    live = text("own.state IN ('leased', 'submitted')")
    got = []
    for slot_id, unit_id in ended:
        twice = exists().where(own.c.unit_id == unit_id, own.c.worker_id == worker_id, live)
        free = (
            update(unit)
            .where(unit.c.id == unit_id, text(FREE_UNIT), ~twice)
            .values(taken=unit.c.taken + 1)
            .returning(unit.c.id)
        )
        if connection.execute(free).first() is not None:
            connection.execute(update(slot).where(slot.c.id == slot_id).values(state="leased"))
            got.append(unit_id)
    return got


def free(connection: Connection, ticket_ids: Sequence[int], state: str) -> None:
    """Ends the leased slots of tickets; their places can be taken by others."""
    ended = connection.execute(
        update(slot)
        .where(slot.c.ticket_id.in_(ticket_ids), slot.c.state == "leased")
        .values(state=state)
        .returning(slot.c.unit_id)
    )
    counted: dict[int, int] = {}
    for (unit_id,) in ended:
        counted[unit_id] = counted.get(unit_id, 0) + 1
    for amount in sorted(set(counted.values())):
        ids = sorted(unit_id for unit_id, number in counted.items() if number == amount)
        connection.execute(update(unit).where(unit.c.id.in_(ids)).values(taken=unit.c.taken - amount))


def submit(connection: Connection, ticket_id: int, answer_id: int) -> dict[int, bool]:
    """Files the leased slots of a ticket under an answer; their units, and whether each has all it needs."""
    rows = connection.execute(_FILE, {"of_ticket": ticket_id, "answer": answer_id})
    units = [row[0] for row in rows]
    if not units:
        return {}
    return {row[0]: bool(row[1]) for row in connection.execute(_COUNT, {"units": units})}


def needed(connection: Connection, stage: Stage, ref_kind: str, ref_id: int) -> int | None:
    """How many judgements something should get at a stage; None where it has no unit."""
    return connection.execute(_NEEDED, {"kind": ref_kind, "ref": ref_id, "stage": stage}).scalar()


def decide(connection: Connection, unit_id: int) -> None:
    """Closes a unit: it needs no further judgement."""
    connection.execute(_DECIDE, {"one": unit_id})


def is_expert_only(connection: Connection, unit_id: int) -> bool:
    """Whether a unit waits for an expert."""
    return bool(connection.execute(select(unit.c.expert_only).where(unit.c.id == unit_id)).scalar())


def settle(connection: Connection, unit_id: int, state: str, needed: int) -> None:
    """Sets a unit's state, and how many judgements it should get, never fewer than are under way."""
    least = at_least_taken(connection, literal(needed))
    connection.execute(update(unit).where(unit.c.id == unit_id).values(state=state, needed=least))


def at_least_taken(connection: Connection, needed: ColumnElement[int]) -> ColumnElement[int]:
    """A number of judgements, never fewer than are under way."""
    most = func.max if _is_sqlite(connection) else func.greatest
    return most(unit.c.taken, needed)


def ask_another(connection: Connection, unit_id: int) -> None:
    """One more judgement than are under way."""
    connection.execute(update(unit).where(unit.c.id == unit_id).values(needed=unit.c.taken + 1))


def open_or_create(
    connection: Connection,
    stage: Stage,
    ref_id: int,
    now: int,
    *,
    category_id: int,
    expert_only: bool,
) -> None:
    """The one open unit of a cell in a drawing stage: kept, opened again after a cancellation, or new."""
    last = connection.execute(
        select(unit.c.id, unit.c.state, unit.c.expert_only)
        .where(unit.c.ref_kind == "cell", unit.c.ref_id == ref_id, unit.c.stage == stage)
        .order_by(unit.c.id.desc())
        .limit(1)
    ).first()
    if last is None or last.state == "decided":
        create(connection, stage, "cell", [ref_id], 1, now, category_id=category_id, expert_only=expert_only)
    elif last.state == "cancelled" or last.expert_only != expert_only:
        connection.execute(
            update(unit).where(unit.c.id == last.id).values(state="open", expert_only=expert_only)
        )


def cancel(connection: Connection, stages: Collection[Stage], cell_id: int) -> None:
    """Closes the open units of a cell; tickets that are out may still be submitted."""
    connection.execute(
        update(unit)
        .where(unit.c.ref_kind == "cell", unit.c.ref_id == cell_id, unit.c.stage.in_(stages))
        .where(unit.c.state == "open")
        .values(state="cancelled")
    )


def reopen(connection: Connection, unit_ids: Select[Any]) -> None:
    """After judgements were taken out: what lacks some is open again. Units of masks, regions and cells
    follow from verdicts and cells; an open step of a cell is one person's again. unit_ids: a query of them.
    """
    connection.execute(
        update(unit)
        .where(unit.c.id.in_(unit_ids), unit.c.state == "decided", unit.c.done < unit.c.needed)
        .where(unit.c.stage.in_(UNITED))
        .values(state="open")
    )
    connection.execute(
        update(unit)
        .where(unit.c.id.in_(unit_ids), unit.c.state == "open")
        .where(unit.c.stage.in_(("segmentation", "crowd_regions")))
        .values(needed=at_least_taken(connection, unit.c.done + 1))
    )


def close_complete(connection: Connection, unit_ids: Select[Any]) -> None:
    """After judgements came back: what has all of them is decided again. unit_ids: a query of them."""
    connection.execute(update(unit).where(unit.c.id.in_(unit_ids), _COMPLETE).values(state="decided"))


def close_all_complete(connection: Connection) -> None:
    """After fewer judgements are asked for: what has all of them is decided."""
    connection.execute(update(unit).where(_COMPLETE).values(state="decided"))


def revive(connection: Connection, stage: Stage, cell_id: int) -> None:
    """Undoes the cancellation of a cell's unit."""
    own = (unit.c.ref_kind == "cell") & (unit.c.ref_id == cell_id) & (unit.c.stage == stage)
    for state, lacking in (("open", unit.c.done < unit.c.needed), ("decided", unit.c.done >= unit.c.needed)):
        connection.execute(update(unit).where(own, unit.c.state == "cancelled", lacking).values(state=state))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


_COMPLETE = (unit.c.state == "open") & (unit.c.done >= unit.c.needed) & unit.c.stage.in_(UNITED)
_TAKE = update(unit).where(unit.c.id.in_(bindparam("units", expanding=True))).values(taken=unit.c.taken + 1)
_SLOTS = insert(slot)
_FILE = (
    update(slot)
    .where(slot.c.ticket_id == bindparam("of_ticket"), slot.c.state == "leased")
    .values(state="submitted", answer_id=bindparam("answer"))
    .returning(slot.c.unit_id)
)
_COUNT = (
    update(unit)
    .where(unit.c.id.in_(bindparam("units", expanding=True)))
    .values(done=unit.c.done + 1)
    .returning(unit.c.id, unit.c.done >= unit.c.needed)
)
_NEEDED = select(unit.c.needed).where(
    unit.c.ref_kind == bindparam("kind"),
    unit.c.ref_id == bindparam("ref"),
    unit.c.stage == bindparam("stage"),
)
_DECIDE = update(unit).where(unit.c.id == bindparam("one")).values(state="decided")
