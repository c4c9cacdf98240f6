"""Submitting: an answer is stored exactly once, or kept as an orphan, whatever the client repeats.

    same key, same body      the stored receipt again
    same key, other body     conflict, nothing stored
    ticket held              the answer, its slots and all that follows, in one transaction
    ticket expired           the same for the slots that nobody has taken since
    ticket gone              conflict; the body is kept as an orphan and credited to the worker, and a manager
                             may use it where a place is free again (`use_late`)

A grid whose gate is not met stays held; the answer is kept, its votes are not used.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from amidst.crowd import units
from amidst.crowd.bodies import Body, Client
from amidst.crowd.context import Campaign, read_both
from amidst.crowd.leases import holds, length, own_ticket
from amidst.crowd.plans import Filed, Judgement, Plan, Turn
from amidst.crowd.results import Conflict, Receipt
from amidst.crowd.schema import answer, gold_result, orphan_answer, ticket
from amidst.crowd.stages import WORK
from amidst.crowd.validation import parse_body
from amidst.errors import AnswerError, UnknownRecord, UsageError

MAX_KEY = 200


def submit(
    connection: Connection,
    worker_id: int,
    ticket_id: int,
    token: str,
    idem_key: str,
    body: bytes,
    client: Client,
    now: int,
) -> Receipt | Conflict:
    """One transaction. Raises AnswerError for a body that breaks a rule, UnknownRecord for a ticket that is
    not the worker's; nothing is stored then.
    """
    if not 0 < len(idem_key) <= MAX_KEY:
        raise AnswerError(f"the idempotency key needs 1 to {MAX_KEY} characters", rule="idem-key")
    envelope = {
        "ticket_id": ticket_id,
        "worker_id": worker_id,
        "idem_key": idem_key,
        "body_json": _text(body),
        "body_sha256": hashlib.sha256(b"%d:" % ticket_id + body).hexdigest(),
        "client_json": msgspec.json.encode(client).decode(),
        "created_at": now,
    }
    campaign, worker = read_both(connection, worker_id)
    row = own_ticket(connection, worker_id, ticket_id)
    repeated = _repeated(connection, row, envelope)
    if repeated is not None:
        return repeated
    known = _known_orphan(connection, envelope) if row.state == "expired" else None
    if known is not None or not holds(row, token) or not _still_open(connection, row):
        return _orphan(connection, envelope)
    turn = Turn(connection, campaign, worker, now)
    plan = msgspec.json.decode(row.plan_json, type=Plan)
    parsed = parse_body(row.stage, body)
    judgement = WORK[row.stage].judge(turn, plan, parsed)
    kept = {**envelope, "ms_active": client.ms_active}
    return _store(turn, row, plan, parsed, judgement, kept)


def use_late(connection: Connection, orphan_id: int, now: int) -> Receipt:
    """Makes an orphan the answer that it would have been, where a place of its ticket is free again. Repeated
    it gives the same receipt. Raises UnknownRecord, UsageError where it cannot be used, AnswerError for a
    body that breaks a rule.
    """
    late = connection.execute(select(orphan_answer).where(orphan_answer.c.id == orphan_id)).first()
    if late is None:
        raise UnknownRecord(f"there is no late answer {orphan_id}")
    campaign, worker = read_both(connection, late.worker_id)
    row = own_ticket(connection, late.worker_id, late.ticket_id)
    envelope = {name: value for name, value in late._mapping.items() if name != "id"}
    repeated = _repeated(connection, row, envelope)
    if isinstance(repeated, Receipt):
        return repeated
    if row.state not in ("expired", "released"):
        raise UsageError(
            f"its ticket is {row.state.replace('_', ' ')}; a late answer needs one that has ended"
        )
    if not units.retake(connection, row.id, late.worker_id):
        raise UsageError("no place is free for it: others have judged the same since")
    turn = Turn(connection, campaign, worker, now)
    plan = msgspec.json.decode(row.plan_json, type=Plan)
    parsed = parse_body(row.stage, late.body_json.encode())
    judgement = WORK[row.stage].judge(turn, plan, parsed)
    if judgement.status != "accepted":
        raise UsageError("it misses too many of the known items of its grid")
    client = msgspec.json.decode(late.client_json, type=Client)
    return _store(turn, row, plan, parsed, judgement, {**envelope, "ms_active": client.ms_active})


def _still_open(connection: Connection, row: Row[Any]) -> bool:
    if row.state == "expired":  # late: what nobody has taken since still counts
        plan = msgspec.json.decode(row.plan_json, type=Plan)
        return not plan.units or bool(units.retake(connection, row.id, row.worker_id))
    return bool(row.state == "leased")


def _store(
    turn: Turn, row: Row[Any], plan: Plan, body: Body, judgement: Judgement, envelope: dict[str, Any]
) -> Receipt:
    tries_left = _tries(turn.campaign, row.stage) - row.tries - 1
    failed = judgement.status == "look_again" and tries_left <= 0
    status = "gate_failed" if failed else judgement.status
    state = {"accepted": "submitted", "gate_failed": "gate_failed", "look_again": "leased"}[status]
    until = turn.now + length(row.stage, turn.campaign.config.lease)
    fenced = turn.connection.execute(
        _FENCE,
        {
            "one": row.id,
            "hash": row.token_hash,
            "before": row.state,
            "state": state,
            "tries": row.tries + 1,
            "expires_at": max(row.expires_at, until),
        },
    )
    assert fenced.rowcount == 1, "own_ticket has locked the row"
    receipt = Receipt(
        answer_id=0,
        status=status,
        tries_left=tries_left if status == "look_again" else 0,
        training=judgement.training,
    )
    answer_id = turn.connection.execute(
        _ANSWER,
        {
            **envelope,
            "stage": row.stage,
            "status": status,
            "receipt_json": msgspec.json.encode(receipt).decode(),
        },
    ).scalar_one()
    if judgement.golds:
        turn.connection.execute(
            insert(gold_result),
            [
                {"answer_id": answer_id, "gold_id": gold_id, "correct": correct, "try_no": row.tries + 1}
                for gold_id, correct in judgement.golds
            ],
        )
    if status == "gate_failed":
        units.free(turn.connection, [row.id], "gate_failed")
    elif status == "accepted":
        filed = units.submit(turn.connection, row.id, answer_id)
        WORK[row.stage].accept(turn, Filed(answer_id, plan, filed, body, judgement))
    return msgspec.structs.replace(receipt, answer_id=answer_id)


def _repeated(connection: Connection, row: Row[Any], envelope: dict[str, Any]) -> Receipt | Conflict | None:
    """What an earlier submission says to this one, by its key, or by its body for the same ticket."""
    stored = connection.execute(
        _BY_KEY, {"worker": envelope["worker_id"], "key": envelope["idem_key"]}
    ).first()
    if stored is not None:
        if stored.body_sha256 != envelope["body_sha256"]:
            return Conflict(reason="other_body")
        return _replayed(stored)
    if row.state == "submitted":
        stored = connection.execute(
            select(answer.c.id, answer.c.body_sha256, answer.c.receipt_json)
            .where(answer.c.ticket_id == row.id, answer.c.body_sha256 == envelope["body_sha256"])
            .order_by(answer.c.id.desc())
            .limit(1)
        ).first()
        if stored is not None:
            return _replayed(stored)
    return None


def _replayed(stored: Any) -> Receipt:
    receipt = msgspec.json.decode(stored.receipt_json, type=Receipt)
    return msgspec.structs.replace(receipt, answer_id=stored.id, replayed=True)


def _orphan(connection: Connection, envelope: dict[str, Any]) -> Conflict:
    """Keeps work that came too late; once per key."""
    known = _known_orphan(connection, envelope)
    if known is not None:
        if known.body_sha256 != envelope["body_sha256"]:
            return Conflict(reason="other_body")
        return Conflict(reason="stale", orphan_id=known.id)
    made = connection.execute(insert(orphan_answer).returning(orphan_answer.c.id), envelope).scalar_one()
    return Conflict(reason="stale", orphan_id=made)


def _known_orphan(connection: Connection, envelope: dict[str, Any]) -> Any:
    """The orphan of an earlier submission with this key; its conflict is the stored result."""
    return connection.execute(
        select(orphan_answer.c.id, orphan_answer.c.body_sha256).where(
            orphan_answer.c.worker_id == envelope["worker_id"],
            orphan_answer.c.idem_key == envelope["idem_key"],
        )
    ).first()


def _tries(campaign: Campaign, stage: str) -> int:
    if stage == "image_filter":
        return campaign.config.image_filter.tries
    return campaign.config.verification.tries if stage == "verification" else 1


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AnswerError(f"the answer is not UTF-8 text: {error.reason}", rule="body-format") from None
    if "\x00" in text or "\\u0000" in text:
        raise AnswerError("the answer has a NUL character", rule="body-format")
    return text


_ANSWER = insert(answer).returning(answer.c.id)
_FENCE = update(ticket).where(
    ticket.c.id == bindparam("one"),
    ticket.c.token_hash == bindparam("hash"),
    ticket.c.state == bindparam("before"),
)
_BY_KEY = select(answer.c.id, answer.c.body_sha256, answer.c.receipt_json).where(
    answer.c.worker_id == bindparam("worker"), answer.c.idem_key == bindparam("key")
)
