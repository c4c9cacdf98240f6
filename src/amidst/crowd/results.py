"""What the service functions return. Times are UTC microseconds.

Outcomes that a client has to act upon are values (`NoWork`, `Conflict`); exceptions are for calls that
should not have been made.
"""

from __future__ import annotations

from typing import Any, Literal

from amidst.coco.records import Rle
from amidst.crowd.bodies import Task, Wire
from amidst.crowd.config import Stage


class Ticket(Wire, frozen=True):
    """Work for one worker. token: needed for every further call about this ticket, shown once."""

    id: int
    stage: Stage
    token: str
    issued_at: int
    expires_at: int
    task: Task


class HeldTicket(Wire, frozen=True):
    """A ticket that a worker has out."""

    id: int
    stage: Stage
    issued_at: int
    expires_at: int


class NoWork(Wire, frozen=True):
    """Why there is none: nothing is open for this worker, too many tickets are held, the stage is off, the
    worker may not work, the gate of every category is closed for now, or the stage lacks known items."""

    reason: Literal[
        "nothing_open", "too_many_tickets", "stage_off", "not_active", "training_paused", "no_gold"
    ]
    retry_at: int | None = None


class TrainingResult(Wire, frozen=True):
    """How a training mask did. state: what the worker's gate of the category is now."""

    iou: float
    passed: bool
    state: Literal["open", "passed", "paused"]
    truth: Rle


class Receipt(Wire, frozen=True):
    """The answer is stored. replayed: it was already.

    status: "accepted"; "look_again", a grid's gate was not met and the same ticket goes on with a new
    idempotency key; "gate_failed", that was the last try.
    """

    answer_id: int
    status: Literal["accepted", "look_again", "gate_failed"] = "accepted"
    tries_left: int = 0
    training: TrainingResult | None = None
    replayed: bool = False


class Conflict(Wire, frozen=True):
    """409. stale: the ticket has ended or another tab holds it; the body is kept as orphan_id and credited.
    other_body: the key was used for another body; nothing is stored."""

    reason: Literal["stale", "other_body"]
    orphan_id: int | None = None


class Draft(Wire, frozen=True):
    """Unfinished work of a ticket. rev grows with every save."""

    rev: int
    body: Any
