"""What managers order from crowd platforms, and what is paid.

POST /api/platforms/prolific/link {stage, study, days}          the address to give to the platform
POST /api/platforms/mturk/hits {stage, group, assignments, offer}
POST /api/platforms/mturk/deliver                               send what waits; also done every minute
GET  /api/platforms/assignments?after=&limit=
POST /api/platforms/assignments/{assignment}/approve | reject {reason} | bonus {amount, reason, key}

Orders and payments are written to the outbox and sent from there (`crowd.adapter_mturk`), each once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from amidst.apps.server.access import MANAGERS, OWNERS, Gate, Routes, session_of
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.crowd.platforms import MTURK_PAGE, PROLIFIC_PAGE, campaign_word
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.foundation import After, Id, Limit
from amidst.apps.server.limits import MICRO
from amidst.crowd import adapter_mturk, adapter_prolific, assignments
from amidst.crowd.adapter_mturk import Offer
from amidst.crowd.adapters import Platform, PlatformError
from amidst.crowd.config import Stage
from amidst.crowd.store import Store
from amidst.errors import StoreUnavailable

DAY = 24 * 3600 * MICRO
DELIVER_S = 60.0

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")]
Money = Annotated[str, msgspec.Meta(max_length=10, pattern=r"^\d{1,4}\.\d{2}$")]
Days = Annotated[int, msgspec.Meta(ge=1, le=365)]
Reason = Annotated[str, msgspec.Meta(max_length=1000)]

log = logging.getLogger(__name__)


class LinkBody(Body, frozen=True):
    """study: the platform's name of the study that the address is for."""

    stage: Stage
    study: Name
    days: Days = 30


class HitsBody(Body, frozen=True):
    """group: names the order; the same order is placed once."""

    stage: Stage
    group: Name
    assignments: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    title: Annotated[str, msgspec.Meta(max_length=128)]
    description: Annotated[str, msgspec.Meta(max_length=2000)]
    reward: Money
    minutes: Annotated[int, msgspec.Meta(ge=1, le=24 * 60)] = 60
    days: Days = 7


class ReasonBody(Body, frozen=True):
    """reason: the worker is told."""

    reason: Reason


class BonusBody(Body, frozen=True):
    """amount: US dollars, such as "0.10". key: names this bonus, so that it is paid once."""

    amount: Money
    reason: Reason
    key: Name


class OrderRoutes:
    """See the module. platform: Mechanical Turk's interface, None where none is set up."""

    def __init__(self, store: Store, gate: Gate, platform: Platform | None) -> None:
        self._store, self._gate, self._platform = store, gate, platform
        self._accounts, self._clock = gate.accounts, gate.accounts.clock
        self._secret = gate.secrets.adapters.hex()
        self._telling = asyncio.Lock()

    def router(self) -> APIRouter:
        """The routes."""
        routes, one = Routes(self._gate), "/api/platforms/assignments/{assignment}"
        page = ("after", "limit")
        routes.add("GET", "/api/platforms/assignments", self.page, MANAGERS, queries=page)
        routes.add("POST", "/api/platforms/prolific/link", self.link, MANAGERS, LinkBody)
        routes.add("POST", "/api/platforms/mturk/hits", self.hits, OWNERS, HitsBody, status=201)
        routes.add("POST", "/api/platforms/mturk/deliver", self.deliver, MANAGERS)
        routes.add("POST", f"{one}/approve", self.approve, MANAGERS)
        routes.add("POST", f"{one}/reject", self.reject, MANAGERS, ReasonBody)
        routes.add("POST", f"{one}/bonus", self.bonus, OWNERS, BonusBody)
        return routes.router

    async def page(self, after: After = 0, limit: Limit = 100) -> Response:
        """Who came for which assignment, and how far they are; the next page begins after the last id."""
        return reply(await self._store.read(lambda c: assignments.page(c, after, limit)))

    async def link(self, request: Request) -> Response:
        """The address to give to a platform that puts its people's names into it."""
        body = await read_body(request, LinkBody)
        expires = self._clock() + body.days * DAY
        word, page = campaign_word(self._secret), f"{self._origin(request)}{PROLIFIC_PAGE}"
        url = adapter_prolific.entry_url(page, self._secret, word, body.stage, body.study, expires)
        await self._note(request, "platform.link", body.study, {"stage": body.stage, "days": body.days})
        return reply({"url": url, "expires_at": expires})

    async def hits(self, request: Request) -> Response:
        """Order work from Mechanical Turk; it costs money. The same order again orders nothing."""
        body = await read_body(request, HitsBody)
        if not self._gate.secure:
            raise Refusal(
                409, "Mechanical Turk shows pages over HTTPS alone: serve with --public-url https://..."
            )
        offer = Offer(
            title=plain_text(body.title, "title", 128),
            description=plain_text(body.description, "description", 2000),
            reward=body.reward,
            minutes=body.minutes,
            days=body.days,
        )
        word, page = campaign_word(self._secret), f"{self._gate.public_origin}{MTURK_PAGE}"

        def work(connection: Connection) -> int:
            return adapter_mturk.publish(
                connection,
                page,
                self._secret,
                word,
                body.stage,
                body.group,
                body.assignments,
                offer,
                self._clock(),
            )

        made = await self._store.write(work)
        details = {"stage": body.stage, "assignments": body.assignments, "reward": body.reward}
        await self._note(request, "platform.order", body.group, details)
        return reply({"hits": made}, 201)

    async def deliver(self) -> Response:
        """Tell the platform what waits."""
        if self._platform is None:
            raise Refusal(404, "no platform is set up; serve with --mturk", "no-platform")
        adopted, delivered, problems = await self._tell(self._platform)
        return reply({"adopted": adopted, "delivered": delivered, "problems": problems})

    async def approve(self, request: Request, assignment: Id) -> Response:
        """Pay for a finished assignment."""
        one = await self._finished(assignment)
        name = (one.hit, one.external_id, await self._person(one))
        queued = await self._store.write(lambda c: adapter_mturk.approve(c, *name, self._clock()))
        await self._note(request, "platform.approve", str(assignment), {})
        return reply({"queued": queued})

    async def reject(self, request: Request, assignment: Id) -> Response:
        """Do not pay for an assignment; its work stays. The worker is told why."""
        body, one = await read_body(request, ReasonBody), await self._finished(assignment)
        reason = plain_text(body.reason, "reason", 1000)
        name = (one.hit, one.external_id, await self._person(one), reason)
        queued = await self._store.write(lambda c: adapter_mturk.reject(c, *name, self._clock()))
        await self._note(request, "platform.reject", str(assignment), {"reason": reason})
        return reply({"queued": queued})

    async def bonus(self, request: Request, assignment: Id) -> Response:
        """Pay more for a finished assignment."""
        body, one = await read_body(request, BonusBody), await self._finished(assignment)
        reason = plain_text(body.reason, "reason", 1000)
        name = (one.hit, one.external_id, await self._person(one), body.amount, reason, body.key)
        queued = await self._store.write(lambda c: adapter_mturk.bonus(c, *name, self._clock()))
        details = {"amount": body.amount, "reason": reason, "key": body.key}
        await self._note(request, "platform.bonus", str(assignment), details)
        return reply({"queued": queued})

    async def keep_telling(self) -> None:
        """Tell the platform every minute what waits, for ever; nothing to do without one."""
        while self._platform is not None:
            try:
                _, _, problems = await self._tell(self._platform)
                for problem in problems:
                    log.error("Mechanical Turk: %s", problem)
            except StoreUnavailable as error:
                log.error("orders wait until the database is back: %s", error)
            await asyncio.sleep(DELIVER_S)

    async def _tell(self, platform: Platform) -> tuple[int, int, list[str]]:
        async with self._telling:
            try:
                adopted = await adapter_mturk.reconcile(self._store, platform, self._clock())
            except PlatformError as error:
                return 0, 0, [str(error)]
            told = await adapter_mturk.deliver(self._store, platform, self._secret, self._clock())
            return adopted, *told

    async def _finished(self, assignment: int) -> assignments.Assignment:
        one = await self._store.read(lambda c: assignments.find(c, assignment))
        if one.provider != adapter_mturk.PROVIDER:
            raise Refusal(409, f"{one.provider} pays by itself")
        if one.finished_at is None:
            raise Refusal(409, "this assignment is not finished")
        return one

    async def _person(self, one: assignments.Assignment) -> str:
        return await self._store.read(lambda c: assignments.person(c, one))

    def _origin(self, request: Request) -> str:
        return self._gate.public_origin or f"{request.url.scheme}://{request.headers.get('host', '')}"

    async def _note(self, request: Request, action: str, subject: str, details: Mapping[str, object]) -> None:
        who = session_of(request).account
        await self._store.write(lambda c: self._accounts.note(c, who, action, subject, details))
