"""Simulated workers at a real server: who asks when, what they send, what comes back.

Time is simulated: the driver sets the server's clock to the moment of the next event, sends that worker's
request over HTTP and waits for the reply, so that requests have one order and a run repeats exactly. A worker
submits when its drawing time is over and asks for the next ticket at once, first of the stages at the end of
the chain; one who finds nothing waits and asks again after something has changed.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from amidst.apps.cli.crowd_client import Client, Reply
from amidst.apps.server.limits import MICRO
from amidst.apps.server.media_links import Picture
from amidst.crowd.config import Stage
from amidst.crowd.results import Receipt, Ticket
from amidst.crowd.simulated_answers import Memory, Turn, answer, turn_rng
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.world import WorldImage
from amidst.errors import FindingError

ORDER: tuple[Stage, ...] = (
    "verification",
    "crowd_regions",
    "segmentation",
    "spotting",
    "labelling",
    "captions",
    "image_filter",
    "category_votes",
)
IDLE = 180 * MICRO  # from a worker's search in vain to the next
QUIET = 20 * MICRO  # after anyone's search in vain nobody else tries the stage
SWEEP = 60 * MICRO
AWAY = 3600 * MICRO  # how long one who leaves a ticket stays away; longer than a ticket of most stages lives
LAST = 5 * 3600 * MICRO  # a ticket lives four hours at most
MAX_JUMPS = 3  # without an answer


class Clock:
    """The simulated time, UTC microseconds."""

    def __init__(self, begin: int) -> None:
        self.now = begin

    def __call__(self) -> int:
        return self.now


Eyes = Callable[[Mapping[str, Picture]], dict[int, WorldImage]]
"""What is seen at the links of a ticket, by the names that images have in it."""


class Leased(msgspec.Struct):
    """The reply to a lease."""

    ticket: Ticket | None
    media: dict[str, Picture] = {}
    reason: str = ""
    retry_at: int | None = None


@dataclass(frozen=True)
class Work:
    """The ticket in hand, what is seen in it, what will be sent for it and how often it was tried."""

    ticket: Ticket
    images: Mapping[int, WorldImage]
    turn: Turn
    tries: int


@dataclass
class Seat:
    """A worker at work.

    closed_until: by stage, when to ask again. seen: the change after which it asked in vain.
    """

    worker: SimulatedWorker
    token: str
    stages: Sequence[Stage]
    work: Work | None = None
    done: int = 0
    previous: dict[str, Any] = field(default_factory=dict)
    closed_until: dict[Stage, int] = field(default_factory=dict)
    idle: bool = False

    def begin(self, stages: Sequence[Stage]) -> None:
        """Other stages from now on."""
        self.stages, self.closed_until, self.idle, self.work = stages, {}, False, None


@dataclass
class Tally:
    """What happened. milliseconds: active time by stage. left: tickets abandoned; late: answers too late;
    refused: answers that broke a rule. elapsed_s: simulated, from the first request on.
    """

    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    milliseconds: Counter[str] = field(default_factory=Counter)
    left: int = 0
    late: int = 0
    refused: int = 0
    elapsed_s: float = 0.0


class Driver:
    """All workers of a campaign; `run` returns when nothing is left to do for them."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        sweep: Callable[[], int],
        seats: Sequence[Seat],
        eyes: Eyes,
        seed: int,
        report: Callable[[Tally], None],
        tally: Tally,
    ) -> None:
        self._client, self._clock, self._sweep = client, clock, sweep
        self._seats, self._eyes, self._seed, self._report = seats, eyes, seed, report
        self._queue: list[tuple[int, int]] = []
        self._quiet: dict[Stage, int] = {}
        self.tally = tally
        self._begin = clock.now - round(tally.elapsed_s * MICRO)
        self._next_sweep = clock.now + SWEEP

    def run(self) -> Tally:
        """Work until nobody finds anything, no ticket is out, and no waiting gate opens anything more.

        tally: what happened before, added to.
        """
        for index in range(len(self._seats)):
            heapq.heappush(self._queue, (self._clock.now + index * MICRO // 10, index))
        jumps = 0
        while True:
            before = sum(self.tally.answers.values())
            self._work_off()
            jumps = 0 if sum(self.tally.answers.values()) > before else jumps + 1
            if jumps >= MAX_JUMPS:
                return self.tally
            self._jump()

    def _work_off(self) -> None:
        while self._queue:
            at, index = heapq.heappop(self._queue)
            self._clock.now = max(self._clock.now, at)
            self._sweep_until(self._clock.now)
            self._turn(index)
            self.tally.elapsed_s = (self._clock.now - self._begin) / MICRO
            self._report(self.tally)

    def _jump(self) -> None:
        """All are idle: on to when every ticket has expired, and then to when the next gate opens."""
        self._clock.now += LAST
        expired = self._sweep()
        gates = [until for seat in self._seats for until in seat.closed_until.values()]
        ahead = [until for until in gates if until > self._clock.now]
        if ahead and not expired:
            self._clock.now = min(ahead)
        self._wake()

    def _wake(self) -> None:
        for index, seat in enumerate(self._seats):
            if seat.idle:
                seat.idle = False
                heapq.heappush(self._queue, (max(self._clock.now, min(seat.closed_until.values())), index))

    def _sweep_until(self, now: int) -> None:
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP
            if self._sweep():
                self._wake()

    def _turn(self, index: int) -> None:
        seat = self._seats[index]
        if seat.work is not None:
            wait = self._send(seat)
            if wait is not None:
                heapq.heappush(self._queue, (self._clock.now + wait, index))
                return
        wait = self._ask(seat)
        if wait is None:
            seat.idle = True
        else:
            heapq.heappush(self._queue, (self._clock.now + wait, index))

    def _send(self, seat: Seat) -> int | None:
        """Submit what is in hand. Microseconds until the seat acts again, None when its hands are free."""
        assert seat.work is not None
        ticket, turn, tries = seat.work.ticket, seat.work.turn, seat.work.tries
        body = {
            "token": ticket.token,
            "idem_key": f"ticket-{ticket.id}-{tries}",
            "body": turn.body,
            "client": {"ms_active": int(turn.seconds * 1000)},
        }
        reply = self._call("POST", f"/api/tickets/{ticket.id}/submit", seat, body)
        if reply.status == 429:
            return reply.wait
        images, seat.work = seat.work.images, None
        if reply.status == 409:
            self.tally.late += 1
            return None
        if reply.status == 422:  # the page says what is wrong; this worker gives the ticket back
            self.tally.refused += 1
            self._call("POST", f"/api/tickets/{ticket.id}/release", seat, {"token": ticket.token})
            return None
        receipt = msgspec.json.decode(_good(reply), type=Receipt)
        self.tally.answers[ticket.stage] += 1
        self.tally.milliseconds[ticket.stage] += round(turn.seconds * 1000)
        self._wake()
        if receipt.status == "look_again":
            memory = self._memory(seat, ticket.stage, turn.body)
            return self._take(seat, ticket, images, memory, tries + 1)
        seat.done += 1
        seat.previous[ticket.stage] = turn.body
        return None

    def _ask(self, seat: Seat) -> int | None:
        """Look for a ticket. Microseconds until the seat acts again, None when there is nothing for it."""
        now, later = self._clock.now, list[int]()
        for stage in seat.stages:
            if seat.closed_until.get(stage, 0) > now:
                continue
            if self._quiet.get(stage, 0) > now:
                later.append(self._quiet[stage])
                continue
            reply = self._call("POST", "/api/tickets/lease", seat, {"stage": stage})
            if reply.status == 429:
                return reply.wait
            found = msgspec.json.decode(_good(reply), type=Leased)
            if found.ticket is not None:
                memory = self._memory(seat, found.ticket.stage)
                return self._take(seat, found.ticket, self._eyes(found.media), memory, 0)
            seat.closed_until[stage] = max(found.retry_at or 0, now + IDLE)
            self._quiet[stage] = now + QUIET
        return min(later) - now if later else None

    def _take(
        self, seat: Seat, ticket: Ticket, images: Mapping[int, WorldImage], memory: Memory, tries: int
    ) -> int:
        """Do the work of a ticket; microseconds until it is sent, or until the worker is back."""
        rng = turn_rng(self._seed, seat.worker, ticket.id, tries)
        turn = answer(ticket.task, images, seat.worker, rng, memory)
        if turn.leaves:
            self.tally.left += 1
            return AWAY
        seat.work = Work(ticket, images, turn, tries)
        return int(turn.seconds * MICRO)

    def _memory(self, seat: Seat, stage: Stage, earlier: Any = None) -> Memory:
        memory = Memory(done=seat.done, previous=seat.previous.get(stage))
        return memory if earlier is None else replace(memory, earlier=earlier)

    def _call(self, method: str, path: str, seat: Seat, body: Any) -> Reply:
        self.tally.requests += 1
        return self._client.call(method, path, seat.token, body)


def _good(reply: Reply) -> bytes:
    if reply.status >= 300:
        raise FindingError(
            f"the server refused a simulated worker ({reply.status}): {reply.content.decode()}"
        )
    return reply.content
