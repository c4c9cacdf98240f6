"""Mechanical Turk: tasks as external questions in a frame, everything else through its requester interface.

The page gets assignmentId, hitId, workerId and turkSubmitTo in its address. They are not signed, so our own
part of the address is, and the pair of worker and assignment is confirmed with the platform before anything
is approved. A preview shows instructions and leases nothing. The page ends by a POST to one of two known
hosts, never to an address that came in.

A HIT has at most nine assignments, for a higher fee begins at ten.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from sqlalchemy import Connection

from amidst.crowd.adapters import (
    Entry,
    Message,
    Platform,
    PlatformError,
    check_entry,
    delivered,
    is_number,
    person_hash,
    queue,
    replies,
    sign_entry,
    waiting,
)
from amidst.crowd.bodies import Wire
from amidst.crowd.config import STAGES, Stage
from amidst.crowd.store import Store
from amidst.errors import UsageError

PROVIDER = "mturk"
PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"
SUBMIT_HOSTS = ("https://www.mturk.com", "https://workersandbox.mturk.com")
MOST_ASSIGNMENTS = 9
MAX_ID = 200
SCHEMA = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd"
OPERATIONS = {
    "mturk.create": "CreateHIT",
    "mturk.approve": "ApproveAssignment",
    "mturk.reject": "RejectAssignment",
    "mturk.bonus": "SendBonus",
}


class Offer(Wire, frozen=True):
    """What a HIT says and pays. reward: US dollars as text, such as "0.12"."""

    title: str
    description: str
    reward: str
    minutes: int = 60
    days: int = 7
    frame_height: int = 800


def enter(
    secret: str,
    campaign: str,
    parameters: Mapping[str, str],
    now: int,
    hosts: Collection[str] = SUBMIT_HOSTS,
) -> Entry:
    """Who comes. Raises UsageError for an address that is not ours, or a host that is not the platform's."""
    stage, expires, group = (parameters.get(name, "") for name in ("stage", "expires", "group"))
    if stage not in STAGES or not is_number(expires):
        raise UsageError("the address of this task is not complete")
    check_entry(secret, campaign, stage, group, int(expires), parameters.get("signature", ""), now)
    assignment, person = parameters.get("assignmentId", ""), parameters.get("workerId", "")
    if assignment == PREVIEW:
        return Entry(provider=PROVIDER, external_id="", stage=stage, group=group, preview=True)
    host = parameters.get("turkSubmitTo", "").rstrip("/")
    if host not in hosts:
        raise UsageError("turkSubmitTo is not a host of Mechanical Turk")
    hit = parameters.get("hitId", "")
    for name, value in (("assignmentId", assignment), ("workerId", person), ("hitId", hit)):
        if not (value.isascii() and value.isalnum() and len(value) <= MAX_ID):
            raise UsageError(f"the address of this task lacks {name}")
    return Entry(
        provider=PROVIDER,
        external_id=person,
        stage=stage,
        group=group,
        assignment=assignment,
        hit=hit,
        submit_to=f"{host}/mturk/externalSubmit",
    )


def publish(
    connection: Connection,
    page: str,
    secret: str,
    campaign: str,
    stage: Stage,
    group: str,
    assignments: int,
    offer: Offer,
    now: int,
) -> int:
    """Writes HITs of a stage down for so many assignments; how many HITs are new. group: names the order,
    so that the same order is placed once.
    """
    expires = now + offer.days * 86_400_000_000
    address = {
        "stage": stage,
        "group": group,
        "expires": expires,
        "signature": sign_entry(secret, campaign, stage, group, expires),
    }
    made = 0
    for number, start in enumerate(range(0, assignments, MOST_ASSIGNMENTS)):
        token = f"{campaign}|{stage}|{group}|{number}"
        payload = {
            "Title": offer.title,
            "Description": offer.description,
            "Reward": offer.reward,
            "AssignmentDurationInSeconds": offer.minutes * 60,
            "LifetimeInSeconds": offer.days * 86_400,
            "MaxAssignments": min(MOST_ASSIGNMENTS, assignments - start),
            "Question": _question(f"{page}?{urlencode(address)}", offer.frame_height),
            "RequesterAnnotation": token,
            "UniqueRequestToken": _request_token(token),
        }
        made += queue(connection, "mturk.create", payload, f"mturk.create|{token}", now)
    return made


def approve(connection: Connection, hit: str, assignment: str, person: str, now: int) -> bool:
    """Writes an approval down; it is sent once the platform has confirmed who did the assignment.

    person: the hash that is kept of the worker's name (`adapters.person_hash`).
    """
    payload = {"AssignmentId": assignment, "_hit": hit, "_person": person}
    return queue(connection, "mturk.approve", payload, f"mturk.approve|{assignment}", now)


def reject(connection: Connection, hit: str, assignment: str, person: str, reason: str, now: int) -> bool:
    """Writes a rejection down; likewise."""
    payload = {"AssignmentId": assignment, "RequesterFeedback": reason, "_hit": hit, "_person": person}
    return queue(connection, "mturk.reject", payload, f"mturk.reject|{assignment}", now)


def bonus(
    connection: Connection,
    hit: str,
    assignment: str,
    person: str,
    amount: str,
    reason: str,
    key: str,
    now: int,
) -> bool:
    """Writes a bonus down; likewise. key: names it, so that it is paid once."""
    token = f"mturk.bonus|{assignment}|{key}"
    payload = {
        "AssignmentId": assignment,
        "BonusAmount": amount,
        "Reason": reason,
        "UniqueRequestToken": _request_token(token),
        "_hit": hit,
        "_person": person,
    }
    return queue(connection, "mturk.bonus", payload, token, now)


async def deliver(store: Store, platform: Platform, secret: str, now: int) -> tuple[int, list[str]]:
    """Tells the platform what waits; how many were delivered, and what went wrong. Call it again later.

    secret: by which names of people are hashed.
    """
    problems: list[str] = []
    done = 0
    for message in await store.read(waiting):
        if message.kind not in OPERATIONS:
            continue
        try:
            reply = await asyncio.to_thread(_tell, platform, message, secret)
        except PlatformError as error:
            problems.append(f"{message.kind}: {error}")
            if error.again:
                break
            reply = {"error": str(error)}
        await store.write(partial(delivered, message_id=message.id, reply=reply, now=now))
        done += "error" not in reply
    return done, problems


async def reconcile(store: Store, platform: Platform, now: int) -> int:
    """Adopts HITs that were made before a crash and not noted; how many. Run it before `deliver`."""
    told = await store.read(lambda c: replies(c, "mturk.create"))
    known = {reply.get("HIT", {}).get("HITId") for reply in told}
    unsent = [message for message in await store.read(waiting) if message.kind == "mturk.create"]
    missing = {message.payload["RequesterAnnotation"]: message for message in unsent}
    if not missing:
        return 0
    adopted, page = 0, ""
    while True:
        more = {"NextToken": page} if page else {}
        reply = await asyncio.to_thread(platform.call, "ListHITs", {"MaxResults": 100, **more})
        for hit in reply.get("HITs", []):
            message = missing.get(hit.get("RequesterAnnotation", ""))
            if message is not None and hit["HITId"] not in known:
                await store.write(partial(delivered, message_id=message.id, reply={"HIT": hit}, now=now))
                adopted += 1
        page = reply.get("NextToken", "")
        if not page:
            return adopted


def _tell(platform: Platform, message: Message, secret: str) -> dict[str, Any]:
    arguments = {name: value for name, value in message.payload.items() if not name.startswith("_")}
    if message.kind != "mturk.create":
        person = _confirmed(platform, message, secret)
        if message.kind == "mturk.bonus":
            arguments["WorkerId"] = person
    return platform.call(OPERATIONS[message.kind], arguments)


def _confirmed(platform: Platform, message: Message, secret: str) -> str:
    """The platform's name of who did the assignment, if that is who came with it: what came in by the address
    is not believed. Raises PlatformError.
    """
    page = ""
    while True:
        more = {"NextToken": page} if page else {}
        reply = platform.call("ListAssignmentsForHIT", {"HITId": message.payload["_hit"], **more})
        for found in reply.get("Assignments", []):
            if found["AssignmentId"] == message.payload["AssignmentId"]:
                person = str(found["WorkerId"])
                if person_hash(secret, PROVIDER, person) == message.payload["_person"]:
                    return person
        page = reply.get("NextToken", "")
        if not page:
            raise PlatformError("the platform knows no such assignment of this worker", again=False)


def _question(url: str, height: int) -> str:
    return (
        f'<ExternalQuestion xmlns="{SCHEMA}"><ExternalURL>{escape(url)}</ExternalURL>'
        f"<FrameHeight>{height}</FrameHeight></ExternalQuestion>"
    )


def _request_token(text: str) -> str:
    """At most 64 characters, the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()
