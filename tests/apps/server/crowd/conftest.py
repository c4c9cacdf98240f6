"""A small campaign of a generated world behind the real application, with people of every role."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from PIL import Image as PillowImage

from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.crowd.tickets import WorkerLimits
from amidst.apps.server.installation import Secrets, new_secrets
from amidst.apps.server.limits import MICRO, Rate
from amidst.apps.server.media import MediaStore
from amidst.apps.server.routes_auth import AuthLimits
from amidst.crowd import engine
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.config import CampaignConfig
from amidst.crowd.store import Store, open_store
from amidst.crowd.world import World, generate_world, render

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ROLES = ("owner", "manager", "expert", "worker", "viewer")
IMAGES = 4
ROWS = list[NewImage]
GENEROUS = Rate(count=1_000_000)
OPEN = ServerConfig(
    sweep_s=0,
    auth=AuthLimits(login_account=GENEROUS, login_address=GENEROUS, enter_address=GENEROUS),
    workers=WorkerLimits(lease=GENEROUS, submit=GENEROUS, other=GENEROUS),
)


@dataclass
class Site:
    """The application and who is signed in. The clock stands still until a test moves it."""

    client: Any
    store: Store
    secrets: Secrets
    media: MediaStore
    clock: list[int]
    app: FastAPI
    world: World
    tokens: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)

    def call(self, name: str, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """A request of someone by name; "" is nobody."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        headers.update(options.pop("headers", {}))
        if body is not None:
            options["content"] = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        return self.client.request(method, path, headers=headers, **options)

    def get(self, name: str, path: str, **options: Any) -> Any:
        return self.call(name, "GET", path, **options)

    def post(self, name: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.call(name, "POST", path, body, **options)

    def run(self, work: Any) -> Any:
        return self.client.run(work)

    def come(self, name: str, role: str = "worker") -> int:
        """Someone new with this role."""
        made = self.post("owner", "/api/invitations", {"role": role}).json()
        return self.enter(name, made["token"])

    def enter(self, name: str, link: str) -> int:
        about = self.post("", "/api/auth/enter", {"token": link, "display": name, "bearer": True}).json()
        self.tokens[name], self.accounts[name] = about["token"], about["account"]
        return int(about["account"])

    def lease(self, name: str, stage: str = "labelling") -> Any:
        return self.post(name, "/api/tickets/lease", {"stage": stage}).json()["ticket"]

    def submit(self, name: str, ticket: Any, body: Any = None, key: str = "key-00000001", **more: Any) -> Any:
        sent = labels(ticket) if body is None else body
        envelope = {"token": ticket["token"], "idem_key": key, "body": sent, **more}
        return self.post(name, f"/api/tickets/{ticket['id']}/submit", envelope)


def nothing(ticket: Any) -> Any:
    """The shortest right answer of the labelling stage."""
    return labels(ticket)


def labels(ticket: Any, category: int | None = None, xy: tuple[float, float] = (5.0, 5.0)) -> Any:
    """An answer of the labelling stage: nothing there, or one icon of a category."""
    panels = []
    for panel in ticket["task"]["panels"]:
        ids = [one["id"] for one in panel["categories"]]
        icons = [{"category": category, "x": xy[0], "y": xy[1]}] if category in ids else []
        panels.append({"super": panel["super"], "present": bool(icons), "icons": icons})
    return {"panels": panels}


@pytest.fixture(scope="session")
def nothing_there() -> Callable[[Any], Any]:
    return nothing


@pytest.fixture(scope="session", name="labels")
def labels_of() -> Callable[..., Any]:
    return labels


@pytest.fixture(scope="session")
def label_one() -> Callable[..., Any]:
    return labels


@pytest.fixture(scope="session")
def world() -> World:
    return generate_world(3, IMAGES)


@pytest.fixture(scope="session")
def template(world: World, tmp_path_factory: pytest.TempPathFactory, local_client: type[Any]) -> Path:
    """A campaign made once, to be copied: database and media."""
    folder = tmp_path_factory.mktemp("campaign")
    media, images = MediaStore(folder / "media"), []
    for index, image in enumerate(world.images):
        path = folder / image.record.file_name
        PillowImage.fromarray(render(world, index)).save(path)
        stored = media.add(path)
        height, width = stored.size_hw
        name, sha256 = image.record.file_name, stored.sha256
        images.append(NewImage(file_name=name, width=width, height=height, sha256=sha256))
    (folder / "rows").write_bytes(msgspec.json.encode(images))
    client = local_client()
    client.run(fill(folder / "campaign.db", world, images))
    client.runner.close()
    return folder


async def fill(where: Path | str, world: World, images: list[NewImage]) -> None:
    store = await open_store(where, create=True)
    await engine.create_campaign(store, CampaignConfig(name="test"), 0, secret="0" * 64)
    categories = [
        NewCategory(id=one.id, name=one.name, supercategory=one.supercategory or "thing")
        for one in world.categories
    ]
    await engine.add_categories(store, categories)
    await engine.add_images(store, images, 0)
    await store.close()


@pytest.fixture(scope="session")
def open_site(
    template: Path, world: World, local_client: type[Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Site]]:
    """Makes sites: a fresh copy of the campaign each, closed at the end. options: of `create_app`."""
    made: list[Site] = []

    def make(config: ServerConfig = OPEN, database: str = "", **options: Any) -> Site:
        client, clock, secrets = local_client(), [1_000_000 * MICRO], new_secrets()
        media = MediaStore(template / "media")
        where: str | Path = database
        if database:
            client.run(
                fill(database, world, msgspec.json.decode((template / "rows").read_bytes(), type=ROWS))
            )
        else:
            where = tmp_path_factory.mktemp("site") / "campaign.db"
            shutil.copy(template / "campaign.db", where)
        store = client.run(open_store(where, durable=False))
        app = create_app(store, media, lambda: clock[0], secrets, config, hasher=FAST, **options)
        client.use(app)
        site = Site(client, store, secrets, media, clock, app, world)
        made.append(site)
        link = client.run(store.write(make_accounts(lambda: clock[0], config.accounts).first_link))
        site.enter("owner", link)
        for role in ROLES[1:]:
            site.come(role, role)
        return site

    yield make
    for site in made:
        site.run(site.store.close())
        site.client.__exit__(None, None, None)


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()
