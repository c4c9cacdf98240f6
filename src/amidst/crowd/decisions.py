"""Recording what rules decide. A row is written when an outcome is not what the last row says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Text,
    bindparam,
    case,
    cast,
    insert,
    literal,
    select,
)

from amidst.crowd.bodies import Wire
from amidst.crowd.rules import Inputs, Outcome, Rule
from amidst.crowd.schema import decision, unit

_ENCODER = msgspec.json.Encoder(order="deterministic")
_LAST = (
    select(decision.c.outcome_json)
    .where(decision.c.rule == bindparam("name"), decision.c.subject == bindparam("about"))
    .order_by(decision.c.id.desc())
    .limit(1)
)


def record(
    connection: Connection,
    rule: Rule,
    subject: str,
    inputs: Inputs,
    now: int,
    *,
    initial: Outcome | None = None,
) -> tuple[Outcome, bool]:
    """Decides and writes the decision down; the outcome, and whether it is another than before.

    initial: what holds of a subject of which nothing has been written yet.
    """
    outcome = rule.decide(inputs)
    text = encoded(outcome)
    last = last_outcome(connection, rule, subject)
    if last == text or (last is None and outcome == initial):
        return outcome, False
    connection.execute(
        insert(decision),
        {
            "rule": rule.name,
            "rule_version": rule.version,
            "subject": subject,
            "inputs_json": encoded(inputs),
            "outcome_json": text,
            "created_at": now,
        },
    )
    return outcome, True


def last_outcome(connection: Connection, rule: Rule, subject: str) -> str | None:
    """The outcome that holds, as JSON; None where nothing has been decided."""
    found: str | None = connection.execute(_LAST, {"name": rule.name, "about": subject}).scalar()
    return found


def last_said(rule: Rule, subject: ColumnElement[str]) -> ScalarSelect[str]:
    """The same as a part of a statement about many subjects; null where nothing has been decided."""
    own = (decision.c.rule == rule.name) & (decision.c.subject == subject)
    last = select(decision.c.outcome_json).where(own).order_by(decision.c.id.desc()).limit(1)
    return last.correlate_except(decision).scalar_subquery()


def about(kind: str, *keys: ColumnElement[int]) -> ColumnElement[str]:
    """The subject kind/key or kind/key/key, as a part of a statement."""
    subject: ColumnElement[str] = literal(kind)
    for key in keys:
        subject = subject.concat("/").concat(cast(key, Text))
    return subject


def about_unit(kind: str) -> ColumnElement[str]:
    """What a decision on a unit is about: what it refers to, and of labelling its question."""
    asked = about(kind, unit.c.ref_id, unit.c.question)
    return case((unit.c.question > 0, asked), else_=about(kind, unit.c.ref_id))


def encoded(value: Inputs | Outcome) -> str:
    """JSON, the same for equal values."""
    return _ENCODER.encode(value).decode()


class DecisionRecord(Wire, frozen=True):
    """One automatic step: what was looked at, and what followed."""

    id: int
    rule: str
    rule_version: int
    subject: str
    inputs: Any
    outcome: Any
    created_at: int


def of_subject(connection: Connection, subject: str) -> list[DecisionRecord]:
    """Why something is as it is, oldest first. subject: "image/3", "cell/7", "segmentation/5", ..."""
    rows = connection.execute(select(decision).where(decision.c.subject == subject).order_by(decision.c.id))
    return _records(rows)


def latest(connection: Connection, rule: str | None, before: int, limit: int) -> list[DecisionRecord]:
    """Decisions with an id below `before`, newest first. rule: only of this one."""
    wanted = decision.c.id < before
    if rule is not None:
        wanted &= decision.c.rule == rule
    query = select(decision).where(wanted).order_by(decision.c.id.desc()).limit(limit)
    return _records(connection.execute(query))


def _records(rows: Iterable[Row[Any]]) -> list[DecisionRecord]:
    return [
        DecisionRecord(
            id=row.id,
            rule=row.rule,
            rule_version=row.rule_version,
            subject=row.subject,
            inputs=msgspec.json.decode(row.inputs_json),
            outcome=msgspec.json.decode(row.outcome_json),
            created_at=row.created_at,
        )
        for row in rows
    ]
