"""A campaign to try everything on: the bundled photographs, half labelled by simulated workers.

Photographs come in by groups, and each group is worked on up to another stage, so that at the end there is an
open ticket of every stage, and figures for a manager to look at. The work is done by the simulated workers of
`crowd simulate` on the days before; their truth is COCO's own annotation of the photographs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from sqlalchemy import Connection

from amidst.apps.cli import crowd_campaigns
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.cli.crowd_driver import Clock
from amidst.apps.cli.crowd_simulation import EXPERTS
from amidst.apps.server.accounts import AccountsConfig, Role
from amidst.apps.server.crowd.app import make_accounts
from amidst.apps.server.limits import MICRO
from amidst.coco.categories import candidate_categories
from amidst.coco.dataset import CocoDataset
from amidst.crowd import engine
from amidst.crowd.bodies import Body, Client
from amidst.crowd.campaigns import NewImage
from amidst.crowd.config import (
    CampaignConfig,
    CrowdConfig,
    FilterConfig,
    LabellingConfig,
    SegmentationConfig,
    SpottingConfig,
    Stage,
    VerificationConfig,
)
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.simulated_answers import Memory, answer, turn_rng
from amidst.crowd.simulated_workers import CrowdModel, SimulatedWorker, make_workers
from amidst.crowd.store import Store
from amidst.crowd.world import World, WorldImage
from amidst.crowd.world_photographs import world_of
from amidst.curation.selection import Proposal
from amidst.data import sample_dir
from amidst.errors import AnswerError

T = TypeVar("T")

SEED = 11
CONFIG = CampaignConfig(
    name="amidst demo",
    hour_cost=15.0,
    image_filter=FilterConfig(grid=32),
    labelling=LabellingConfig(workers=5),
    segmentation=SegmentationConfig(training_pause_s=3600.0),
    spotting=SpottingConfig(workers=4, crowd_votes=3),
    verification=VerificationConfig(min_items=1),  # who has drawn something sees at once what becomes of it
    crowd_regions=CrowdConfig(individuals=6, most_individuals=8),
)
MODEL = CrowdModel(confusion=(0.0, 0.0), false_alarm=(0.06, 0.04), drop_out=(0.0, 0.0), spam=0.0)
NAMES = ("Ada", "Ben", "Chidi", "Dora", "Emre", "Fay", "Goro", "Hana")
DRAWERS = 3  # of the workers; the training of each costs the demo a second
HISTORY = 30 * 3600 * MICRO  # from the first answer until now
PAUSE = 3 * 3600 * MICRO  # between two rounds

Stages = tuple[Stage, ...]
LABEL: Stages = ("labelling",)
SPOT: Stages = ("spotting", "labelling")
DRAW: Stages = ("segmentation", "spotting", "labelling")
JUDGE: Stages = ("verification",)
EVERYTHING: Stages = (*JUDGE, *DRAW)
NO_DRAWING: Stages = (*JUDGE, *SPOT)
GROUPS: tuple[tuple[tuple[int, ...], tuple[Stages, ...]], ...] = (  # photographs, and rounds of work on them
    ((389, 599, 78499, 565248, 442450, 491525), (DRAW, JUDGE, DRAW, JUDGE)),
    ((261888, 352257), (DRAW,)),
    ((86, 404484), (SPOT,)),
    ((458756, 41888, 129648), (LABEL,)),
    ((119828, 360461, 415748, 252219), ()),
)
SPAMMED = 1  # the group in which one worker never sees anything
CANDIDATES = (30, 72, 73, 89, 165, 308, 360, 436, 529, 107438, 173350, 213148, 253956, 358083, 401416, 425988)
ICONIC = (208901, 525891, 629, 626, 194)
NOT_ICONIC = (790, 212679, 183709, 303818, 174375)
KNOWN = (214753, 456496, 349860, 547336, 397133, 168974, 92, 234748, 165518, 555705, 377575)  # of known masks
GOLDS_PER_CATEGORY = 4
GOLD_AREA = 600  # pixels, of known masks
BALLOT = 40  # candidate categories
ENTRIES = 1000  # by each link


@dataclass(frozen=True)
class Entrances:
    """Tokens of links. manager: may do everything. worker: has work of every stage. expert: needs no gate."""

    manager: str
    worker: str
    expert: str


@dataclass
class Seat:
    """Someone who works. index of the worker: the account."""

    worker: SimulatedWorker
    stages: Stages
    done: int = 0
    previous: dict[Stage, Body] = field(default_factory=dict)


def make_demo(place: Place, now: int, report: Callable[[str], None]) -> Entrances:
    """Makes the campaign in a folder; its history ends before `now`. report: is told each step."""
    report("photographs")
    clock = Clock(now - HISTORY)
    categories = crowd_campaigns.read_categories(None)
    crowd_campaigns.create(place, CONFIG, categories, [], at=clock(), secret="0" * 64)

    async def work() -> Entrances:
        async with opened(place, durable=False) as store:
            return await _History(place, clock, store, report).make(now)

    return asyncio.run(work())


class _History:
    """What has happened before somebody opens the demo."""

    def __init__(self, place: Place, clock: Clock, store: Store, report: Callable[[str], None]) -> None:
        self._place, self._clock, self._store, self._report = place, clock, store, report
        self._accounts = make_accounts(clock, AccountsConfig())
        parts = [CocoDataset.load(sample_dir() / "annotations" / f"{name}.json") for name in ("train", "val")]
        self._truth = {image.record.id: image for part in parts for image in _world(part).images}
        self._categories = parts[0].categories
        self._images: dict[int, WorldImage] = {}  # by the ids of the campaign

    async def make(self, now: int) -> Entrances:
        """Everything, in order; the clock stands at `now` at the end."""
        await self._vouch()
        await self._add(CANDIDATES, "candidate")
        names = {one.name: one for one in candidate_categories()}
        proposals = [Proposal(name) for name in list(names)[:BALLOT]]
        await engine.add_candidates(self._store, proposals, self._clock())
        seats = await self._seats()
        for number, (photographs, rounds) in enumerate(GROUPS):
            await self._add(photographs, "kept")
            self._report(f"work of {len(seats)} simulated workers, part {number + 1} of {len(GROUPS)}")
            for stages in rounds:
                await self._work([seats[-1], *seats[:-1]] if number == SPAMMED else seats[:-1], stages)
                self._clock.now += PAUSE
        trained = await self._trained()
        assert self._clock.now < now, "the history takes longer than it was given"
        self._clock.now = now
        return await self._entrances(trained)

    async def _add(
        self, photographs: Sequence[int], state: Literal["kept", "candidate", "gold"]
    ) -> list[int]:
        """Photographs of the sample in the campaign; their new ids."""
        new = []
        for one in photographs:
            record = self._truth[one].record
            stored = self._place.media.add(sample_dir() / "images" / record.file_name)
            height, width = stored.size_hw
            new.append(NewImage(record.file_name, width, height, stored.sha256, source="COCO"))
        ids = await engine.add_images(self._store, new, self._clock(), state=state)
        self._images |= {key: self._truth[one] for key, one in zip(ids, photographs, strict=True)}
        return ids

    async def _vouch(self) -> None:
        """Known images of the filter, and known masks of the categories that have some to spare."""
        iconic, good = await self._add(ICONIC, "gold"), await self._add(NOT_ICONIC, "gold")
        for key in (*iconic, *good):
            await engine.add_gold_image(self._store, key, self._clock(), iconic=key in iconic)
        number: Counter[int] = Counter()
        for key, one in zip(await self._add(KNOWN, "gold"), KNOWN, strict=True):
            for thing in self._truth[one].objects:
                if thing.area >= GOLD_AREA and number[thing.category_id] < GOLDS_PER_CATEGORY:
                    number[thing.category_id] += 1
                    await engine.add_gold_mask(self._store, key, thing.category_id, thing.mask, source="COCO")

    async def _seats(self) -> list[Seat]:
        """An expert, the workers, and last one who never sees anything."""
        (expert,) = make_workers(SEED + 1, 1, self._categories, EXPERTS)
        workers = make_workers(SEED, len(NAMES), self._categories, MODEL)
        seats = [await self._seat(expert, "Noor", "expert", EVERYTHING)]
        for number, (one, name) in enumerate(zip(workers, NAMES, strict=True)):
            stages = EVERYTHING if number < DRAWERS else NO_DRAWING
            seats.append(await self._seat(one, name, "worker", stages))
        return [*seats, await self._seat(replace(workers[0], habit="nothing"), "Zed", "worker", LABEL)]

    async def _seat(self, worker: SimulatedWorker, name: str, role: Role, stages: Stages) -> Seat:
        account = await self._write(lambda c: self._accounts.create(c, name, role))
        return Seat(replace(worker, index=account, name=name, drop_out=0.0), stages)

    async def _work(self, seats: Sequence[Seat], stages: Stages) -> None:
        """Everybody in turn takes a ticket of the first stage that has one, until nobody finds any."""
        found = True
        while found:
            found = False
            for seat in seats:
                for stage in (one for one in seat.stages if one in stages):
                    got = await engine.lease(self._store, seat.worker.index, stage, self._clock())
                    if isinstance(got, Ticket):
                        await self._answer(seat, got, len(seats))
                        found = True
                        break

    async def _answer(self, seat: Seat, ticket: Ticket, at_work: int) -> None:
        """Answers a ticket, again where the reply is to look again. Others work meanwhile."""
        earlier: Body | None = None
        for tries in range(CONFIG.verification.tries):
            memory = Memory(seat.done, seat.previous.get(ticket.stage), earlier)
            rng = turn_rng(SEED, seat.worker, ticket.id, tries)
            turn = answer(ticket.task, self._images, seat.worker, rng, memory)
            self._clock.now += int(turn.seconds * MICRO / at_work)
            who, key, client = (
                seat.worker.index,
                f"{ticket.id}-{tries}",
                Client(ms_active=int(1000 * turn.seconds)),
            )
            try:
                receipt = await engine.submit(
                    self._store, who, ticket.id, ticket.token, key, turn.body, client, self._clock()
                )
            except AnswerError:  # an outline that crosses itself, say: a person would see it and draw again
                await engine.release(self._store, who, ticket.id, ticket.token)
                return
            seat.done, earlier = seat.done + 1, turn.body
            seat.previous[ticket.stage] = turn.body
            if not isinstance(receipt, Receipt) or receipt.status != "look_again":
                return

    async def _trained(self) -> int:
        """A worker who has passed the gate of one category, and no other: the account."""
        (able,) = make_workers(SEED + 1, 1, self._categories, EXPERTS)
        seat = await self._seat(able, "You", "worker", DRAW)
        while not isinstance(
            ticket := await engine.lease(self._store, seat.worker.index, "segmentation", self._clock()),
            NoWork,
        ):
            if ticket.stage == "segmentation":
                await engine.release(self._store, seat.worker.index, ticket.id, ticket.token)
                break
            await self._answer(seat, ticket, 1)
        return seat.worker.index

    async def _entrances(self, worker: int) -> Entrances:
        """Links by which the same three people come in, again and again for a day."""

        async def link(account: int, role: Role) -> str:
            issue = self._accounts.issue
            made = await self._write(
                lambda c: issue(c, role, kind="password", account=account, uses=ENTRIES, hours=24)
            )
            return made[1]

        async def newcomer(name: str, role: Role) -> str:
            return await link(await self._write(lambda c: self._accounts.create(c, name, role)), role)

        manager, expert = await newcomer("Manager", "owner"), await newcomer("Expert", "expert")
        return Entrances(manager, await link(worker, "worker"), expert)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        return await self._store.write(work)


def _world(dataset: CocoDataset) -> World:
    return world_of(dataset, [image.id for image in dataset.images])
