"""The parts of a simulated campaign: the world, its folder, the server with a clock, the workers' seats.

The server is the one that `serve` runs, on a free port of this machine, with a clock that the simulation
sets. What a worker sees in a picture is known from its content, which a link tells to who has its key. All
chance is drawn from the seed. Only tokens are random, and nothing depends on them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path

from fastapi import FastAPI
from PIL import Image as PillowImage

from amidst.apps.cli import crowd_campaigns
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.cli.crowd_client import Client, Reply
from amidst.apps.cli.crowd_collection import KNOWN_IMAGES, chosen_categories, iconic_images, proposals
from amidst.apps.cli.crowd_driver import ORDER, Clock, Driver, Seat, Tally
from amidst.apps.server.accounts import AccountsConfig
from amidst.apps.server.background import Background, background
from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.installation import load_secrets
from amidst.apps.server.limits import MICRO
from amidst.apps.server.media_links import MediaLinks, Picture
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig, Stage
from amidst.crowd.simulated_workers import CrowdModel, SimulatedWorker, make_workers
from amidst.crowd.store import Store
from amidst.crowd.world import TrueObject, World, WorldImage, generate_world, photographs, render
from amidst.crowd.world_scenes import WorldConfig
from amidst.crowd.world_shapes import world_categories
from amidst.curation.release import Caption
from amidst.errors import FindingError, UsageError

BEGIN = 1_400_000_000 * MICRO  # the simulated campaign begins on 13 May 2014
GOLD_SEED = 1_000_003  # added to the seed: the known items are of another world
GOLDS_PER_CATEGORY = 6
MOST_GOLD_IMAGES = 200
GOLD_WORLD = WorldConfig(  # many categories in few pictures, all of them plain to see
    categories=9.0,
    repeats=1.5,
    crowds=0.0,
    iconic_objects=0.0,
    iconic_scenes=0.0,
    invalid=0.0,
    near_duplicates=0.0,
)
GOLD_AREA, GOLD_VISIBLE = 400, 0.6  # least of an object that is made a known mask: pixels, visible share
EXPERTS_SHARE = 0.05
EXPERTS = CrowdModel(
    skill=(0.97, 0.01), ease=(0.95, 1.0), outline=(0.004, 0.001), coarse=0.0, drop_out=(0.0, 0.0)
)
QUALITY = 92  # of the photographs' JPEG files
YEAR_H = 365 * 24.0
# The clock jumps over pauses of a day, after which a session of a day would be over for everybody.
LONG_SESSIONS = AccountsConfig(session_h=YEAR_H, session_limit_h=YEAR_H)

COLLECTING: tuple[Stage, ...] = ("image_filter", "category_votes")  # before anything is labelled

Golds = Sequence[tuple[WorldImage, Sequence[TrueObject]]]


@dataclass(frozen=True)
class Finished:
    """A campaign that has ended. taken: the names of the categories that were chosen."""

    dataset: CocoDataset
    tally: Tally
    taken: tuple[str, ...]
    captions: Sequence[Caption]


@dataclass
class Simulation:
    """A campaign about to be made and run. Workers come with their roles, experts first."""

    seed: int
    world: World
    gold_world: World
    golds: Golds
    iconic: Sequence[WorldImage]
    people: Sequence[tuple[SimulatedWorker, str]]
    config: CampaignConfig
    place: Place
    clock: Clock = field(default_factory=lambda: Clock(BEGIN))
    images: dict[str, WorldImage] = field(default_factory=dict)
    gold_ids: list[int] = field(default_factory=list)
    iconic_ids: list[int] = field(default_factory=list)
    store: Store | None = None
    links: MediaLinks | None = None

    @classmethod
    def make(
        cls,
        seed: int,
        images: int,
        workers: int,
        config: CampaignConfig,
        crowd: CrowdModel,
        place: Place,
        progress: Callable[[int], None],
    ) -> Simulation:
        """The world, its photographs in the campaign's folder, and who will work."""
        experts = max(1, round(workers * EXPERTS_SHARE))
        needed = max(config.labelling.workers, config.spotting.workers, config.captions.workers)
        if workers + experts < needed:
            raise UsageError(
                f"--workers {workers}: an image needs {needed} different ones, an expert among them"
            )
        world = generate_world(seed, images)
        gold_world, golds = choose_golds(seed + GOLD_SEED)
        iconic_world, iconic = iconic_images(seed + GOLD_SEED)
        people = [
            *((one, "expert") for one in make_workers(seed + 1, experts, world.categories, EXPERTS)),
            *((one, "worker") for one in make_workers(seed, workers, world.categories, crowd)),
        ]
        for index, image in enumerate(world.images):
            _write(place.folder / "world" / image.record.file_name, world, index)
            progress(index + 1)
        for image, _ in golds:
            _write(
                place.folder / "known" / f"known_{image.record.id:06d}.jpg", gold_world, image.record.id - 1
            )
        for image in iconic:
            name = f"known_iconic_{image.record.id:06d}.jpg"
            _write(place.folder / "known" / name, iconic_world, image.record.id - 1)
        return cls(seed, world, gold_world, golds, iconic, people, config, place)

    def create(self) -> None:
        """The campaign with its images and known images; without categories where they are voted on."""
        media, folder = self.place.media, self.place.folder
        taken = crowd_campaigns.take_in(folder / "world", media)
        known = crowd_campaigns.take_in(folder / "known", media)
        voted = "category_votes" in self.config.stages
        categories = (
            [] if voted else chosen_categories(self.world, [one.name for one in self.world.categories])
        )
        secret = hashlib.sha256(f"simulation {self.seed}".encode()).hexdigest()
        ids = crowd_campaigns.create(
            self.place,
            self.config,
            categories,
            taken,
            known,
            at=self.clock(),
            secret=secret,
            filtered="image_filter" in self.config.stages,
        )
        true = (*self.world.images, *(image for image, _ in self.golds), *self.iconic)
        contents = [one.sha256 or "" for one in (*taken, *known)]
        self.images = dict(zip(contents, true, strict=True))
        known_ids = ids[len(taken) :]
        self.gold_ids, self.iconic_ids = known_ids[: len(self.golds)], known_ids[len(self.golds) :]

    def run(self, report: Callable[[Tally], None]) -> Finished:
        """Serve the campaign and let everyone work: first the vote and the filter, then what they chose."""
        with background(self._opening) as server:
            client = Client(*server.address)
            owner = self._enter(client, self._first_link(server), "owner")
            self._vouch_for_images(client, owner)
            if "category_votes" in self.config.stages:
                candidates = proposals(self.world)
                server.call(engine.add_candidates(self._open(), candidates, self.clock()))
            seats, tally = self._seats(client, owner), Tally()
            taken: tuple[str, ...] = tuple(one.name for one in self.world.categories)
            for first in (True, False):
                for seat in seats:
                    seat.begin([stage for stage in self._stages() if (stage in COLLECTING) == first])
                if seats[0].stages:
                    Driver(
                        client,
                        self.clock,
                        lambda: self._sweep(server),
                        seats,
                        self._see,
                        self.seed,
                        report,
                        tally,
                    ).run()
                if first:
                    taken = self._choose(server) or taken
                    self._vouch(client, owner, taken)
            made = client.call("GET", "/api/export", owner)
            captions = server.call(engine.export(self._open())).captions
            client.close()
            return Finished(CocoDataset.from_json(made.content), tally, taken, captions)

    def _choose(self, server: Background) -> tuple[str, ...]:
        """Makes the categories that the voters have chosen; none where nobody was to vote.

        Raises FindingError if a vote is missing.
        """
        if "category_votes" not in self.config.stages:
            return ()
        _, outcome = server.call(engine.ballot(self._open()))
        if not outcome.complete:
            raise FindingError("not everybody has voted on the categories")
        server.call(engine.add_categories(self._open(), chosen_categories(self.world, outcome.taken)))
        return outcome.taken

    def _stages(self) -> list[Stage]:
        return [stage for stage in ORDER if stage in self.config.stages]

    def _see(self, media: Mapping[str, Picture]) -> dict[int, WorldImage]:
        """What a person sees at these links, told by the key under which they were made."""
        assert self.links is not None
        return {int(name): self.images[self.links.content_of(picture)] for name, picture in media.items()}

    @asynccontextmanager
    async def _opening(self) -> AsyncIterator[FastAPI]:
        async with opened(self.place, durable=False) as store:
            self.store = store
            secrets = load_secrets(self.place.folder)
            self.links = MediaLinks(self.place.media, secrets.links, self.clock)
            config = ServerConfig(sweep_s=0, accounts=LONG_SESSIONS)
            yield create_app(store, self.place.media, self.clock, secrets, config)

    def _open(self) -> Store:
        assert self.store is not None
        return self.store

    def _sweep(self, server: Background) -> int:
        return server.call(engine.sweep(self._open(), self.clock()))

    def _first_link(self, server: Background) -> str:
        accounts = make_accounts(self.clock, ServerConfig().accounts)
        link = server.call(self._open().write(accounts.first_link))
        assert link is not None
        return link

    def _vouch_for_images(self, client: Client, owner: str) -> None:
        """The owner says which of the known photographs are iconic or broken, and which are not."""
        for ids, iconic in ((self.iconic_ids, True), (self.gold_ids[:KNOWN_IMAGES], False)):
            for image_id in ids:
                self._call(client, "/api/golds/images", owner, {"image": image_id, "iconic": iconic})

    def _vouch(self, client: Client, owner: str, taken: Collection[str]) -> None:
        """The owner vouches for the known masks of the chosen categories."""
        chosen = {one.id for one in self.world.categories if one.name in taken}
        for image_id, (_, things) in zip(self.gold_ids, self.golds, strict=True):
            for thing in (one for one in things if one.category_id in chosen):
                body = {"image": image_id, "category": thing.category_id, "mask": thing.mask}
                self._call(client, "/api/golds/masks", owner, body)

    def _seats(self, client: Client, owner: str) -> list[Seat]:
        """Everyone comes in by an invitation for their role."""
        links = {}
        for role, number in Counter(role for _, role in self.people).items():
            made = self._call(client, "/api/invitations", owner, {"role": role, "uses": number}).json()
            links[role] = made["token"]
        return [
            Seat(worker, self._enter(client, links[role], worker.name), []) for worker, role in self.people
        ]

    def _enter(self, client: Client, link: str, name: str) -> str:
        body = {"token": link, "display": name, "bearer": True}
        token: str = self._call(client, "/api/auth/enter", "", body).json()["token"]
        return token

    def _call(self, client: Client, path: str, token: str, body: Mapping[str, object]) -> Reply:
        """A request that is repeated when the server asks to wait; then the clock goes on."""
        while (reply := client.call("POST", path, token, body)).status == 429:
            self.clock.now += reply.wait
        if reply.status >= 300:
            raise FindingError(f"{path} was refused ({reply.status}): {reply.content.decode()}")
        return reply


def choose_golds(seed: int) -> tuple[World, Golds]:
    """Photographs of another world and the objects in them that are made known masks: enough of each category
    for the training gate, from as few photographs as a first fit takes.
    """
    categories = world_categories()
    images: list[WorldImage] = []
    golds: list[tuple[WorldImage, list[TrueObject]]] = []
    number: Counter[int] = Counter()
    for image in islice(photographs(seed, GOLD_WORLD), MOST_GOLD_IMAGES):
        images.append(image)
        chosen = []
        for thing in image.objects:
            if _is_clear(thing) and number[thing.category_id] < GOLDS_PER_CATEGORY:
                number[thing.category_id] += 1
                chosen.append(thing)
        if chosen:
            golds.append((image, chosen))
        if min(number[one.id] for one in categories) == GOLDS_PER_CATEGORY:
            break
    return World(seed, GOLD_WORLD, categories, tuple(images)), golds


def _is_clear(thing: TrueObject) -> bool:
    return thing.area >= GOLD_AREA and thing.visible_share >= GOLD_VISIBLE and not thing.in_crowd


def _write(path: Path, world: World, index: int) -> None:
    stream = BytesIO()
    PillowImage.fromarray(render(world, index)).save(stream, "JPEG", quality=QUALITY)
    write_atomically(path, stream.getvalue())
