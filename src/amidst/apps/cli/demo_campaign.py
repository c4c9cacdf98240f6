"""A campaign to try everything on: the bundled photographs, half labelled by simulated workers.

Photographs come in by groups, and each group is worked on up to another stage, so that at the end there is an
open ticket of every stage, and figures for a manager to look at. The work is done over HTTP by the simulated
workers of `crowd simulate`, on the days before; their truth is COCO's own annotation of the photographs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import msgspec
from fastapi import FastAPI
from sqlalchemy import Connection

from amidst.apps.cli import crowd_campaigns
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.cli.crowd_client import Client
from amidst.apps.cli.crowd_driver import Clock, Driver, Leased, Seat
from amidst.apps.cli.crowd_simulation import EXPERTS, LONG_SESSIONS
from amidst.apps.server import sessions
from amidst.apps.server.accounts import Role
from amidst.apps.server.background import Background, background
from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.crowd.tickets import WorkerLimits
from amidst.apps.server.installation import load_secrets
from amidst.apps.server.limits import MICRO, Rate
from amidst.apps.server.media_links import MediaLinks, Picture
from amidst.coco.categories import candidate_categories
from amidst.coco.dataset import CocoDataset
from amidst.crowd import engine
from amidst.crowd.campaigns import NewImage
from amidst.crowd.config import (
    CampaignConfig,
    CrowdConfig,
    FilterConfig,
    LabellingConfig,
    SegmentationConfig,
    SpottingConfig,
    Stage,
)
from amidst.crowd.simulated_answers import Memory, answer, turn_rng
from amidst.crowd.simulated_workers import CrowdModel, SimulatedWorker, make_workers
from amidst.crowd.store import Store
from amidst.crowd.world import World, WorldImage
from amidst.crowd.world_photographs import world_of
from amidst.curation.selection import Proposal
from amidst.data import sample_dir

T = TypeVar("T")

SEED = 11
CONFIG = CampaignConfig(
    name="amidst demo",
    hour_cost=15.0,
    image_filter=FilterConfig(grid=32),
    labelling=LabellingConfig(workers=6),
    segmentation=SegmentationConfig(training_pause_s=3600.0),
    spotting=SpottingConfig(workers=4, crowd_votes=3),
    crowd_regions=CrowdConfig(individuals=6, most_individuals=8),
)
MODEL = CrowdModel(confusion=(0.0, 0.0), false_alarm=(0.06, 0.04), drop_out=(0.0, 0.0), spam=0.0)
NAMES = ("Ada", "Ben", "Chidi", "Dora", "Emre", "Fay", "Goro", "Hana", "Ivo")
DRAWERS = 3  # of the workers; the training of each costs the demo a second
DAY = 24 * 3600 * MICRO
HISTORY_DAYS = 7
PAUSE = 3 * 3600 * MICRO  # between two rounds

Stages = tuple[Stage, ...]
LABEL: Stages = ("labelling",)
SPOT: Stages = ("spotting", "labelling")
DRAW: Stages = ("segmentation", "spotting", "labelling")
JUDGE: Stages = ("verification",)
EVERYTHING: Stages = (*JUDGE, *DRAW)
NO_DRAWING: Stages = (*JUDGE, *SPOT)
GROUPS: tuple[tuple[tuple[int, ...], tuple[Stages, ...]], ...] = (  # photographs, and rounds of work on them
    ((389, 599, 78499, 60623, 565248, 442450, 491525), (DRAW, JUDGE, DRAW, JUDGE)),
    ((261888, 352257), (DRAW,)),
    ((86, 404484, 434204), (SPOT,)),
    ((458756, 41888, 129648), (LABEL,)),
    ((119828, 360461, 415748, 252219), ()),
)
SPAMMED = 1  # the group in which one worker marks at random
CANDIDATES = (30, 72, 73, 89, 165, 308, 360, 436, 529, 107438, 173350, 213148, 253956, 358083, 401416, 425988)
ICONIC = (208901, 525891, 629, 626, 194)
NOT_ICONIC = (790, 212679, 183709, 303818, 174375)
KNOWN = (214753, 456496, 349860, 547336, 397133, 168974, 92, 234748, 165518, 555705, 377575)  # of known masks
GOLDS_PER_CATEGORY = 4
GOLD_AREA = 600  # pixels, of known masks
BALLOT = 40  # candidate categories
MOST_TRIES = 12  # at the training gate
ENTRIES = 1000  # by each link


@dataclass(frozen=True)
class Entrances:
    """Tokens of links. manager: may do everything. worker: has work of every stage. expert: needs no gate."""

    manager: str
    worker: str
    expert: str


def make_demo(place: Place, now: int, report: Callable[[str], None]) -> Entrances:
    """Makes the campaign in a folder; its history ends before `now`. report: is told each step."""
    clock = Clock(now - HISTORY_DAYS * DAY)
    report("photographs")
    crowd_campaigns.create(
        place, CONFIG, crowd_campaigns.read_categories(None), [], at=clock(), secret="0" * 64
    )
    stores: list[Store] = []
    with background(lambda: _opening(place, clock, stores)) as server:
        return _History(place, clock, server, stores[0], report).make(now)


@asynccontextmanager
async def _opening(place: Place, clock: Clock, stores: list[Store]) -> AsyncIterator[FastAPI]:
    generous = Rate(count=1_000_000)
    limits = WorkerLimits(lease=generous, submit=generous, other=generous)
    async with opened(place, durable=False) as store:
        stores.append(store)
        config = ServerConfig(sweep_s=0, accounts=LONG_SESSIONS, workers=limits)
        yield create_app(store, place.media, clock, load_secrets(place.folder), config)


class _History:
    """What has happened before somebody opens the demo."""

    def __init__(
        self, place: Place, clock: Clock, server: Background, store: Store, report: Callable[[str], None]
    ) -> None:
        self._place, self._clock, self._server, self._store = place, clock, server, store
        self._report = report
        self._accounts = make_accounts(clock, LONG_SESSIONS)
        self._client = Client(*server.address)
        parts = [CocoDataset.load(sample_dir() / "annotations" / f"{name}.json") for name in ("train", "val")]
        self._truth = {image.record.id: image for part in parts for image in _world(part).images}
        self._categories = parts[0].categories
        self._images: dict[str, WorldImage] = {}  # by what the server knows of a picture
        self._links = MediaLinks(place.media, load_secrets(place.folder).links, clock)

    def make(self, now: int) -> Entrances:
        """Everything, in order; the clock stands at `now` at the end."""
        self._vouch()
        self._add(CANDIDATES, "candidate")
        names = {one.name: one for one in candidate_categories()}
        proposals = [Proposal(name) for name in list(names)[:BALLOT]]
        self._call(engine.add_candidates(self._store, proposals, self._clock()))
        seats = self._seats()
        for number, (photographs, rounds) in enumerate(GROUPS):
            self._add(photographs, "kept")
            self._report(f"work of {len(seats)} simulated workers, part {number + 1} of {len(GROUPS)}")
            for stages in rounds:
                self._work(seats if number == SPAMMED else seats[:-1], stages)
                self._clock.now += PAUSE
        worker = self._trained()
        assert self._clock.now < now, "the history takes more days than it was given"
        self._clock.now = now
        return self._entrances(worker)

    def _add(self, photographs: Sequence[int], state: Literal["kept", "candidate", "gold"]) -> list[int]:
        """Photographs of the sample in the campaign; their new ids."""
        new = []
        for one in photographs:
            record = self._truth[one].record
            stored = self._place.media.add(sample_dir() / "images" / record.file_name)
            height, width = stored.size_hw
            new.append(NewImage(record.file_name, width, height, stored.sha256, source="COCO"))
        ids = self._call(engine.add_images(self._store, new, self._clock(), state=state))
        self._images |= {
            one.sha256 or "": self._truth[key] for one, key in zip(new, photographs, strict=True)
        }
        return ids

    def _vouch(self) -> None:
        """Known images of the filter, and known masks of the categories that have some to spare."""
        iconic, good = self._add(ICONIC, "gold"), self._add(NOT_ICONIC, "gold")
        for key in (*iconic, *good):
            self._call(engine.add_gold_image(self._store, key, iconic=key in iconic))
        number: Counter[int] = Counter()
        for key, one in zip(self._add(KNOWN, "gold"), KNOWN, strict=True):
            for thing in self._truth[one].objects:
                if thing.area >= GOLD_AREA and number[thing.category_id] < GOLDS_PER_CATEGORY:
                    number[thing.category_id] += 1
                    made = engine.add_gold_mask(
                        self._store, key, thing.category_id, thing.mask, source="COCO"
                    )
                    self._call(made)

    def _seats(self) -> list[Seat]:
        """An expert, the workers, and last the one who marks at random."""
        (expert,) = make_workers(SEED + 1, 1, self._categories, EXPERTS)
        workers = make_workers(SEED, len(NAMES), self._categories, MODEL)
        spammer = replace(workers[0], habit="random")
        seats = [self._seat(expert, "Noor", "expert", EVERYTHING)]
        for number, (one, name) in enumerate(zip(workers, NAMES, strict=True)):
            seats.append(self._seat(one, name, "worker", EVERYTHING if number < DRAWERS else NO_DRAWING))
        return [*seats, self._seat(spammer, "Zed", "worker", ("labelling",))]

    def _seat(self, worker: SimulatedWorker, name: str, role: Role, stages: Sequence[Stage]) -> Seat:
        account = self._write(lambda c: self._accounts.create(c, name, role))
        token = self._write(lambda c: sessions.start(self._accounts, c, account))
        return Seat(replace(worker, index=account, name=name), token, stages)

    def _work(self, seats: Sequence[Seat], stages: Sequence[Stage]) -> None:
        at_work = [
            replace(seat, stages=[stage for stage in seat.stages if stage in stages]) for seat in seats
        ]
        Driver(self._client, self._clock, lambda: 0, at_work, self._see, SEED, lambda _: None, jumps=1).run()

    def _see(self, media: Mapping[str, Picture]) -> dict[int, WorldImage]:
        return {int(name): self._images[self._links.content_of(one)] for name, one in media.items()}

    def _trained(self) -> int:
        """A worker who has passed the gate of one category: the account."""
        (able,) = make_workers(SEED + 1, 1, self._categories, EXPERTS)
        seat = self._seat(able, "You", "worker", ())
        for number in range(MOST_TRIES):
            reply = self._client.call("POST", "/api/tickets/lease", seat.token, {"stage": "segmentation"})
            found = msgspec.json.decode(reply.content, type=Leased)
            ticket, images = found.ticket, self._see(found.media)
            if ticket is None:
                break
            path, held = f"/api/tickets/{ticket.id}", {"token": ticket.token}
            if ticket.stage == "segmentation":
                self._client.call("POST", f"{path}/release", seat.token, held)
                break
            turn = answer(ticket.task, images, seat.worker, turn_rng(SEED, seat.worker, number), Memory())
            body = {**held, "idem_key": f"training-{number}", "body": turn.body}
            self._client.call("POST", f"{path}/submit", seat.token, body)
        return seat.worker.index

    def _entrances(self, worker: int) -> Entrances:
        """Links by which the same three people come in, again and again for a day."""

        def link(account: int, role: Role) -> str:
            issue = self._accounts.issue
            return self._write(
                lambda c: issue(c, role, kind="password", account=account, uses=ENTRIES, hours=24)
            )[1]

        def newcomer(name: str, role: Role) -> str:
            return link(self._write(lambda c: self._accounts.create(c, name, role)), role)

        return Entrances(newcomer("Manager", "owner"), link(worker, "worker"), newcomer("Expert", "expert"))

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self._call(self._store.write(work))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return self._server.call(work)


def _world(dataset: CocoDataset) -> World:
    return world_of(dataset, [image.id for image in dataset.images])
