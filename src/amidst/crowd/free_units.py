"""Which units wait, and which of them a worker may judge.

The search follows a partial index of the free units and remembers, for each worker and stage, how far it
came; it goes round. One call looks at a bounded number of units, so that a worker who has done thousands of
still open ones is served as quickly as a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Integer,
    Select,
    bindparam,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    union_all,
)

from amidst.crowd.config import STAGES, Stage
from amidst.crowd.context import Worker
from amidst.crowd.schema import FREE_UNIT, LIVE_SLOT, category, position, slot, unit
from amidst.store.columns import Key

WINDOW = 256  # free units looked at by one statement
ROUNDS = 8  # windows of one call
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
    question: int


def find(
    connection: Connection, worker: Worker, stage: Stage, number: int, *, category_id: int | None = None
) -> list[Free]:
    """Up to `number` units that the worker may judge, and locked for this transaction."""
    if number <= 0:
        return []
    key = stage if category_id is None else f"{stage}/{category_id}"
    search, window = _SEARCH[category_id is not None, worker.expert]
    values = {"stage": stage, "worker": worker.id, "category": category_id, "key": key, "after": None}
    found: dict[int, Free] = {}
    start, reached, wrapped = -1, 0, False
    for _ in range(ROUNDS):
        rows = connection.execute(search, {**values, "number": number - len(found)}).all()
        found |= {row.id: Free(*row[:-1]) for row in rows}
        full = len(found) >= number
        begin, end = (rows[-1].start, rows[-1].id) if full else connection.execute(window, values).one()
        start, reached = begin if start < 0 else start, end or 0
        wrapped = wrapped or begin == 0
        if full or (end is None and wrapped):
            break
        wrapped, values["after"] = wrapped or end is None, reached
    if not start <= reached <= start + STRIDE:
        connection.execute(_REMEMBER, {"worker": worker.id, "key": key, "unit": reached})
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


_REMEMBER = text(
    "INSERT INTO position (worker_id, stage, unit_id) VALUES (:worker, :key, :unit) "
    "ON CONFLICT (worker_id, stage) DO UPDATE SET unit_id = excluded.unit_id"
)


_WINDOW = literal_column(str(WINDOW), Integer)


def _statements(by_category: bool, expert: bool) -> tuple[Executable, Executable]:
    """The search in one window of free units; and the last unit of that window. Both say where it begins:
    after the unit that is named, or else where the worker has come to.

    A window is cut out of the index of free units: a range of ids would be read with all that is decided
    in it. Limits are written into the statements, so that PostgreSQL can keep one plan of each.
    """
    came_to = select(position.c.unit_id).where(
        position.c.worker_id == bindparam("worker"), position.c.stage == bindparam("key")
    )
    start = func.coalesce(bindparam("after", type_=Key), came_to.scalar_subquery(), 0)
    here: list[Any] = [text(FREE_UNIT), unit.c.stage == bindparam("stage"), unit.c.id > start]
    if by_category:
        here.append(unit.c.category_id == bindparam("category"))
    window = select(unit.c.id).where(*here).order_by(unit.c.id).limit(_WINDOW).subquery("lot")
    done = exists().where(
        slot.c.unit_id == unit.c.id, slot.c.worker_id == bindparam("worker"), text(LIVE_SLOT)
    )
    search = (
        select(*(unit.c[field.name] for field in fields(Free)), start.label("start"))
        .join_from(window, unit, unit.c.id == window.c.id)
        .where(text(FREE_UNIT))
        .where(or_(unit.c.author_id.is_(None), unit.c.author_id != bindparam("worker")))
        .where(true() if expert else unit.c.expert_only == false(), ~done)
        .order_by(window.c.id)
        .limit(bindparam("number", type_=Integer, literal_execute=True))
        .with_for_update(skip_locked=True, of=unit)
    )
    end = select(start.label("start"), func.max(window.c.id).label("end"))
    return search, end


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
