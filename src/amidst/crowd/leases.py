"""The life of a ticket until it is submitted: lease, resume, heartbeat, release, drafts, expiry.

    leased -> submitted | released | expired | gate_failed

Each function is one short transaction. A ticket's token is known to its holder alone (the database keeps a
hash); resuming a ticket makes a new one, which fences off whoever held the old one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, update

from amidst.crowd import units
from amidst.crowd.bodies import Task
from amidst.crowd.config import LeaseConfig, Stage
from amidst.crowd.context import read_asking, read_both
from amidst.crowd.plans import Offer, Plan, Turn
from amidst.crowd.results import Conflict, Draft, HeldTicket, NoWork, Ticket
from amidst.crowd.schema import draft, ticket
from amidst.crowd.stages import WORK
from amidst.crowd.validation import DRAWN, MAX_BYTES_DRAWN
from amidst.errors import AnswerError, UnknownRecord

SWEEP_BATCH = 500  # tickets of one transaction
SWEEP_LOCK = 0x616D6964  # PostgreSQL advisory lock: one process sweeps


def lease(connection: Connection, worker_id: int, stage: Stage, now: int, token: str) -> Ticket | NoWork:
    """Work of a stage for a worker. token: random, to be known to the worker alone."""
    stages = ("segmentation", "training") if stage == "segmentation" else (stage,)
    campaign, worker, out = read_asking(connection, worker_id, stages)
    turn = Turn(connection, campaign, worker, now)
    if not worker.active:
        return NoWork(reason="not_active")
    if not campaign.open or stage not in campaign.config.stages or stage not in WORK:
        return NoWork(reason="stage_off")
    leases = campaign.config.lease
    if out >= leases.live_tickets:
        return NoWork(reason="too_many_tickets")
    offer = WORK[stage].offer(turn)
    if isinstance(offer, NoWork):
        return offer
    expires = now + length(offer.stage, leases)
    ticket_id = connection.execute(
        _ISSUE,
        {
            "stage": offer.stage,
            "worker_id": worker_id,
            "token_hash": hashed(token),
            "plan_json": msgspec.json.encode(offer.plan).decode(),
            "issued_at": now,
            "expires_at": expires,
        },
    ).scalar_one()
    units.take(connection, offer.plan.units, worker_id, ticket_id)
    return _shown(turn, ticket_id, offer, token, now, expires)


def resume(connection: Connection, worker_id: int, ticket_id: int, now: int, token: str) -> Ticket | Conflict:
    """The same work again under a new token. Raises UnknownRecord."""
    campaign, worker = read_both(connection, worker_id)
    row = own_ticket(connection, worker_id, ticket_id)
    if row.state != "leased" or now > _limit(row.issued_at, campaign.config.lease):
        return Conflict(reason="stale")
    expires = _renewed(row, campaign.config.lease, now)
    connection.execute(
        update(ticket).where(ticket.c.id == ticket_id).values(token_hash=hashed(token), expires_at=expires)
    )
    plan = msgspec.json.decode(row.plan_json, type=Plan)
    turn = Turn(connection, campaign, worker, now)
    return _shown(turn, ticket_id, Offer(row.stage, plan), token, row.issued_at, expires)


def held(connection: Connection, worker_id: int) -> list[HeldTicket]:
    """Tickets that a worker has out, oldest first."""
    rows = connection.execute(
        select(ticket.c.id, ticket.c.stage, ticket.c.issued_at, ticket.c.expires_at)
        .where(ticket.c.worker_id == worker_id, text("ticket.state = 'leased'"))
        .order_by(ticket.c.id)
    )
    return [HeldTicket(id=row[0], stage=row[1], issued_at=row[2], expires_at=row[3]) for row in rows]


def heartbeat(connection: Connection, worker_id: int, ticket_id: int, token: str, now: int) -> int | Conflict:
    """Renews a lease, up to the hard limit; the new expiry. Raises UnknownRecord."""
    campaign, _ = read_both(connection, worker_id)
    row = own_ticket(connection, worker_id, ticket_id)
    if not holds(row, token) or row.state != "leased":
        return Conflict(reason="stale")
    expires = _renewed(row, campaign.config.lease, now)
    connection.execute(update(ticket).where(ticket.c.id == ticket_id).values(expires_at=expires))
    return expires


def release(connection: Connection, worker_id: int, ticket_id: int, token: str) -> bool | Conflict:
    """Gives a ticket back. Repeated it is True again. Raises UnknownRecord."""
    row = own_ticket(connection, worker_id, ticket_id)
    if not holds(row, token):
        return Conflict(reason="stale")
    if row.state == "released":
        return True
    if row.state != "leased":
        return Conflict(reason="stale")
    connection.execute(update(ticket).where(ticket.c.id == ticket_id).values(state="released"))
    units.free(connection, [ticket_id], "released")
    return True


def sweep(connection: Connection, now: int) -> int:
    """Expires tickets whose time has come, at most a batch of them; how many."""
    if (
        connection.dialect.name == "postgresql"
        and not connection.execute(select(func.pg_try_advisory_xact_lock(SWEEP_LOCK))).scalar()
    ):
        return 0
    over = (
        select(ticket.c.id)
        .where(text("ticket.state = 'leased'"), ticket.c.expires_at < now)
        .order_by(ticket.c.expires_at)
        .limit(SWEEP_BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = [row[0] for row in connection.execute(over)]
    if ids:
        connection.execute(update(ticket).where(ticket.c.id.in_(ids)).values(state="expired"))
        units.free(connection, ids, "expired")
    return len(ids)


def save_draft(
    connection: Connection, worker_id: int, ticket_id: int, token: str, rev: int, body: bytes, now: int
) -> int | Conflict:
    """Keeps unfinished work; the revision that is stored, which stays if it is a later one. Also of a
    ticket that has expired, for nothing is lost by it. Raises UnknownRecord, AnswerError for its size.
    """
    row = own_ticket(connection, worker_id, ticket_id)
    if not holds(row, token) or row.state not in ("leased", "expired"):
        return Conflict(reason="stale")
    if len(body) > (MAX_BYTES_DRAWN if row.stage in DRAWN else MAX_BYTES_DRAWN // 8):
        raise AnswerError(f"the draft has {len(body)} bytes", rule="body-size")
    stored = connection.execute(
        select(draft.c.rev).where(draft.c.ticket_id == ticket_id).with_for_update()
    ).scalar()
    if stored is not None and stored >= rev:
        return int(stored)
    values = {"rev": rev, "body_json": body.decode(), "saved_at": now}
    if stored is None:
        connection.execute(insert(draft), {"ticket_id": ticket_id, **values})
    else:
        connection.execute(update(draft).where(draft.c.ticket_id == ticket_id).values(values))
    return rev


def load_draft(connection: Connection, worker_id: int, ticket_id: int) -> Draft | None:
    """Unfinished work of a ticket. Raises UnknownRecord."""
    own_ticket(connection, worker_id, ticket_id)
    row = connection.execute(
        select(draft.c.rev, draft.c.body_json).where(draft.c.ticket_id == ticket_id)
    ).first()
    return None if row is None else Draft(rev=row[0], body=msgspec.json.decode(row[1]))


def ticket_task(
    connection: Connection, worker_id: int, ticket_id: int, token: str, now: int
) -> Task | Conflict:
    """What a live ticket asks for. Raises UnknownRecord."""
    campaign, worker = read_both(connection, worker_id)
    row = own_ticket(connection, worker_id, ticket_id)
    if not holds(row, token) or row.state != "leased":
        return Conflict(reason="stale")
    plan = msgspec.json.decode(row.plan_json, type=Plan)
    return WORK[row.stage].task(Turn(connection, campaign, worker, now), plan)


def own_ticket(connection: Connection, worker_id: int, ticket_id: int) -> Row[Any]:
    """A worker's ticket, locked. Raises UnknownRecord if there is none or it is another's."""
    row = connection.execute(_OWN, {"ticket": ticket_id, "worker": worker_id}).first()
    if row is None:
        raise UnknownRecord(f"there is no ticket {ticket_id} of yours")
    return row


def holds(row: Row[Any], token: str) -> bool:
    """Whether a token is the ticket's."""
    return hmac.compare_digest(str(row.token_hash), hashed(token))


def hashed(token: str) -> str:
    """As the database keeps it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _shown(turn: Turn, ticket_id: int, offer: Offer, token: str, issued: int, expires: int) -> Ticket:
    return Ticket(
        id=ticket_id,
        stage=offer.stage,
        token=token,
        issued_at=issued,
        expires_at=expires,
        task=WORK[offer.stage].task(turn, offer.plan),
    )


def length(stage: str, leases: LeaseConfig) -> int:
    """Of a lease without a renewal, microseconds."""
    return round(1e6 * (leases.drawing_s if stage in DRAWN else leases.grid_s))


def _limit(issued_at: int, leases: LeaseConfig) -> int:
    return issued_at + round(1e6 * leases.limit_s)


def _renewed(row: Row[Any], leases: LeaseConfig, now: int) -> int:
    limit = _limit(row.issued_at, leases)
    return min(max(int(row.expires_at), now + length(row.stage, leases)), limit)


_ISSUE = insert(ticket).returning(ticket.c.id)
_OWN = (
    select(ticket)
    .where(ticket.c.id == bindparam("ticket"), ticket.c.worker_id == bindparam("worker"))
    .with_for_update()
)
