"""How many answers came when."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from amidst.crowd.bodies import Wire
from amidst.crowd.schema import answer

HOUR = 3600 * 1_000_000


class ActivityHour(Wire, frozen=True):
    """at: UTC microseconds of the hour's beginning. workers: different ones."""

    at: int
    stage: str
    answers: int
    workers: int


def activity(connection: Connection, since: int) -> list[ActivityHour]:
    """Accepted answers by hour and stage, oldest first; hours without one are left out."""
    hour = (answer.c.created_at - answer.c.created_at % HOUR).label("hour")
    rows = connection.execute(
        select(hour, answer.c.stage, func.count(), func.count(answer.c.worker_id.distinct()))
        .where(answer.c.created_at >= since, answer.c.status == "accepted")
        .group_by(hour, answer.c.stage)
        .order_by(hour, answer.c.stage)
    )
    return [ActivityHour(at=row[0], stage=row[1], answers=row[2], workers=row[3]) for row in rows]
