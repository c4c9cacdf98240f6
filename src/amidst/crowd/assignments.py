"""What platforms pay for: who came for which assignment, and when it is done.

    entered -> finished

An assignment belongs to the worker who came with it first, and finishes once: when its worker has handed in
so many answers of its stage that all his finished ones and this one are covered. No answer is paid twice.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update

from amidst.crowd import units
from amidst.crowd.adapters import Entry
from amidst.crowd.bodies import Wire
from amidst.crowd.schema import answer, ticket
from amidst.crowd.schema_people import accounts, assignment
from amidst.errors import UnknownRecord, UsageError


class Assignment(Wire, frozen=True):
    """A row. answers: accepted ones of its worker in its stage, voided ones included; they were work."""

    id: int
    provider: str
    external_id: str
    stage: str
    order_name: str
    hit: str
    worker_id: int
    entered_at: int
    finished_at: int | None
    answers: int = 0


def arrive(connection: Connection, entry: Entry, worker_id: int, now: int) -> Assignment:
    """The assignment that a worker came for, new or known. Raises UsageError if it is another's."""
    same = (assignment.c.provider == entry.provider) & (assignment.c.external_id == entry.assignment)
    known = connection.execute(select(assignment.c.id).where(same)).scalar()
    if known is None:
        row = {
            "provider": entry.provider,
            "external_id": entry.assignment,
            "stage": entry.stage,
            "order_name": entry.group,
            "hit": entry.hit,
            "worker_id": worker_id,
            "entered_at": now,
        }
        known = connection.execute(insert(assignment).returning(assignment.c.id), row).scalar_one()
    one = find(connection, int(known))
    if one.worker_id != worker_id:
        raise UsageError("this task is somebody else's")
    return one


def left(connection: Connection, worker_id: int, assignment_id: int, tickets: int) -> int:
    """Answers that an assignment still lacks; 0 for a finished one. Raises UnknownRecord."""
    one = own(connection, worker_id, assignment_id)
    if one.finished_at is not None:
        return 0
    finished = connection.execute(
        select(func.count())
        .select_from(assignment)
        .where(assignment.c.worker_id == worker_id, assignment.c.stage == one.stage)
        .where(assignment.c.finished_at.is_not(None))
    ).scalar_one()
    return max(0, tickets * (finished + 1) - one.answers)


def finish(connection: Connection, worker_id: int, assignment_id: int, now: int) -> None:
    """Notes that an assignment is done, and gives back what its worker still holds of its stage."""
    one = own(connection, worker_id, assignment_id)
    if one.finished_at is not None:
        return
    connection.execute(update(assignment).where(assignment.c.id == assignment_id).values(finished_at=now))
    held = (ticket.c.worker_id == worker_id) & (ticket.c.state == "leased")
    held &= ticket.c.stage.in_(_stages(one.stage))
    rows = connection.execute(update(ticket).where(held).values(state="released").returning(ticket.c.id))
    units.free(connection, [row[0] for row in rows], "released")


def own(connection: Connection, worker_id: int, assignment_id: int) -> Assignment:
    """A worker's assignment, locked. Raises UnknownRecord."""
    mine = (assignment.c.id == assignment_id) & (assignment.c.worker_id == worker_id)
    row = connection.execute(select(assignment).where(mine).with_for_update()).first()
    if row is None:
        raise UnknownRecord(f"there is no assignment {assignment_id} of yours")
    return Assignment(**row._mapping, answers=_answers(connection, worker_id, row.stage))


def find(connection: Connection, assignment_id: int) -> Assignment:
    """An assignment. Raises UnknownRecord."""
    row = connection.execute(select(assignment).where(assignment.c.id == assignment_id)).first()
    if row is None:
        raise UnknownRecord(f"there is no assignment {assignment_id}")
    return Assignment(**row._mapping, answers=_answers(connection, row.worker_id, row.stage))


def person(connection: Connection, one: Assignment) -> str:
    """The hash that is kept of the platform's name of an assignment's worker."""
    identity = accounts.identity
    own = (identity.c.worker_id == one.worker_id) & (identity.c.provider == one.provider)
    return str(connection.execute(select(identity.c.external_id_hash).where(own)).scalar_one())


def page(connection: Connection, after: int, limit: int) -> list[Assignment]:
    """Assignments with an id above `after`, in order."""
    rows = connection.execute(
        select(assignment).where(assignment.c.id > after).order_by(assignment.c.id).limit(limit)
    ).all()
    return [
        Assignment(**row._mapping, answers=_answers(connection, row.worker_id, row.stage)) for row in rows
    ]


def _answers(connection: Connection, worker_id: int, stage: str) -> int:
    done = (answer.c.worker_id == worker_id) & answer.c.stage.in_(_stages(stage))
    done &= answer.c.status == "accepted"
    return int(connection.execute(select(func.count()).select_from(answer).where(done)).scalar_one())


def _stages(stage: str) -> tuple[str, ...]:
    """Training is met on the way to segmentation, and is work too."""
    return ("segmentation", "training") if stage == "segmentation" else (stage,)
