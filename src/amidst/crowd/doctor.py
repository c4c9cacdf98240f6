"""Is everything as it has to be? Every invariant of the tables, every decision drawn again.

The doctor only reads. What it finds is either a mistake of the software or a change made by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, exists, func, or_, select, text

from amidst.crowd import unsettled
from amidst.crowd.doctor_answers import check_answers
from amidst.crowd.doctor_decisions import check_decisions
from amidst.crowd.doctor_masks import check_masks
from amidst.crowd.doctor_states import check_states
from amidst.crowd.faults import Fault
from amidst.crowd.schema import LIVE_SLOT, answer, slot, ticket, unit, void
from amidst.crowd.schema_chain import cell, segmentation


def examine(connection: Connection) -> list[Fault]:
    """All faults; empty if there is none. What a manager's change has left to be decided again is none."""
    found = [
        *_units(connection),
        *_tickets(connection),
        *_answers(connection),
        *_cells(connection),
        *check_answers(connection),
        *check_states(connection),
        *check_masks(connection),
        *check_decisions(connection),
    ]
    late = unsettled.waiting(connection) if found else set()
    return [one for one in found if not (one.rule in unsettled.LATE and _thing(one.subject) in late)]


def _thing(subject: str) -> str:
    """Kind and id: a question is of its image, points are of their cell."""
    return "/".join(subject.split("/")[:2]).replace("points/", "cell/")


def _units(connection: Connection) -> Iterator[Fault]:
    live = select(func.count()).where(slot.c.unit_id == unit.c.id, text(LIVE_SLOT)).scalar_subquery()
    done = (
        select(func.count())
        .where(slot.c.unit_id == unit.c.id, slot.c.state == "submitted", text(LIVE_SLOT))
        .scalar_subquery()
    )
    for row in connection.execute(
        select(unit.c.id, unit.c.taken, unit.c.done, unit.c.needed, live, done).where(
            or_(unit.c.taken != live, unit.c.done != done, unit.c.taken > unit.c.needed)
        )
    ):
        yield Fault(
            rule="unit-places",
            subject=f"unit/{row[0]}",
            problem=f"taken {row[1]}, done {row[2]}, needed {row[3]}; its slots say {row[4]} and {row[5]}",
        )
    union = ("category_votes", "image_filter", "labelling", "spotting", "captions")
    complete = unit.c.done >= unit.c.needed
    for found in connection.execute(
        select(unit.c.id, unit.c.state, unit.c.done, unit.c.needed).where(
            unit.c.stage.in_(union),
            or_(
                (unit.c.state == "open") & complete,
                (unit.c.state == "decided") & ~complete & (unit.c.stage != "image_filter"),
            ),
        )
    ):
        yield Fault(
            rule="unit-state",
            subject=f"unit/{found[0]}",
            problem=f"is {found[1]} with {found[2]} of {found[3]} judgements",
        )
    twice = (
        select(slot.c.unit_id, slot.c.worker_id, func.count())
        .where(text(LIVE_SLOT))
        .group_by(slot.c.unit_id, slot.c.worker_id)
        .having(func.count() > 1)
    )
    for row in connection.execute(twice):
        yield Fault(
            rule="worker-twice",
            subject=f"unit/{row[0]}",
            problem=f"worker {row[1]} holds {row[2]} slots",
        )


def _tickets(connection: Connection) -> Iterator[Fault]:
    wrong = (
        select(slot.c.id, slot.c.state, ticket.c.id, ticket.c.state, slot.c.worker_id, ticket.c.worker_id)
        .join(ticket, ticket.c.id == slot.c.ticket_id)
        .where(
            or_(
                (slot.c.state == "leased") & (ticket.c.state != "leased"),
                (slot.c.state == "submitted") & (ticket.c.state != "submitted"),
                slot.c.worker_id != ticket.c.worker_id,
            )
        )
    )
    for row in connection.execute(wrong):
        yield Fault(
            rule="slot-ticket",
            subject=f"slot/{row[0]}",
            problem=f"is {row[1]} of worker {row[4]}, its ticket {row[2]} is {row[3]} of worker {row[5]}",
        )
    answered = exists().where(answer.c.ticket_id == ticket.c.id, answer.c.status == "accepted")
    for found in connection.execute(
        select(ticket.c.id, ticket.c.state).where(
            or_((ticket.c.state == "submitted") & ~answered, (ticket.c.state != "submitted") & answered)
        )
    ):
        yield Fault(
            rule="ticket-answer",
            subject=f"ticket/{found[0]}",
            problem=f"is {found[1]} {'without' if found[1] == 'submitted' else 'with'} an accepted answer",
        )


def _answers(connection: Connection) -> Iterator[Fault]:
    """Answers are submitted slots: each has one at least, each submitted slot has one."""
    own = slot.c.answer_id == answer.c.id
    live = exists().where(own, slot.c.state == "submitted")
    # a hidden known object takes no place
    no_place = ~exists().where(slot.c.ticket_id == answer.c.ticket_id)
    only_known = (answer.c.stage == "segmentation") & no_place
    for row in connection.execute(
        select(answer.c.id, answer.c.voided_by)
        .where(answer.c.status == "accepted", answer.c.stage != "training", ~only_known)
        .where(or_(answer.c.voided_by.is_(None) & ~live, answer.c.voided_by.is_not(None) & live))
    ):
        yield Fault(
            rule="answer-slots",
            subject=f"answer/{row[0]}",
            problem="is void but holds a slot" if row[1] else "counts but holds no slot",
        )
    for row in connection.execute(
        select(slot.c.id, slot.c.answer_id)
        .outerjoin(answer, answer.c.id == slot.c.answer_id)
        .where(slot.c.state == "submitted")
        .where(
            or_(
                answer.c.id.is_(None),
                answer.c.ticket_id != slot.c.ticket_id,
                answer.c.worker_id != slot.c.worker_id,
            )
        )
    ):
        yield Fault(
            rule="slot-answer",
            subject=f"slot/{row[0]}",
            problem=f"is submitted but answer {row[1]} is not of its ticket",
        )
    for row in connection.execute(
        select(answer.c.id, void.c.id)
        .join(void, void.c.id == answer.c.voided_by)
        .where(
            or_(
                void.c.worker_id != answer.c.worker_id,
                void.c.reverted_at.is_not(None) & ~exists().where(own, slot.c.state == "surplus"),
            )
        )
    ):
        yield Fault(
            rule="void",
            subject=f"answer/{row[0]}",
            problem=f"is marked by void {row[1]}, which does not hold it",
        )


def _cells(connection: Connection) -> Iterator[Fault]:
    accepted = (
        select(func.count())
        .where(segmentation.c.cell_id == cell.c.id, segmentation.c.state == "accepted")
        .scalar_subquery()
    )
    for row in connection.execute(
        select(cell.c.id, cell.c.n_segmented, accepted).where(cell.c.n_segmented != accepted)
    ):
        yield Fault(
            rule="cell-masks",
            subject=f"cell/{row[0]}",
            problem=f"counts {row[1]} accepted masks, there are {row[2]}",
        )
    several = (
        select(unit.c.ref_id, unit.c.stage, func.count())
        .where(unit.c.ref_kind == "cell", unit.c.state == "open")
        .group_by(unit.c.ref_id, unit.c.stage)
        .having(func.count() > 1)
    )
    for row in connection.execute(several):
        yield Fault(
            rule="cell-units", subject=f"cell/{row[0]}", problem=f"has {row[2]} open units of {row[1]}"
        )
