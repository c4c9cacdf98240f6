"""One worker's work, answer by answer: what was shown, what was said, and what has become of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from amidst.crowd.bodies import Task, Wire
from amidst.crowd.config import Stage
from amidst.crowd.context import read_both
from amidst.crowd.plans import Plan, Turn
from amidst.crowd.schema import answer, gold_result, ticket, training_attempt
from amidst.crowd.schema_chain import caption, crowd_region, segmentation
from amidst.crowd.stages import WORK


class ShownAnswer(Wire, frozen=True):
    """task: as the worker saw it, with the masks that there are now. body: what the worker sent.

    status: accepted | look_again | gate_failed. void: the void that took it out, if any. fate: of the mask or
    region that was drawn: pending | accepted | discarded | withdrawn; "passed" or "missed" in training.
    known, known_right: known items of a grid and how many were taken rightly; overlap: with the truth, in
    training.
    """

    id: int
    ticket: int
    stage: Stage
    status: str
    created_at: int
    seconds: float
    void: int | None
    task: Task
    body: Any
    fate: str = ""
    known: int = 0
    known_right: int = 0
    overlap: float | None = None
    subject: str = ""


def answers_of(
    connection: Connection, worker_id: int, now: int, *, stage: Stage | None, before: int, limit: int
) -> list[ShownAnswer]:
    """Answers with an id below `before`, newest first. Raises UnknownRecord for an unknown worker."""
    campaign, worker = read_both(connection, worker_id)
    wanted = (answer.c.worker_id == worker_id) & (answer.c.id < before)
    if stage is not None:
        wanted &= answer.c.stage == stage
    rows = connection.execute(
        select(answer, ticket.c.plan_json)
        .join(ticket, ticket.c.id == answer.c.ticket_id)
        .where(wanted)
        .order_by(answer.c.id.desc())
        .limit(limit)
    ).all()
    ids = [row.id for row in rows]
    fates, known, attempts = _fates(connection, ids), _known(connection, ids), _attempts(connection, ids)
    turn = Turn(connection, campaign, worker, now)
    found = []
    for row in rows:
        subject, fate = fates.get(row.id, ("", ""))
        overlap, passed = attempts.get(row.id, (None, False))
        total, right = known.get(row.id, (0, 0))
        found.append(
            ShownAnswer(
                id=row.id,
                ticket=row.ticket_id,
                stage=row.stage,
                status=row.status,
                created_at=row.created_at,
                seconds=row.ms_active / 1000,
                void=row.voided_by,
                task=_task(turn, row),
                body=msgspec.json.decode(row.body_json),
                fate=fate if overlap is None else ("passed" if passed else "missed"),
                known=total,
                known_right=right,
                overlap=overlap,
                subject=subject,
            )
        )
    return found


def _task(turn: Turn, row: Row[Any]) -> Task:
    stage: Stage = row.stage
    return WORK[stage].task(turn, msgspec.json.decode(row.plan_json, type=Plan))


def _fates(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Subject and state of what answers have drawn or written."""
    found: dict[int, tuple[str, str]] = {}
    for name, table in (("segmentation", segmentation), ("crowd_region", crowd_region)):
        rows = connection.execute(
            select(table.c.answer_id, table.c.id, table.c.state).where(table.c.answer_id.in_(ids))
        )
        found |= {row[0]: (f"{name}/{row[1]}", row[2]) for row in rows}
    texts = connection.execute(
        select(caption.c.answer_id, caption.c.image_id).where(caption.c.answer_id.in_(ids))
    )
    return found | {row[0]: (f"image/{row[1]}", "") for row in texts}


def _known(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    rows = connection.execute(
        select(gold_result.c.answer_id, gold_result.c.correct).where(gold_result.c.answer_id.in_(ids))
    )
    for answer_id, correct in rows:
        total, right = found.get(answer_id, (0, 0))
        found[answer_id] = (total + 1, right + bool(correct))
    return found


def _attempts(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[float, bool]]:
    table = training_attempt
    rows = connection.execute(
        select(table.c.answer_id, table.c.iou, table.c.passed).where(table.c.answer_id.in_(ids))
    )
    return {row[0]: (row[1], row[2]) for row in rows}
