"""The doctor on answers: each is the body that was sent, and the rows made of it are those that it says.

Answers are read by the thousand, so that memory does not grow with the campaign.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, select

from amidst.crowd.bodies import Part
from amidst.crowd.config import CaptionConfig
from amidst.crowd.faults import Fault
from amidst.crowd.plans import Plan
from amidst.crowd.schema import answer, slot, ticket, training_attempt
from amidst.crowd.schema_chain import (
    caption,
    category_vote,
    claim,
    crowd_region,
    filter_vote,
    icon_drop,
    instance,
    mask_vote,
    point,
    segmentation,
)
from amidst.crowd.validation import caption_text, parse_body
from amidst.errors import AnswerError

CHUNK = 1000  # answers in memory
ANY_LENGTH = CaptionConfig(min_words=0, max_words=10_000)  # the limits may have changed since

Rows = Counter[tuple[Any, ...]]
NOTHING: Rows = Counter()
Units = defaultdict[int, set[int]]  # of each answer the units that it holds, or held, a place of

# What is compared of each row that follows from an answer.
MADE: dict[Table, tuple[str, ...]] = {
    category_vote: ("candidate_id", "score", "comment"),
    filter_vote: ("image_id", "reason"),
    icon_drop: ("image_id", "category_id", "x", "y"),
    point: ("cell_id", "x", "y"),
    segmentation: ("cell_id",),
    claim: ("cell_id", "unit_id", "kind"),
    mask_vote: ("unit_id", "good"),
    crowd_region: ("cell_id",),
    caption: ("image_id", "worker_id", "text"),
    training_attempt: ("worker_id", "gold_id"),
}


def check_answers(connection: Connection) -> Iterator[Fault]:
    """Every answer and what was made of it."""
    after = 0
    query = select(answer, ticket.c.plan_json).join(ticket, ticket.c.id == answer.c.ticket_id)
    while True:
        rows = connection.execute(query.where(answer.c.id > after).order_by(answer.c.id).limit(CHUNK)).all()
        if not rows:
            return
        yield from _chunk(connection, rows)
        after = rows[-1].id


def _chunk(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Fault]:
    first, last = rows[0].id, rows[-1].id
    units: Units = defaultdict(set)
    held = select(slot.c.answer_id, slot.c.unit_id).where(slot.c.answer_id.between(first, last))
    for answer_id, unit_id in connection.execute(held):
        units[answer_id].add(unit_id)
    made = _made(connection, first, last)
    drawn = _drawn(connection, first, last)
    for row in rows:
        subject = f"answer/{row.id}"
        if hashlib.sha256(f"{row.ticket_id}:{row.body_json}".encode()).hexdigest() != row.body_sha256:
            yield Fault(rule="answer-body", subject=subject, problem="the body is not the one that was sent")
            continue
        try:
            said, parts = _said(row, units[row.id])
        except (AnswerError, msgspec.DecodeError, KeyError, IndexError) as error:
            yield Fault(rule="answer-body", subject=subject, problem=f"cannot be read: {error}")
            continue
        found = made.get(row.id, {})
        for table in said.keys() | found.keys():
            if found.get(table, NOTHING) != said.get(table, NOTHING):
                yield Fault(
                    rule="answer-rows",
                    subject=subject,
                    problem=f"its rows of {table.name} are not those that the body says",
                )
        if parts != drawn.get(row.id):
            yield Fault(
                rule="answer-rows",
                subject=subject,
                problem="the outlines or the point of its segmentation are not those of the body",
            )


def _made(connection: Connection, first: int, last: int) -> dict[int, dict[Table, Rows]]:
    """Of each answer the rows of each table that were made of it."""
    found: defaultdict[int, dict[Table, Rows]] = defaultdict(dict)
    for table, names in MADE.items():
        columns = [table.c[name] for name in names]
        for answer_id, *values in connection.execute(
            select(table.c.answer_id, *columns).where(table.c.answer_id.between(first, last))
        ):
            found[answer_id].setdefault(table, Counter())[tuple(values)] += 1
    return found


def _drawn(connection: Connection, first: int, last: int) -> dict[int, tuple[int, tuple[Part, ...]]]:
    """Of each answer with a mask the point that it was wanted for, and its outlines."""
    rows = connection.execute(
        select(segmentation.c.answer_id, instance.c.point_id, segmentation.c.parts_json)
        .join(instance, instance.c.id == segmentation.c.instance_id)
        .where(segmentation.c.answer_id.between(first, last))
    )
    return {row[0]: (row[1], _parts(row[2])) for row in rows}


def _parts(parts_json: str) -> tuple[Part, ...]:
    try:
        return msgspec.json.decode(parts_json, type=tuple[Part, ...])
    except msgspec.DecodeError:
        return ()


def _said(row: Row[Any], units: set[int]) -> tuple[dict[Table, Rows], tuple[int, tuple[Part, ...]] | None]:
    """What an answer has to have made, and the point and outlines of its mask. Raises AnswerError,
    DecodeError.
    """
    if row.status != "accepted":
        return {}, None
    plan = msgspec.json.decode(row.plan_json, type=Plan)
    body: Any = parse_body(row.stage, row.body_json.encode())
    item, rows = plan.items[0], Counter[tuple[Any, ...]]
    match row.stage:
        case "category_votes":
            return {category_vote: rows((one.candidate, one.score, one.comment) for one in body.scores)}, None
        case "image_filter":
            reasons = {one.item: one.reason for one in body.removed}
            places = [(place, one.ref) for place, one in enumerate(plan.items) if one.unit in units]
            return {filter_vote: rows((ref, reasons.get(place, "")) for place, ref in places)}, None
        case "labelling":
            icons = [icon for panel in body.panels for icon in panel.icons]
            return {icon_drop: rows((item.ref, one.category, one.x, one.y) for one in icons)}, None
        case "spotting":
            return {point: rows((item.ref, one.x, one.y) for one in body.points)}, None
        case "verification":
            marks = {one.unit: place not in body.bad for place, one in enumerate(plan.items)}
            return {mask_vote: rows((unit, marks[unit]) for unit in units)}, None
        case "crowd_regions":
            return {crowd_region: rows([(item.ref,)])}, None
        case "captions":
            text = caption_text(body, ANY_LENGTH)
            return {caption: rows([(item.ref, row.worker_id, text)])}, None
        case "training":
            return {training_attempt: rows([(row.worker_id, item.ref)])}, None
    if item.gold:  # a hidden known object: nothing is made of it
        return {}, None
    if body.kind != "mask":
        return {claim: rows([(item.ref, item.unit, body.kind)])}, None
    assert plan.target is not None
    return {segmentation: rows([(item.ref,)])}, (plan.target.point, body.parts)
