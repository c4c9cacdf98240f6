"""Where workers come from: signed entries, and an outbox of what a crowd platform is to be told.

Three kinds of platform. In-house (the default): people come by invitation, nothing is told to anybody.
Prolific-like: people come with their identity in the address, and take a completion code back
(`adapter_prolific`). Mechanical Turk, for those who are its customers already: the page stands in a frame,
and everything else is told through its interface (`adapter_mturk`).

Whatever costs money is written to the outbox first, in a transaction, under a token of its own; it is sent
afterwards, with that token, so that a repetition after a crash pays nobody twice.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, insert, select, update

from amidst.crowd.bodies import Wire
from amidst.crowd.config import Stage
from amidst.crowd.schema_people import outbox
from amidst.errors import UsageError

LONGEST_NUMBER = 18  # digits


class Entry(Wire, frozen=True):
    """Someone who came from a platform.

    stage, group: what our signed part of the address says. preview: only looks, and gets instructions but no
    work. assignment: what the platform will pay, to be confirmed before it is; hit: the task that it belongs
    to. submit_to: address to which the page posts when it is done, "" if it does not.
    """

    provider: str
    external_id: str
    stage: Stage
    group: str
    hit: str = ""
    assignment: str = ""
    preview: bool = False
    submit_to: str = ""


class Message(Wire, frozen=True):
    """Something to tell a platform. token: the same at each repetition."""

    id: int
    kind: str
    payload: dict[str, Any]
    token: str


class Platform(Protocol):
    """How a platform is told. Raises PlatformError if it cannot be reached or refuses."""

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """One request; the reply."""


class PlatformError(Exception):
    """The platform did not do what it was asked. again: asking once more may help."""

    def __init__(self, problem: str, *, again: bool) -> None:
        super().__init__(problem)
        self.again = again


def sign_entry(secret: str, campaign: str, stage: Stage, group: str, expires: int) -> str:
    """The signature of an entry address: HMAC-SHA256 over its parts. expires: microseconds."""
    text = "|".join((campaign, stage, group, str(expires)))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_entry(
    secret: str, campaign: str, stage: Stage, group: str, expires: int, signature: str, now: int
) -> None:
    """Raises UsageError if the address was not made by us, or is over."""
    right = sign_entry(secret, campaign, stage, group, expires)
    if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
        raise UsageError("the address of this task is not one that the campaign gave out")
    if now > expires:
        raise UsageError("the address of this task is over; ask for a new one")


def person_hash(secret: str, provider: str, external_id: str) -> str:
    """What is kept of a platform's name of a person."""
    text = f"{provider}|{external_id}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_number(text: str) -> bool:
    """Whether a part of an address is a time."""
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER


def queue(connection: Connection, kind: str, payload: dict[str, Any], token: str, now: int) -> bool:
    """Writes a message down, to be sent after the commit; False if one with this token is there already."""
    if connection.execute(select(outbox.c.id).where(outbox.c.unique_token == token)).first() is not None:
        return False
    row = {
        "kind": kind,
        "payload_json": msgspec.json.encode(payload).decode(),
        "unique_token": token,
        "created_at": now,
    }
    connection.execute(insert(outbox), row)
    return True


def waiting(connection: Connection, limit: int = 100) -> list[Message]:
    """Messages that have not been delivered, oldest first."""
    rows = connection.execute(
        select(outbox).where(outbox.c.delivered_at.is_(None)).order_by(outbox.c.id).limit(limit)
    )
    return [
        Message(
            id=row.id, kind=row.kind, payload=msgspec.json.decode(row.payload_json), token=row.unique_token
        )
        for row in rows
    ]


def delivered(connection: Connection, message_id: int, reply: dict[str, Any], now: int) -> None:
    """Notes that the platform has been told, and what it said."""
    connection.execute(
        update(outbox)
        .where(outbox.c.id == message_id)
        .values(delivered_at=now, reply_json=msgspec.json.encode(reply).decode())
    )


def replies(connection: Connection, kind: str) -> list[dict[str, Any]]:
    """What the platform said to messages of a kind, oldest first."""
    rows = connection.execute(
        select(outbox.c.reply_json)
        .where(outbox.c.kind == kind, outbox.c.delivered_at.is_not(None))
        .order_by(outbox.c.id)
    )
    return [msgspec.json.decode(row[0]) for row in rows]
