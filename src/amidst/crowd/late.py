"""Answers that came after their place was gone, for a manager to look at; `submits.use_late` uses one."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, exists, func, select, text

from amidst.crowd.bodies import Wire
from amidst.crowd.config import Stage
from amidst.crowd.context import read_both
from amidst.crowd.schema import FREE_UNIT, LIVE_SLOT, answer, orphan_answer, slot, ticket, unit


class LateAnswer(Wire, frozen=True):
    """body: what the worker sent. answer: what it was made into, if it was used. free: places of its ticket
    that nobody has taken since; without one it cannot be used.
    """

    id: int
    worker: int
    ticket: int
    stage: Stage
    created_at: int
    body: Any
    answer: int | None
    free: int


def late_answers(connection: Connection, worker_id: int | None, before: int, limit: int) -> list[LateAnswer]:
    """Those with an id below `before`, newest first, of one worker or of all. Raises UnknownRecord."""
    wanted = orphan_answer.c.id < before
    if worker_id is not None:
        read_both(connection, worker_id)
        wanted &= orphan_answer.c.worker_id == worker_id
    own = slot.alias("own")
    ended = (own.c.ticket_id == ticket.c.id) & own.c.state.in_(("expired", "released"))
    twice = exists().where(
        slot.c.unit_id == unit.c.id, slot.c.worker_id == ticket.c.worker_id, text(LIVE_SLOT)
    )
    free = (
        select(func.count())
        .select_from(own.join(unit, unit.c.id == own.c.unit_id))
        .where(ended, ticket.c.state.in_(("expired", "released")), text(FREE_UNIT), ~twice)
        .correlate(ticket)
        .scalar_subquery()
    )
    used = (
        select(answer.c.id)
        .where(answer.c.worker_id == orphan_answer.c.worker_id, answer.c.idem_key == orphan_answer.c.idem_key)
        .correlate(orphan_answer)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(orphan_answer, ticket.c.stage, used.label("used"), free.label("free"))
        .join(ticket, ticket.c.id == orphan_answer.c.ticket_id)
        .where(wanted)
        .order_by(orphan_answer.c.id.desc())
        .limit(limit)
    )
    return [
        LateAnswer(
            id=row.id,
            worker=row.worker_id,
            ticket=row.ticket_id,
            stage=row.stage,
            created_at=row.created_at,
            body=_body(row.body_json),
            answer=row.used,
            free=row.free,
        )
        for row in rows
    ]


def _body(body_json: str) -> Any:
    """Decoded; as text if it is no JSON, for it was kept before anybody looked."""
    try:
        return msgspec.json.decode(body_json)
    except (msgspec.DecodeError, RecursionError):
        return body_json
