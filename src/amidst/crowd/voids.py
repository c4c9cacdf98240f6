"""Taking all work of a worker out of the decisions, and back.

A void marks answers and frees their places; everything that rested on them is decided again (`unsettled`) and
what is lacking reopens. Nothing is deleted, so a void can be reverted: answers return where their place is
still free, the others stay out as surplus. Payment is another matter. However many the answers are, marking
them is a few statements.

Source: section 2.4.4 of the thesis (all work of poor workers is discarded and done again).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from amidst.crowd import ballot, training, units, unsettled
from amidst.crowd.bodies import Wire
from amidst.crowd.context import read_both, read_campaign
from amidst.crowd.schema import answer, slot, training_attempt, unit, void, worker
from amidst.crowd.schema_chain import crowd_region, segmentation
from amidst.errors import UnknownRecord

ONE_STEP = ("segmentation", "crowd_regions")  # stages whose units are single steps of a cell
CHAIN = ("image_filter", "labelling", "spotting", "verification", *ONE_STEP)


class VoidEffect(Wire, frozen=True):
    """What a void or its reversal does. places: units that lose a judgement, or get it back; judgements: how
    many, by stage. again: how many images, cells and masks are decided again, by stage.
    """

    void_id: int
    answers: int
    places: int
    surplus: int
    again: dict[str, int]
    judgements: dict[str, int]


class VoidRecord(Wire, frozen=True):
    """A void. stage: None for all. answers: out of use by it now. reverted_at: None while it is in force."""

    id: int
    worker: int
    display: str
    stage: str | None
    reason: str
    by: str
    created_at: int
    reverted_at: int | None
    answers: int


def preview(connection: Connection, worker_id: int, stage: str | None) -> VoidEffect:
    """What a void would do; only reads. Raises UnknownRecord."""
    read_both(connection, worker_id)
    return _effect(connection, 0, select(answer.c.id).where(_in_use(worker_id, stage)), "submitted")


def apply(
    connection: Connection, worker_id: int, stage: str | None, reason: str, by: str, now: int
) -> VoidEffect:
    """Voids the accepted answers of a worker, of one stage or of all. Raises UnknownRecord."""
    read_both(connection, worker_id)
    row = {"worker_id": worker_id, "stage": stage, "reason": reason, "by": by, "created_at": now}
    void_id = connection.execute(insert(void).returning(void.c.id), row).scalar_one()
    connection.execute(update(answer).where(_in_use(worker_id, stage)).values(voided_by=void_id))
    effect = _effect(connection, void_id, _of(void_id), "submitted")
    _enlist(connection, void_id)
    counted = unit.c.id.in_(_units(void_id, "submitted"))  # one place of each: nobody judges a unit twice
    connection.execute(update(unit).where(counted).values(taken=unit.c.taken - 1, done=unit.c.done - 1))
    _move(connection, void_id, "submitted", "voided")
    units.reopen(connection, _units(void_id, "voided"))
    _settle_few(connection, effect, _gates(connection, void_id), now)
    return effect


def revert(connection: Connection, void_id: int, now: int) -> VoidEffect:
    """Brings the answers of a void back. Raises UnknownRecord if there is none that holds."""
    row = connection.execute(
        select(void.c.reverted_at, void.c.worker_id).where(void.c.id == void_id).with_for_update()
    ).first()
    if row is None or row.reverted_at is not None:
        raise UnknownRecord(f"there is no void {void_id} in force")
    connection.execute(update(void).where(void.c.id == void_id).values(reverted_at=now))
    own = unit.c.id.in_(_units(void_id, "voided"))
    connection.execute(select(unit.c.id).where(own).order_by(unit.c.id).with_for_update()).all()
    effect, gates = _effect(connection, void_id, _of(void_id), "voided"), _gates(connection, void_id)
    _enlist(connection, void_id)
    _restore(connection, void_id, row.worker_id)
    units.close_complete(connection, _units(void_id, "submitted"))
    placed = exists().where(slot.c.answer_id == answer.c.id, slot.c.state == "submitted")
    out = exists().where(slot.c.answer_id == answer.c.id, slot.c.state == "surplus") & ~placed
    own_answers = answer.c.voided_by == void_id
    back = connection.execute(update(answer).where(own_answers, ~out).values(voided_by=None)).rowcount
    _settle_few(connection, effect, gates, now)
    return VoidEffect(
        void_id=void_id,
        answers=back,
        places=effect.places,
        surplus=effect.answers - back,
        again=effect.again,
        judgements=effect.judgements,
    )


def every(connection: Connection, before: int, limit: int) -> list[VoidRecord]:
    """Voids with an id below `before`, newest first."""
    number = select(func.count()).where(answer.c.voided_by == void.c.id).scalar_subquery()
    rows = connection.execute(
        select(void, worker.c.display, number.label("answers"))
        .join(worker, worker.c.id == void.c.worker_id)
        .where(void.c.id < before)
        .order_by(void.c.id.desc())
        .limit(limit)
    )
    return [
        VoidRecord(
            id=row.id,
            worker=row.worker_id,
            display=row.display,
            stage=row.stage,
            reason=row.reason,
            by=row.by,
            created_at=row.created_at,
            reverted_at=row.reverted_at,
            answers=row.answers,
        )
        for row in rows
    ]


def _in_use(worker_id: int, stage: str | None) -> ColumnElement[bool]:
    """Answers that a void takes."""
    own = (answer.c.worker_id == worker_id) & (answer.c.status == "accepted") & answer.c.voided_by.is_(None)
    return own if stage is None else own & (answer.c.stage == stage)


def _of(void_id: int) -> Select[Any]:
    return select(answer.c.id).where(answer.c.voided_by == void_id)


def _units(void_id: int, state: str) -> Select[Any]:
    """Units of the slots in a state that belong to a void's answers."""
    return select(slot.c.unit_id).where(slot.c.answer_id.in_(_of(void_id)), slot.c.state == state)


def _move(connection: Connection, void_id: int, before: str, after: str) -> None:
    own = slot.c.answer_id.in_(_of(void_id)) & (slot.c.state == before)
    connection.execute(update(slot).where(own).values(state=after))


def _effect(connection: Connection, void_id: int, answers: Select[Any], state: str) -> VoidEffect:
    """state: of the slots that are counted."""
    judgements = connection.execute(
        select(unit.c.stage, func.count())
        .select_from(slot)
        .join(unit, unit.c.id == slot.c.unit_id)
        .where(slot.c.answer_id.in_(answers), slot.c.state == state)
        .group_by(unit.c.stage)
        .order_by(unit.c.stage)
    )
    counted = {row[0]: row[1] for row in judgements}
    again: dict[str, int] = {}
    for query in _subjects(answers):
        rows = query.subquery()
        found = connection.execute(select(rows.c.stage, func.count()).group_by(rows.c.stage))
        for stage, number in sorted((row[0], row[1]) for row in found):
            again[stage] = again.get(stage, 0) + number
    return VoidEffect(
        void_id=void_id,
        answers=connection.execute(select(func.count()).select_from(answers.subquery())).scalar_one(),
        places=sum(counted.values()),
        surplus=0,
        again=again,
        judgements=counted,
    )


def _subjects(answers: Select[Any]) -> list[Select[Any]]:
    """What rests on answers, in the order of the chain: stage, ref_kind, ref_id, once each."""
    place = case({stage: place for place, stage in enumerate(CHAIN)}, value=unit.c.stage)
    judged = (
        select(unit.c.stage, unit.c.ref_kind, unit.c.ref_id)
        .join(slot, slot.c.unit_id == unit.c.id)
        .where(slot.c.answer_id.in_(answers), unit.c.stage.in_(CHAIN))
        .group_by(unit.c.stage, unit.c.ref_kind, unit.c.ref_id)
        .order_by(place, unit.c.ref_kind, unit.c.ref_id)
    )
    made = [
        select(literal("verification").label("stage"), literal(table.name).label("ref_kind"), table.c.id)
        .where(table.c.answer_id.in_(answers))
        .order_by(table.c.id)
        for table in (segmentation, crowd_region)
    ]
    return [judged, *made]


def _enlist(connection: Connection, void_id: int) -> None:
    for query in _subjects(_of(void_id)):
        unsettled.enlist(connection, query)


def _gates(connection: Connection, void_id: int) -> list[tuple[int, int]]:
    """(worker, category) of the attempts at training."""
    gate = (training_attempt.c.worker_id, training_attempt.c.category_id)
    own = training_attempt.c.answer_id.in_(_of(void_id))
    return sorted((row[0], row[1]) for row in connection.execute(select(*gate).where(own).distinct()))


def _settle_few(connection: Connection, effect: VoidEffect, gates: list[tuple[int, int]], now: int) -> None:
    """What is no unit of many: the ballot, and a gate for each category at most."""
    campaign = read_campaign(connection)
    if "category_votes" in effect.judgements:
        ballot.settle(connection, campaign, now)
    for worker_id, category_id in gates:
        training.settle(connection, campaign, worker_id, category_id, now)


def _restore(connection: Connection, void_id: int, worker_id: int) -> None:
    """Puts slots back in use whose place is free; the others are surplus."""
    own = slot.alias("own")
    twice = exists().where(
        own.c.unit_id == slot.c.unit_id,
        own.c.worker_id == worker_id,
        text("own.state IN ('leased', 'submitted')"),  # as the index says it
    )
    step = unit.c.stage.in_(ONE_STEP)
    free = or_(step & ~_superseded(), ~step & (unit.c.taken < unit.c.needed))
    fits = (
        select(slot.c.id)
        .join(unit, unit.c.id == slot.c.unit_id)
        .where(slot.c.answer_id.in_(_of(void_id)), slot.c.state == "voided", free, ~twice)
    )
    connection.execute(update(slot).where(slot.c.id.in_(fits)).values(state="submitted"))
    connection.execute(
        update(unit)
        .where(unit.c.id.in_(_units(void_id, "submitted")))
        .values(
            taken=unit.c.taken + 1,
            done=unit.c.done + 1,
            needed=unit.c.needed + case((step, 1), else_=0),
        )
    )
    _move(connection, void_id, "voided", "surplus")


def _superseded() -> ColumnElement[bool]:
    """Whether the instance of a slot's withdrawn mask has another one now, or its cell another region."""
    own, other = segmentation.alias("own_mask"), segmentation.alias("other_mask")
    mine, region = crowd_region.alias("own_region"), crowd_region.alias("other_region")
    alive = ("pending", "accepted")
    masked = exists().where(
        own.c.answer_id == slot.c.answer_id,
        other.c.instance_id == own.c.instance_id,
        other.c.id != own.c.id,
        other.c.state.in_(alive),
    )
    painted = exists().where(
        mine.c.answer_id == slot.c.answer_id,
        region.c.cell_id == mine.c.cell_id,
        region.c.id != mine.c.id,
        region.c.state.in_(alive),
    )
    return or_(masked, painted)
