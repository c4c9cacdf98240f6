"""Taking all work of a worker out of the decisions, and back.

A void marks answers and frees their places; everything that rested on them is decided again and what is
lacking reopens. Nothing is deleted, so a void can be reverted: answers return where their place is still
free, the others stay out as surplus. Payment is another matter.

Source: section 2.4.4 of the thesis (all work of poor workers is discarded and done again).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from amidst.crowd import ballot, cells, image_filter, labelling, spotting, training, units, verdicts
from amidst.crowd.bodies import Wire
from amidst.crowd.context import Campaign, read_both, read_campaign
from amidst.crowd.schema import answer, decision, slot, training_attempt, unit, void, worker
from amidst.crowd.schema_chain import crowd_region, instance, segmentation
from amidst.errors import UnknownRecord

ONE_STEP = ("segmentation", "crowd_regions")  # stages whose units are single steps of a cell


class VoidEffect(Wire, frozen=True):
    """What a void or its reversal does. places: units that lose a judgement, or get it back; judgements: how
    many, by stage. decisions: how many are drawn otherwise, by rule."""

    void_id: int
    answers: int
    places: int
    surplus: int
    decisions: dict[str, int]
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


class PreviewDone(Exception):  # noqa: N818 - carries a result out of a transaction that is undone
    """Raised to undo the transaction of a preview."""

    def __init__(self, effect: VoidEffect) -> None:
        super().__init__()
        self.effect = effect


@dataclass(frozen=True, slots=True)
class _Subjects:
    """What rests on some answers."""

    refs: tuple[tuple[str, str, int], ...]  # (stage, ref_kind, ref_id) of their units
    masks: tuple[int, ...]
    regions: tuple[int, ...]
    gates: tuple[tuple[int, int], ...]


def preview(connection: Connection, worker_id: int, stage: str | None, now: int) -> None:
    """Always raises PreviewDone with the effect, so that nothing is kept. Raises UnknownRecord."""
    raise PreviewDone(apply(connection, worker_id, stage, "preview", "", now))


def apply(
    connection: Connection, worker_id: int, stage: str | None, reason: str, by: str, now: int
) -> VoidEffect:
    """Voids the accepted answers of a worker, of one stage or of all. Raises UnknownRecord."""
    campaign, _ = read_both(connection, worker_id)
    before = _last_decision(connection)
    row = {"worker_id": worker_id, "stage": stage, "reason": reason, "by": by, "created_at": now}
    void_id = connection.execute(insert(void).returning(void.c.id), row).scalar_one()
    own = (answer.c.worker_id == worker_id) & (answer.c.status == "accepted") & answer.c.voided_by.is_(None)
    if stage is not None:
        own &= answer.c.stage == stage
    marked = connection.execute(update(answer).where(own).values(voided_by=void_id)).rowcount
    judgements = _judgements(connection, void_id, "submitted")
    freed = connection.execute(
        update(slot)
        .where(slot.c.answer_id.in_(_of(void_id)), slot.c.state == "submitted")
        .values(state="voided")
        .returning(slot.c.unit_id)
    )
    counted = dict(Counter(row[0] for row in freed))
    units.add_to(connection, "done", {unit_id: -number for unit_id, number in counted.items()})
    units.add_to(connection, "taken", {unit_id: -number for unit_id, number in counted.items()})
    units.reopen(connection, list(counted))
    _settle(connection, campaign, _subjects(connection, void_id), now)
    return VoidEffect(
        void_id=void_id,
        answers=marked,
        places=len(counted),
        surplus=0,
        decisions=_changed(connection, before),
        judgements=judgements,
    )


def revert(connection: Connection, void_id: int, now: int) -> VoidEffect:
    """Brings the answers of a void back. Raises UnknownRecord if there is none that holds."""
    row = connection.execute(
        select(void.c.reverted_at, void.c.worker_id).where(void.c.id == void_id).with_for_update()
    ).first()
    if row is None or row.reverted_at is not None:
        raise UnknownRecord(f"there is no void {void_id} in force")
    campaign = read_campaign(connection)
    before = _last_decision(connection)
    subjects = _subjects(connection, void_id)
    judgements = _judgements(connection, void_id, "voided")
    connection.execute(update(void).where(void.c.id == void_id).values(reverted_at=now))
    slots = connection.execute(
        select(slot.c.id, slot.c.unit_id, slot.c.answer_id, unit.c.stage)
        .join(unit, unit.c.id == slot.c.unit_id)
        .where(slot.c.answer_id.in_(_of(void_id)), slot.c.state == "voided")
        .order_by(slot.c.unit_id)
    ).all()
    lost: set[int] = set()
    kept: set[int] = set()
    for found in slots:
        fits = _restore(connection, found.id, found.unit_id, row.worker_id, found.answer_id, found.stage)
        (kept if fits else lost).add(found.answer_id)
    gone = lost - kept
    back = connection.execute(
        update(answer).where(answer.c.voided_by == void_id, answer.c.id.not_in(gone)).values(voided_by=None)
    ).rowcount
    units.close_complete(connection, [found.unit_id for found in slots])
    _settle(connection, campaign, subjects, now)
    return VoidEffect(
        void_id=void_id,
        answers=back,
        places=len(slots),
        surplus=len(gone),
        decisions=_changed(connection, before),
        judgements=judgements,
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


def _judgements(connection: Connection, void_id: int, state: str) -> dict[str, int]:
    """Slots of a void's answers in a state, by stage."""
    rows = connection.execute(
        select(unit.c.stage, func.count())
        .select_from(slot)
        .join(unit, unit.c.id == slot.c.unit_id)
        .where(slot.c.answer_id.in_(_of(void_id)), slot.c.state == state)
        .group_by(unit.c.stage)
        .order_by(unit.c.stage)
    )
    return {row[0]: row[1] for row in rows}


def _restore(
    connection: Connection, slot_id: int, unit_id: int, worker_id: int, answer_id: int, stage: str
) -> bool:
    """Puts a slot back in use if its place is free; else it is surplus."""
    if stage in ONE_STEP:
        free = not _superseded(connection, answer_id)
        grow = unit.c.needed + 1
    else:
        free, grow = True, unit.c.needed
    own = slot.alias("own")
    twice = select(own.c.id).where(
        own.c.unit_id == unit_id, own.c.worker_id == worker_id, own.c.state.in_(("leased", "submitted"))
    )
    if free and connection.execute(twice).first() is None:
        room = (
            unit.c.id == unit_id
            if stage in ONE_STEP
            else (unit.c.id == unit_id) & (unit.c.taken < unit.c.needed)
        )
        taken = connection.execute(
            update(unit).where(room).values(taken=unit.c.taken + 1, done=unit.c.done + 1, needed=grow)
        )
        if taken.rowcount:
            connection.execute(update(slot).where(slot.c.id == slot_id).values(state="submitted"))
            return True
    connection.execute(update(slot).where(slot.c.id == slot_id).values(state="surplus"))
    return False


def _superseded(connection: Connection, answer_id: int) -> bool:
    """Whether the instance of a withdrawn mask has another one now, or the cell another region."""
    own = segmentation.alias("own")
    other = (
        select(segmentation.c.id)
        .join(instance, instance.c.id == segmentation.c.instance_id)
        .join(own, own.c.instance_id == instance.c.id)
        .where(own.c.answer_id == answer_id, segmentation.c.id != own.c.id)
        .where(segmentation.c.state.in_(("pending", "accepted")))
    )
    mine = crowd_region.alias("mine")
    region = (
        select(crowd_region.c.id)
        .join(mine, mine.c.cell_id == crowd_region.c.cell_id)
        .where(mine.c.answer_id == answer_id, crowd_region.c.id != mine.c.id)
        .where(crowd_region.c.state.in_(("pending", "accepted")))
    )
    return any(connection.execute(query).first() is not None for query in (other, region))


def _subjects(connection: Connection, void_id: int) -> _Subjects:
    answers = _of(void_id)
    refs = connection.execute(
        select(unit.c.stage, unit.c.ref_kind, unit.c.ref_id)
        .join(slot, slot.c.unit_id == unit.c.id)
        .where(slot.c.answer_id.in_(answers))
        .distinct()
    )
    masks = connection.execute(select(segmentation.c.id).where(segmentation.c.answer_id.in_(answers)))
    regions = connection.execute(select(crowd_region.c.id).where(crowd_region.c.answer_id.in_(answers)))
    gates = connection.execute(
        select(training_attempt.c.worker_id, training_attempt.c.category_id)
        .where(training_attempt.c.answer_id.in_(answers))
        .distinct()
    )
    return _Subjects(
        refs=tuple(sorted((row[0], row[1], row[2]) for row in refs)),
        masks=tuple(sorted(row[0] for row in masks)),
        regions=tuple(sorted(row[0] for row in regions)),
        gates=tuple(sorted((row[0], row[1]) for row in gates)),
    )


def _settle(connection: Connection, campaign: Campaign, subjects: _Subjects, now: int) -> None:
    """Decides again, in the order of the chain."""
    for stage, _, ref_id in subjects.refs:
        if stage == "category_votes":
            ballot.settle(connection, campaign, now)
        elif stage == "image_filter":
            image_filter.settle(connection, campaign, ref_id, now)
    for stage, _, ref_id in subjects.refs:
        if stage == "labelling":
            labelling.settle(connection, campaign, ref_id, now)
    for stage, _, ref_id in subjects.refs:
        if stage == "spotting":
            spotting.settle(connection, campaign, ref_id, now)
    judged = [(kind, ref_id) for stage, kind, ref_id in subjects.refs if stage == "verification"]
    judged += [("segmentation", mask_id) for mask_id in subjects.masks]
    judged += [("crowd_region", region_id) for region_id in subjects.regions]
    verdicts.settle_all(connection, campaign, sorted(set(judged)), now)
    for stage, _, ref_id in subjects.refs:
        if stage in ONE_STEP:
            cells.settle(connection, campaign, ref_id, now)
    for worker_id, category_id in subjects.gates:
        training.settle(connection, campaign, worker_id, category_id, now)


def _of(void_id: int) -> Select[Any]:
    return select(answer.c.id).where(answer.c.voided_by == void_id)


def _last_decision(connection: Connection) -> int:
    return connection.execute(select(func.max(decision.c.id))).scalar() or 0


def _changed(connection: Connection, before: int) -> dict[str, int]:
    rows = connection.execute(
        select(decision.c.rule, func.count()).where(decision.c.id > before).group_by(decision.c.rule)
    )
    return {row[0]: row[1] for row in sorted(tuple(row) for row in rows)}
