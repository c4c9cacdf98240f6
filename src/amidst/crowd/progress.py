"""Where a campaign stands, stage by stage and worker by worker. Counts whole tables: not for a hot path."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Integer, Select, case, cast, func, select

from amidst.crowd import unsettled
from amidst.crowd.bodies import Wire
from amidst.crowd.config import STAGES
from amidst.crowd.context import read_campaign
from amidst.crowd.schema import answer, gold_result, image, orphan_answer, ticket, unit, worker
from amidst.crowd.schema_chain import cell, crowd_region, segmentation


class StageProgress(Wire, frozen=True):
    """units by state; judgements asked for (of units not cancelled), under way and done."""

    stage: str
    open: int
    decided: int
    cancelled: int
    needed: int
    leased: int
    done: int


class WorkerProgress(Wire, frozen=True):
    """A worker's answers by stage, those out of use, late ones, and known items taken rightly."""

    id: int
    display: str
    state: str
    answers: dict[str, int]
    voided: int
    late: int
    gold_right: int
    gold_total: int


class Progress(Wire, frozen=True):
    """The whole campaign. images, cells, masks, regions: by state. unsettled: decisions to be drawn again."""

    name: str
    state: str
    stages: tuple[StageProgress, ...]
    workers: tuple[WorkerProgress, ...]
    images: dict[str, int]
    cells: dict[str, int]
    masks: dict[str, int]
    regions: dict[str, int]
    live_tickets: int
    unsettled: int


def progress(connection: Connection) -> Progress:
    """Reads everything in one transaction."""
    campaign = read_campaign(connection)
    by_state = {
        table.name: {
            row[0]: row[1]
            for row in connection.execute(
                select(table.c.state, func.count()).group_by(table.c.state).order_by(table.c.state)
            )
        }
        for table in (image, cell, segmentation, crowd_region, ticket)
    }
    return Progress(
        name=campaign.config.name,
        state="open" if campaign.open else "paused",
        stages=_stages(connection),
        workers=_workers(connection),
        images=by_state["image"],
        cells=by_state["cell"],
        masks=by_state["segmentation"],
        regions=by_state["crowd_region"],
        live_tickets=by_state["ticket"].get("leased", 0),
        unsettled=unsettled.number(connection),
    )


def _stages(connection: Connection) -> tuple[StageProgress, ...]:
    found: defaultdict[str, dict[str, tuple[int, int, int, int]]] = defaultdict(dict)
    for row in connection.execute(
        select(
            unit.c.stage,
            unit.c.state,
            func.count(),
            func.sum(unit.c.needed),
            func.sum(unit.c.taken - unit.c.done),
            func.sum(unit.c.done),
        ).group_by(unit.c.stage, unit.c.state)
    ):
        found[row[0]][row[1]] = (row[2], int(row[3]), int(row[4]), int(row[5]))
    none = (0, 0, 0, 0)
    return tuple(
        StageProgress(
            stage=stage,
            open=found[stage].get("open", none)[0],
            decided=found[stage].get("decided", none)[0],
            cancelled=found[stage].get("cancelled", none)[0],
            needed=sum(found[stage].get(state, none)[1] for state in ("open", "decided")),
            leased=sum(numbers[2] for numbers in found[stage].values()),
            done=sum(numbers[3] for numbers in found[stage].values()),
        )
        for stage in STAGES
        if stage in found
    )


def _workers(connection: Connection) -> tuple[WorkerProgress, ...]:
    answers: defaultdict[int, dict[str, int]] = defaultdict(dict)
    voided: defaultdict[int, int] = defaultdict(int)
    rows = connection.execute(
        select(
            answer.c.worker_id,
            answer.c.stage,
            func.count(),
            func.sum(case((answer.c.voided_by.is_not(None), 1), else_=0)),
        )
        .where(answer.c.status == "accepted")
        .group_by(answer.c.worker_id, answer.c.stage)
        .order_by(answer.c.worker_id, answer.c.stage)
    )
    for row in rows:
        answers[row[0]][row[1]] = row[2]
        voided[row[0]] += int(row[3])
    by_worker = select(orphan_answer.c.worker_id, func.count()).group_by(orphan_answer.c.worker_id)
    late = _counted(connection, by_worker)
    golds = connection.execute(
        select(answer.c.worker_id, func.count(), func.sum(cast(gold_result.c.correct, Integer)))
        .join(answer, answer.c.id == gold_result.c.answer_id)
        .where(gold_result.c.try_no == 1)
        .group_by(answer.c.worker_id)
    )
    known = {row[0]: (row[1], int(row[2])) for row in golds}
    return tuple(
        WorkerProgress(
            id=row.id,
            display=row.display,
            state=row.state,
            answers=answers[row.id],
            voided=voided[row.id],
            late=late.get(row.id, 0),
            gold_right=known.get(row.id, (0, 0))[1],
            gold_total=known.get(row.id, (0, 0))[0],
        )
        for row in connection.execute(select(worker).order_by(worker.c.id))
    )


def _counted(connection: Connection, query: Select[Any]) -> dict[int, int]:
    return {row[0]: row[1] for row in connection.execute(query)}
