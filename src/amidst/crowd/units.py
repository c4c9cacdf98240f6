"""Units and slots: making them, finding free ones for a worker, taking and freeing places.

The search follows a partial index of the free units and remembers, for each worker and stage, how far it
came; it goes round. One call looks at a bounded number of units, so that a worker who has done thousands of
still open ones is served as quickly as a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    true,
    union_all,
    update,
)

from amidst.crowd.config import STAGES, Stage
from amidst.crowd.context import Worker
from amidst.crowd.schema import FREE_UNIT, LIVE_SLOT, category, position, slot, unit

WINDOW = 256  # free units looked at by one statement
ROUNDS = 8  # statements of one call
UNITED = ("category_votes", "image_filter", "labelling", "spotting", "captions")
"""Stages whose units are decided by the number of their judgements."""
STRIDE = 32  # ids that a search may pass over again rather than write down where it came to


@dataclass(frozen=True, slots=True)
class Free:
    """A unit with a free place."""

    id: int
    ref_kind: str
    ref_id: int
    category_id: int | None
    created_at: int
    expert_only: bool


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


def find(
    connection: Connection, worker: Worker, stage: Stage, number: int, *, category_id: int | None = None
) -> list[Free]:
    """Up to `number` units that the worker may judge, and locked for this transaction."""
    if number <= 0:
        return []
    key = stage if category_id is None else f"{stage}/{category_id}"
    start = connection.execute(_POSITION, {"worker": worker.id, "key": key}).scalar() or 0
    search, window = _SEARCH[category_id is not None, worker.expert]
    values = {"stage": stage, "worker": worker.id, "category": category_id, "after": start}
    found: dict[int, Free] = {}
    wrapped = start == 0
    for _ in range(ROUNDS):
        rows = connection.execute(search, {**values, "number": number - len(found)})
        found |= {row[0]: Free(*row) for row in rows}
        if len(found) >= number:
            break
        end = connection.execute(window, values).scalar()
        if end is not None:
            values["after"] = end
        elif wrapped:
            break
        else:
            values["after"], wrapped = 0, True
    reached = list(found)[-1] if len(found) >= number else int(values["after"] or 0)
    if not start <= reached <= start + STRIDE:
        _remember(connection, worker.id, key, reached)
    return list(found.values())


def is_open(connection: Connection, stage: Stage, category_id: int | None = None) -> bool:
    """Whether anyone finds work at a stage, of a category if one is named."""
    free = select(unit.c.id).where(unit.c.stage == stage, text(FREE_UNIT))
    if category_id is not None:
        free = free.where(unit.c.category_id == category_id)
    return connection.execute(free.limit(1)).first() is not None


def open_stages(connection: Connection, worker: Worker) -> list[str]:
    """Stages with a free unit (which the worker may have judged already), in the order of their names."""
    return [row[0] for row in connection.execute(_STAGES[worker.expert])]


def categories_with_work(connection: Connection, stage: Stage, worker: Worker) -> set[int]:
    """Categories that have a free unit of a stage (which the worker may have judged already)."""
    return {row[0] for row in connection.execute(_CATEGORIES[worker.expert], {"stage": stage})}


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
    _add(connection, counted, "taken", -1)


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


def reopen(connection: Connection, unit_ids: Sequence[int]) -> None:
    """After judgements were taken out: what lacks some is open again. Units of masks, regions and cells
    follow from verdicts and cells; an open step of a cell is one person's again.
    """
    ids = sorted(unit_ids)
    connection.execute(
        update(unit)
        .where(unit.c.id.in_(ids), unit.c.state == "decided", unit.c.done < unit.c.needed)
        .where(unit.c.stage.in_(UNITED))
        .values(state="open")
    )
    connection.execute(
        update(unit)
        .where(unit.c.id.in_(ids), unit.c.state == "open")
        .where(unit.c.stage.in_(("segmentation", "crowd_regions")))
        .values(needed=at_least_taken(connection, unit.c.done + 1))
    )


def close_complete(connection: Connection, unit_ids: Sequence[int]) -> None:
    """After judgements came back: what has all of them is decided again."""
    connection.execute(update(unit).where(unit.c.id.in_(sorted(unit_ids)), _COMPLETE).values(state="decided"))


def close_all_complete(connection: Connection) -> None:
    """After fewer judgements are asked for: what has all of them is decided."""
    connection.execute(update(unit).where(_COMPLETE).values(state="decided"))


def revive(connection: Connection, stage: Stage, cell_id: int) -> None:
    """Undoes the cancellation of a cell's unit."""
    own = (unit.c.ref_kind == "cell") & (unit.c.ref_id == cell_id) & (unit.c.stage == stage)
    for state, lacking in (("open", unit.c.done < unit.c.needed), ("decided", unit.c.done >= unit.c.needed)):
        connection.execute(update(unit).where(own, unit.c.state == "cancelled", lacking).values(state=state))


def add_to(connection: Connection, column: str, units: dict[int, int]) -> None:
    """Adds to `taken` or `done` of units."""
    _add(connection, units, column, 1)


def _add(connection: Connection, counted: dict[int, int], column: str, sign: int) -> None:
    for amount in sorted(set(counted.values())):
        ids = sorted(unit_id for unit_id, number in counted.items() if number == amount)
        connection.execute(
            update(unit).where(unit.c.id.in_(ids)).values({column: unit.c[column] + sign * amount})
        )


def _remember(connection: Connection, worker_id: int, key: str, unit_id: int) -> None:
    connection.execute(_REMEMBER, {"worker": worker_id, "key": key, "unit": unit_id})


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


_COMPLETE = (unit.c.state == "open") & (unit.c.done >= unit.c.needed) & unit.c.stage.in_(UNITED)
_POSITION = select(position.c.unit_id).where(
    position.c.worker_id == bindparam("worker"), position.c.stage == bindparam("key")
)
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
_REMEMBER = text(
    "INSERT INTO position (worker_id, stage, unit_id) VALUES (:worker, :key, :unit) "
    "ON CONFLICT (worker_id, stage) DO UPDATE SET unit_id = excluded.unit_id"
)


def _statements(by_category: bool, expert: bool) -> tuple[Select[Any], Select[Any]]:
    """The search in one window of free units, and the last unit of that window."""
    here: list[Any] = [text(FREE_UNIT), unit.c.stage == bindparam("stage"), unit.c.id > bindparam("after")]
    if by_category:
        here.append(unit.c.category_id == bindparam("category"))
    window = select(unit.c.id).where(*here).order_by(unit.c.id).limit(WINDOW).subquery("lot")
    end = select(func.max(window.c.id)).scalar_subquery()
    done = exists().where(
        slot.c.unit_id == unit.c.id, slot.c.worker_id == bindparam("worker"), text(LIVE_SLOT)
    )
    search = (
        select(
            unit.c.id,
            unit.c.ref_kind,
            unit.c.ref_id,
            unit.c.category_id,
            unit.c.created_at,
            unit.c.expert_only,
        )
        .where(*here, unit.c.id <= end)
        .where(or_(unit.c.author_id.is_(None), unit.c.author_id != bindparam("worker")))
        .where(true() if expert else unit.c.expert_only == false(), ~done)
        .order_by(unit.c.id)
        .limit(bindparam("number"))
        .with_for_update(skip_locked=True, of=unit)
    )
    return search, select(func.max(window.c.id))


_SEARCH = {(one, expert): _statements(one, expert) for one in (False, True) for expert in (False, True)}


def _categories(expert: bool) -> Select[Any]:
    some = exists().where(
        text(FREE_UNIT), unit.c.stage == bindparam("stage"), unit.c.category_id == category.c.id
    )
    if not expert:
        some = some.where(unit.c.expert_only == false())
    return select(category.c.id).where(some)


_CATEGORIES = {expert: _categories(expert) for expert in (False, True)}


def _stages(expert: bool) -> Select[Any]:
    """One search of the index a stage: DISTINCT would read every free unit."""
    named = union_all(*(select(literal(stage).label("stage")) for stage in STAGES)).subquery("named")
    some = exists().where(text(FREE_UNIT), unit.c.stage == named.c.stage)
    if not expert:
        some = some.where(unit.c.expert_only == false())
    return select(named.c.stage).where(some).order_by(named.c.stage)


_STAGES = {expert: _stages(expert) for expert in (False, True)}
