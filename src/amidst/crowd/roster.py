"""Everybody who has worked, in figures: how much, how fast, how right, and what speaks against them.

Counts whole tables and takes a second or more in a large campaign: callers keep the result for a while.

Source: section 2.4.4 and Fig. 2.4 of the thesis; the flags are those of `quality` and `reputation`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from amidst.crowd.bodies import Wire
from amidst.crowd.context import read_campaign
from amidst.crowd.labels import Labelled, read_labels
from amidst.crowd.quality import Agreement, RejectionLine, UnionCurve, reject_poor, union_curve
from amidst.crowd.reputation import VoidProposal, propose_voiding, reputation, speed_floor
from amidst.crowd.schema import answer, gold_result, orphan_answer, worker
from amidst.crowd.schema_chain import segmentation
from amidst.errors import DataError

EXPERT_ANSWERS = 2000  # of a stage, from which its speed floor is taken
TOO_FAST = 0.2  # share of answers below the floor from which a worker is flagged


class StageFigures(Wire, frozen=True):
    """One worker in one stage. seconds: mean active time of an answer. too_fast: answers below the floor.

    right, wrong: of known items at the first try; low, high: bounds of the share of right ones (95 %).
    """

    answers: int = 0
    voided: int = 0
    seconds: float = 0.0
    too_fast: int = 0
    right: int = 0
    wrong: int = 0
    low: float = 0.0
    high: float = 1.0
    changed: bool = False


class RosterRow(Wire, frozen=True):
    """One worker. pace: time taken, over what all workers take for the same answers. precision, recall: of
    the names given in labelling, against everybody else's; None where there is nothing to share.
    """

    id: int
    display: str
    state: str
    expert: bool
    note: str
    answers: int
    voided: int
    late: int
    hours: float
    pace: float | None
    gold: float | None
    precision: float | None
    recall: float | None
    images: int
    accepted: int
    discarded: int
    last_at: int | None
    flags: tuple[str, ...]
    stages: dict[str, StageFigures]


@dataclass(frozen=True)
class Roster:
    """rows: in order of id. whole: figures of labelling rest on all answers, not on the latest alone. line:
    by which `below_line` was drawn.
    """

    rows: tuple[RosterRow, ...]
    agreement: tuple[Agreement, ...]
    below_line: tuple[int, ...]
    proposals: tuple[VoidProposal, ...]
    union: UnionCurve | None
    whole: bool
    line: RejectionLine


@dataclass(frozen=True, slots=True)
class _Work:
    answers: int
    voided: int
    ms: int
    last_at: int


def read_roster(connection: Connection, line: RejectionLine | None = None) -> Roster:
    """Everybody's figures in one transaction. line: in place of the campaign's, to try another."""
    line = line or read_campaign(connection).config.rejection
    labelled = read_labels(connection)
    below, agreement = reject_poor(labelled.everyone, line)
    drawers, discarded = _read_masks(connection)
    proposals = propose_voiding(drawers, discarded)
    work = _work(connection)
    stages = _stage_figures(connection, work)
    by_worker = select(orphan_answer.c.worker_id, func.count()).group_by(orphan_answer.c.worker_id)
    late: dict[int, int] = {row[0]: row[1] for row in connection.execute(by_worker)}
    accepted = _count([w for w, bad in zip(drawers, discarded, strict=True) if not bad])
    thrown = _count([w for w, bad in zip(drawers, discarded, strict=True) if bad])
    agree = {one.worker: one for one in agreement}
    typical = _typical(work)
    rows = []
    for person in connection.execute(select(worker).order_by(worker.c.id)):
        own, figures, labels = work.get(person.id, {}), stages.get(person.id, {}), agree.get(person.id)
        seen = sum(one.right + one.wrong for one in figures.values())
        flags = _flags(figures, person.id in below, any(one.worker == person.id for one in proposals))
        rows.append(
            RosterRow(
                id=person.id,
                display=person.display,
                state=person.state,
                expert=person.expert,
                note=person.note,
                answers=sum(one.answers for one in own.values()),
                voided=sum(one.voided for one in own.values()),
                late=late.get(person.id, 0),
                hours=sum(one.ms for one in own.values()) / 3.6e6,
                pace=_pace(own, typical),
                gold=sum(one.right for one in figures.values()) / seen if seen else None,
                precision=labels.precision if labels else None,
                recall=labels.recall if labels else None,
                images=labels.jobs if labels else 0,
                accepted=accepted.get(person.id, 0),
                discarded=thrown.get(person.id, 0),
                last_at=max((one.last_at for one in own.values()), default=None),
                flags=flags,
                stages=figures,
            )
        )
    return Roster(tuple(rows), agreement, below, proposals, _union(labelled), labelled.whole, line)


def _flags(figures: Mapping[str, StageFigures], below: bool, proposed: bool) -> tuple[str, ...]:
    flags = []
    if below:
        flags.append("below the line")
    if proposed:
        flags.append("masks discarded")
    if any(one.too_fast > TOO_FAST * one.answers for one in figures.values()):
        flags.append("too fast")
    if any(one.changed for one in figures.values()):
        flags.append("sudden change")
    return tuple(flags)


def _work(connection: Connection) -> dict[int, dict[str, _Work]]:
    found: defaultdict[int, dict[str, _Work]] = defaultdict(dict)
    rows = connection.execute(
        select(
            answer.c.worker_id,
            answer.c.stage,
            func.count(),
            func.sum(case((answer.c.voided_by.is_not(None), 1), else_=0)),
            func.sum(answer.c.ms_active),
            func.max(answer.c.created_at),
        )
        .where(answer.c.status == "accepted")
        .group_by(answer.c.worker_id, answer.c.stage)
    )
    for row in rows:
        found[row[0]][row[1]] = _Work(row[2], int(row[3]), int(row[4]), row[5])
    return dict(found)


def _typical(work: Mapping[int, Mapping[str, _Work]]) -> dict[str, float]:
    """Mean milliseconds of an answer of each stage, over all workers."""
    number: defaultdict[str, int] = defaultdict(int)
    total: defaultdict[str, int] = defaultdict(int)
    for own in work.values():
        for stage, one in own.items():
            number[stage] += one.answers
            total[stage] += one.ms
    return {stage: total[stage] / number[stage] for stage in number}


def _pace(own: Mapping[str, _Work], typical: Mapping[str, float]) -> float | None:
    expected = sum(one.answers * typical[stage] for stage, one in own.items())
    return sum(one.ms for one in own.values()) / expected if expected else None


def _stage_figures(
    connection: Connection, work: Mapping[int, Mapping[str, _Work]]
) -> dict[int, dict[str, StageFigures]]:
    """By worker and stage; known items of answers that are void still count, for they speak of the worker."""
    history: defaultdict[tuple[int, str], list[bool]] = defaultdict(list)
    for row in connection.execute(
        select(answer.c.worker_id, answer.c.stage, gold_result.c.correct)
        .join(answer, answer.c.id == gold_result.c.answer_id)
        .where(gold_result.c.try_no == 1)
        .order_by(gold_result.c.id)
    ):
        history[row[0], row[1]].append(bool(row[2]))
    fast = _too_fast(connection)
    found: defaultdict[int, dict[str, StageFigures]] = defaultdict(dict)
    for worker_id, stage in sorted({*history, *((w, s) for w, own in work.items() for s in own)}):
        own, known = work.get(worker_id, {}).get(stage), reputation(history[worker_id, stage])
        found[worker_id][stage] = StageFigures(
            answers=own.answers if own else 0,
            voided=own.voided if own else 0,
            seconds=own.ms / 1000 / own.answers if own else 0.0,
            too_fast=fast.get((worker_id, stage), 0),
            right=known.right,
            wrong=known.wrong,
            low=known.low,
            high=known.high,
            changed=known.changed,
        )
    return dict(found)


def _too_fast(connection: Connection) -> dict[tuple[int, str], int]:
    """Answers below the floor of their stage, where experts have set one."""
    experts = [row[0] for row in connection.execute(select(worker.c.id).where(worker.c.expert))]
    stages = [
        row[0]
        for row in connection.execute(
            select(answer.c.stage).where(answer.c.worker_id.in_(experts)).distinct()
        )
    ]
    found: dict[tuple[int, str], int] = {}
    for stage in stages:
        times = connection.execute(
            select(answer.c.ms_active)
            .where(answer.c.worker_id.in_(experts), answer.c.stage == stage, answer.c.status == "accepted")
            .limit(EXPERT_ANSWERS)
        )
        floor_ms = 1000 * speed_floor([row[0] / 1000 for row in times])
        rows = connection.execute(
            select(answer.c.worker_id, func.count())
            .where(answer.c.stage == stage, answer.c.status == "accepted", answer.c.ms_active < floor_ms)
            .group_by(answer.c.worker_id)
        )
        found.update({(row[0], stage): row[1] for row in rows})
    return found


def _read_masks(connection: Connection) -> tuple[list[int], list[bool]]:
    """Drawer and fate of every decided mask."""
    rows = connection.execute(
        select(answer.c.worker_id, segmentation.c.state)
        .join(answer, answer.c.id == segmentation.c.answer_id)
        .where(segmentation.c.state.in_(("accepted", "discarded")))
    ).all()
    return [row[0] for row in rows], [row[1] == "discarded" for row in rows]


def _union(labelled: Labelled) -> UnionCurve | None:
    """Fig. 2.4 (a); None where experts have named nothing that others could be held against."""
    try:
        return union_curve(labelled.of_crowd, labelled.of_experts)
    except DataError:
        return None


def _count(ids: list[int]) -> dict[int, int]:
    counted: defaultdict[int, int] = defaultdict(int)
    for one in ids:
        counted[one] += 1
    return dict(counted)
