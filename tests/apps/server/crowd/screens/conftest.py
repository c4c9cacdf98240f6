"""A campaign of real photographs with open work in every stage, served to a real Chromium.

    def test_something(desk):
        page = desk("spotting")             # a worker's page with a ticket on it
        ...
        assert desk.site.answers("spotting") == [{...}]

Photographs and outlines are those of the sample that the package ships.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select, update

from amidst.apps.server.background import Background, background
from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.crowd.tickets import WorkerLimits
from amidst.apps.server.installation import Secrets, new_secrets
from amidst.apps.server.limits import Rate
from amidst.apps.server.media import MediaStore
from amidst.apps.server.routes_auth import AuthLimits
from amidst.coco import CocoDataset, masks
from amidst.coco.categories import icon_groups
from amidst.coco.dataset import Annotation, Image
from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.bodies import (
    Client,
    GridMask,
    LabellingTask,
    SegmentationTask,
    SpottingTask,
    VerificationTask,
)
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.config import CampaignConfig, Stage
from amidst.crowd.plans import Plan
from amidst.crowd.results import NoWork, Receipt
from amidst.crowd.schema import answer, category, gold, qualification, ticket
from amidst.crowd.store import Store, open_store
from amidst.crowd.vocabulary import definition_of
from amidst.curation.selection import Proposal
from amidst.data import sample_dir

WAIT_MS = 120_000  # an upper bound for slow machines; nothing waits this long by design
GENEROUS = Rate(count=1_000_000)
OPEN = ServerConfig(
    sweep_s=0,
    auth=AuthLimits(login_account=GENEROUS, login_address=GENEROUS, enter_address=GENEROUS),
    workers=WorkerLimits(lease=GENEROUS, submit=GENEROUS, other=GENEROUS),
)
CONFIG = override(
    CampaignConfig(name="Street scenes"),
    [
        "labelling.workers=1", "spotting.workers=1", "captions.workers=2", "verification.votes=1",
        "crowd_regions.individuals=3", "crowd_regions.most_individuals=3", "verification.grid=16",
        "verification.good_votes=3", "verification.min_items=1", "segmentation.gold_most=0",
        "segmentation.gold_least=0", "image_filter.grid=24",
    ],
)  # fmt: skip
DRAWN, CROWDED, SPOTTED, LABELLED = [78499, 529, 86], [544], [442450, 360], [72, 565248]
"""Images of the sample whose categories wait for outlines, for a crowd region, for crosses, for icons."""
PERSON = 1
GOOD_IOU = 0.65  # of an outline that the helpers let pass; spoiled ones have at most 0.6


def now() -> int:
    return time.time_ns() // 1000


# --- the campaign -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """The truth: the sample's records, and from its image ids to the campaign's."""

    dataset: CocoDataset
    ids: dict[int, int]

    def of(self, image_id: int, category_id: int) -> list[Annotation]:
        """Objects of a category in an image of the campaign, crowds left out."""
        own = next(coco for coco, mine in self.ids.items() if mine == image_id)
        found = [one for one in self.dataset.annotations_of(own) if one.category_id == category_id]
        return [one for one in found if not one.iscrowd]


async def fill(store: Store, media: MediaStore) -> dict[int, int]:
    """Opens work of every stage; the campaign's ids of the sample's images."""
    dataset = CocoDataset.load(sample_dir() / "annotations" / "train.json")
    await engine.create_campaign(store, CONFIG, now(), secret="5e" * 32)
    await engine.add_categories(store, [
        NewCategory(id=one.id, name=one.name, supercategory=group, definition=definition_of(one.name))
        for group, members in icon_groups().items() for one in members
    ])  # fmt: skip
    helper = await engine.add_worker(store, "helper", now(), expert=True)
    sample = Sample(dataset, {})

    async def add(ids: list[int], state: Any = "kept") -> list[int]:
        new = [taken(media, dataset.image(one)) for one in ids]
        made = await engine.add_images(store, new, now(), state=state)
        sample.ids.update(zip(ids, made, strict=True))
        return made

    used = {*DRAWN, *CROWDED, *SPOTTED, *LABELLED}
    rest = [one.id for one in dataset.images if one.id not in used]
    golds = await add(rest[:16], "gold")
    for place, image_id in enumerate(golds[:8]):
        await engine.add_gold_image(store, image_id, 0, iconic=place < 4)
    await add_gold_masks(store, sample, used)
    author = await engine.add_worker(store, "author", now())
    await qualify(store, author)
    await add(CROWDED)
    for stage, who in (
        ("labelling", helper),
        ("spotting", helper),
        ("segmentation", author),
        ("verification", helper),
    ):
        await work(store, who, stage, sample)
    await add(DRAWN)
    await work(store, helper, "labelling", sample)
    await work(store, helper, "spotting", sample)
    await work(store, author, "segmentation", sample, most=4)
    await add(SPOTTED)
    await work(store, helper, "labelling", sample)
    await add(LABELLED)
    await add(rest[16:46], "candidate")
    names = ["ant", "bag", "cart", "door", "elk", "fern"]
    await engine.add_candidates(store, [Proposal(name, "thing") for name in names], now())
    return sample.ids


def taken(media: MediaStore, record: Image) -> NewImage:
    stored = media.add(sample_dir() / "images" / record.file_name)
    height, width = stored.size_hw
    return NewImage(file_name=record.file_name, width=width, height=height, sha256=stored.sha256)


async def add_gold_masks(store: Store, sample: Sample, used: set[int]) -> None:
    """Outlines of persons that are large enough to draw, in images that nobody works on."""
    number = 0
    for record in sample.dataset.annotations:
        if record.image_id in used or record.category_id != PERSON or record.iscrowd or number == 6:
            continue
        if record.area < 4000 or record.image_id not in sample.ids:
            continue
        image = sample.dataset.image(record.image_id)
        assert record.segmentation is not None
        rle = masks.from_segmentation(record.segmentation, (image.height, image.width))
        await engine.add_gold_mask(store, sample.ids[record.image_id], PERSON, rle)
        number += 1


async def qualify(store: Store, worker: int) -> None:
    """Opens the gates of all categories to a worker."""

    def add(connection: Any) -> None:
        ids = [row[0] for row in connection.execute(select(category.c.id))]
        rows = [{"worker_id": worker, "category_id": one, "state": "passed", "until": 0} for one in ids]
        connection.execute(insert(qualification), rows)

    await store.write(add)


async def work(store: Store, worker: int, stage: Stage, sample: Sample, most: int = 1000) -> None:
    """A worker who knows the truth does what is open, or so many."""
    for _ in range(most):
        got = await engine.lease(store, worker, stage, now())
        if isinstance(got, NoWork):
            return
        body = honest(got.task, sample)
        done = await engine.submit(store, worker, got.id, got.token, f"key {got.id}", body, Client(), now())
        assert isinstance(done, Receipt), done


def honest(task: Any, sample: Sample) -> Any:
    """The right answer."""
    if isinstance(task, LabellingTask):
        panels = []
        for panel in task.panels:
            icons = []
            for one in panel.categories:
                found = sample.of(task.image.id, one.id)
                if found:
                    x, y = centre(found[0])
                    icons.append({"category": one.id, "x": x, "y": y})
            panels.append({"super": panel.super, "present": bool(icons), "icons": icons})
        return {"panels": panels}
    if isinstance(task, VerificationTask):
        return {"bad": [place for place, item in enumerate(task.items) if not is_good(item, sample)]}
    found = sample.of(task.image.id, task.category.id)
    if isinstance(task, SpottingTask):
        points = [dict(zip("xy", centre(one), strict=True)) for one in found[:10]]
        return {"points": points, "more_than_10": len(found) > 10}
    assert isinstance(task, SegmentationTask)
    x, y = task.target_xy
    nearest = min(found, key=lambda one: abs(centre(one)[0] - x) + abs(centre(one)[1] - y))
    assert isinstance(nearest.segmentation, tuple)
    parts = [
        {"points": list(zip(outline[::2], outline[1::2], strict=True))} for outline in nearest.segmentation
    ]
    return {"kind": "mask", "parts": parts, "off_target": True}


def is_good(item: GridMask, sample: Sample) -> bool:
    truth = [
        masks.from_segmentation(one.segmentation, item.mask.size)
        for one in sample.of(item.image.id, item.category.id)
        if one.segmentation is not None
    ]
    return bool(truth) and float(masks.iou([item.mask], truth).max()) >= GOOD_IOU


def centre(record: Annotation) -> tuple[float, float]:
    x, y, width, height = record.bbox_xywh
    return round(x + width / 2, 2), round(y + height / 2, 2)


@dataclass(frozen=True)
class Template:
    """A campaign to copy."""

    folder: Path
    ids: dict[int, int]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Made once a session."""
    folder = tmp_path_factory.mktemp("screens")

    async def make() -> dict[int, int]:
        store = await open_store(folder / "campaign.db", create=True, durable=False)
        try:
            return await fill(store, MediaStore(folder / "media"))
        finally:
            await store.close()

    return Template(folder, asyncio.run(make()))


# --- the server -------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A running server over a copy of the campaign. ids: from the sample's image ids to the campaign's."""

    server: Background
    store: Store
    secrets: Secrets
    app: FastAPI
    ids: dict[int, int]

    @property
    def address(self) -> str:
        return "http://{}:{}".format(*self.server.address)

    def run(self, work: Any) -> Any:
        """A coroutine on the server's event loop."""
        return self.server.call(work)

    def link(self, role: str = "worker") -> str:
        """The token of an invitation."""
        accounts = make_accounts(now, OPEN.accounts)
        made: str = self.run(self.store.write(lambda c: accounts.issue(c, role)))[1]  # type: ignore[arg-type]
        return made

    def link_of(self, account: int) -> str:
        """The token of a link that lets someone in again."""
        accounts = make_accounts(now, OPEN.accounts)

        def issue(connection: Any) -> str:
            return accounts.issue(connection, "worker", kind="password", account=account)[1]

        made: str = self.run(self.store.write(issue))
        return made

    def qualify(self, worker: int) -> None:
        self.run(qualify(self.store, worker))

    def take_back(self) -> None:
        """All tickets that are out: nobody works any more."""

        def expire(connection: Any) -> None:
            connection.execute(update(ticket).where(ticket.c.state == "leased").values(expires_at=0))

        self.run(self.store.write(expire))
        self.run(engine.sweep(self.store, now()))

    def known(self, ticket_id: int, kind: str) -> list[int]:
        """Places of a grid with known items of a kind, which no page can tell from the others."""

        def read(connection: Any) -> list[int]:
            plan = connection.execute(select(ticket.c.plan_json).where(ticket.c.id == ticket_id)).scalar_one()
            ids = connection.execute(select(gold.c.id).where(gold.c.kind == kind)).scalars().all()
            items = msgspec.json.decode(plan, type=Plan).items
            return [place for place, item in enumerate(items) if item.gold in ids]

        found: list[int] = self.run(self.store.read(read))
        return found

    def answers(self, stage: str) -> list[Any]:
        """Bodies of stored answers of people who came by link, oldest first."""

        def read(connection: Any) -> list[Any]:
            rows = connection.execute(
                select(answer.c.body_json, answer.c.client_json)
                .where(answer.c.stage == stage, answer.c.idem_key.not_like("key %"))
                .order_by(answer.c.id)
            )
            return [msgspec.json.decode(row[0]) for row in rows]

        found: list[Any] = self.run(self.store.read(read))
        return found


@pytest.fixture
def open_site(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """open_site(config=..., assist=...) serves a fresh copy until the test is done."""
    stack: list[Any] = []

    def make(config: ServerConfig = OPEN, **options: Any) -> Site:
        folder = tmp_path_factory.mktemp("site")
        shutil.copy(template.folder / "campaign.db", folder / "campaign.db")
        made: dict[str, Any] = {}

        @asynccontextmanager
        async def opening() -> AsyncIterator[FastAPI]:
            store = await open_store(folder / "campaign.db", durable=False)
            secrets = new_secrets()
            app = create_app(store, MediaStore(template.folder / "media"), now, secrets, config, **options)
            made.update(store=store, secrets=secrets, app=app)
            try:
                yield app
            finally:
                await store.close()

        running = background(opening)
        server = running.__enter__()
        stack.append(running)
        return Site(server, made["store"], made["secrets"], made["app"], template.ids)

    yield make
    for running in stack:
        running.__exit__(None, None, None)


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    """A server of the test's own: no other takes its work away."""
    return open_site()


# --- the browser ------------------------------------------------------------------------------------------

COUNT = """async store => {
    const opening = indexedDB.open("amidst");
    const database = await new Promise((r) => (opening.onsuccess = () => r(opening.result)));
    const asking = database.transaction(store).objectStore(store).count();
    const number = await new Promise((r) => (asking.onsuccess = () => r(asking.result)));
    database.close();
    return number;
}"""


@dataclass
class Visitor:
    """Someone signed in, in a browser profile of their own."""

    site: Site
    context: Any
    account: int
    problems: list[str] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)

    def unexpected(self) -> list[str]:
        """Problems in which none of the expected words stands."""
        return [one for one in self.problems if not any(word in one for word in self.expected)]

    def open(self, path: str) -> Any:
        """A new tab; its errors and breaches of the policy are collected."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        page.goto(self.site.address + path)
        return page


@pytest.fixture
def visit(browser: Any, site: Site) -> Iterator[Callable[..., Visitor]]:
    """visit(role=..., site=..., **options of the browser context) signs someone new in.

    At the end no page may have had an error that the test did not name in `visitor.expected`.
    """
    visitors: list[Visitor] = []

    def come(role: str = "worker", site: Site = site, context: Any = None, **options: Any) -> Visitor:
        settings = {"viewport": {"width": 1280, "height": 720}, **options}
        context = context or browser.new_context(**settings)
        context.set_default_timeout(WAIT_MS)
        entry = {"token": site.link(role), "display": f"A {role}"}
        about = context.request.post(f"{site.address}/api/auth/enter", data=entry, timeout=WAIT_MS).json()
        visitor = Visitor(site, context, about["account"])
        visitors.append(visitor)
        return visitor

    yield come
    for visitor in visitors:
        visitor.context.close()
    for one in {id(visitor.site): visitor.site for visitor in visitors}.values():
        one.take_back()
    assert [problem for visitor in visitors for problem in visitor.unexpected()] == []


@dataclass(frozen=True)
class Desks:
    """Opens desks, and knows what every screen's test does with one; see the module."""

    site: Site
    visit: Callable[..., Visitor]

    def __call__(self, stage: str, *, qualified: bool = True, role: str = "worker", **options: Any) -> Any:
        """A page with a ticket of a stage on it, worked on by someone new. page.visitor: who."""
        visitor = self.visit(role, **options)
        if qualified:
            visitor.site.qualify(visitor.account)
        page = visitor.open(f"/work/{stage}")
        page.visitor = visitor
        self.ticket(page)
        return page

    def ticket(self, page: Any, but: int = 0) -> int:
        """The number of the ticket on the stage, when there is one, and another one than `but`."""
        page.wait_for_function(
            """but => {
                const ready = document.querySelector(".stage")?.dataset.ready;
                return ready && ready !== "nothing" && Number(ready) !== but;
            }""",
            arg=but,
        )
        return int(page.get_attribute(".stage", "data-ready"))

    def hand_in(self, page: Any, *, by_key: bool = False) -> None:
        """Submit, and wait until the ticket has gone and its answer is stored."""
        ticket = page.get_attribute(".stage", "data-ready")
        if by_key:
            page.keyboard.press("Control+Enter")
        else:
            page.click(".foot button.primary")
        page.wait_for_function(
            """before => {
                const ready = document.querySelector(".stage").dataset.ready;
                return ready !== undefined && ready !== before;
            }""",
            arg=ticket,
        )
        self.stored(page)

    def stored(self, page: Any) -> None:
        """Waits until no answer is on its way: while a slow server takes it the next one is shown."""
        page.wait_for_function(f"async () => await ({COUNT})('outbox') === 0")

    def ahead(self, page: Any) -> None:
        """Waits until the tickets to come are there, as many as a desk fetches."""
        page.wait_for_function(f"async () => await ({COUNT})('tickets') === 4")

    def place(self, page: Any, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the image lies in the window, on screens with a canvas."""
        found = page.wait_for_function(
            """([x, y]) => {
                const canvas = document.querySelector("canvas.view[data-picture=shown]");
                const box = canvas?.getBoundingClientRect(), ratio = devicePixelRatio;
                const size = box && [box.width, box.height].map((length) => Math.round(length * ratio));
                // what is drawn is drawn for the room there is
                if (!size || size[0] !== canvas.width || size[1] !== canvas.height) return null;
                const { scale, x: left, y: top } = canvas.dataset;
                return [box.x + Number(left) + x * scale, box.y + Number(top) + y * scale];
            }""",
            arg=[x, y],
        )
        left, top = found.json_value()
        return float(left), float(top)

    def press_space(self, page: Any, ms: int = 50) -> None:
        """Presses Space for so long, by the times that the events bear, however busy the machine is."""
        keyboard, now = page.context.new_cdp_session(page), time.time()
        key = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32}
        for more in ({"type": "keyDown", "text": " ", "timestamp": now - ms / 1000}, {"type": "keyUp"}):
            keyboard.send("Input.dispatchKeyEvent", {"timestamp": now, **key, **more})
        keyboard.detach()

    def frames(self, page: Any) -> None:
        """Waits until all that was asked for is laid out and drawn."""
        page.evaluate("() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def task(self, page: Any) -> Any:
        """The task of the ticket on the stage, as the browser keeps it."""
        return page.evaluate(
            """async number => {
                const opening = indexedDB.open("amidst");
                const database = await new Promise((r) => (opening.onsuccess = () => r(opening.result)));
                const asking = database.transaction("tickets").objectStore("tickets").get(number);
                const held = await new Promise((r) => (asking.onsuccess = () => r(asking.result)));
                database.close();
                return held.ticket.task;
            }""",
            self.ticket(page),
        )


@pytest.fixture
def desk(site: Site, visit: Callable[..., Visitor]) -> Desks:
    return Desks(site, visit)
