"""A small benchmark behind the real application, in the background, with people of every role."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from amidst.apps.server.background import Background, background
from amidst.apps.server.installation import load_secrets
from amidst.apps.server.leaderboard.app import BoardConfig, create_app, make_accounts
from amidst.apps.server.limits import Rate
from amidst.apps.server.routes_auth import AuthLimits
from amidst.coco import Annotation, Category, CocoDataset, Image
from amidst.leaderboard import benchmarks
from amidst.leaderboard.benchmarks import NewPhase
from amidst.leaderboard.config import BenchmarkConfig, PhaseConfig, TimeLimits
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.store import Store, open_store

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
WAIT_MS = 120_000  # an upper bound for slow machines; nothing waits this long by design
GENEROUS = Rate(count=1_000_000)
AUTH = AuthLimits(login_account=GENEROUS, login_address=GENEROUS, enter_address=GENEROUS)
QUICK = BenchmarkConfig(times=TimeLimits(watch=0.2))
PHASES = (
    NewPhase("dev", 0.5, PhaseConfig(per_day=1000, total=1000)),
    NewPhase("final", 0.5, PhaseConfig(visibility="nobody", per_day=1000, total=1000)),
)


def now() -> int:
    return time.time_ns() // 1000


def hidden_dataset(images: int = 20) -> CocoDataset:
    rng = np.random.default_rng(5)
    annotations = []
    for image in range(images):
        for _ in range(3):
            x, y, w, h = (float(v) for v in rng.integers((0, 0, 5, 5), (40, 30, 40, 30)))
            at = len(annotations) + 77_000
            annotations.append(Annotation(at, image + 1, int(rng.integers(1, 4)), (x, y, w, h), w * h))
    pictures = tuple(Image(image + 1, 80, 60, f"{image}.jpg") for image in range(images))
    return CocoDataset(pictures, tuple(annotations), tuple(Category(k, f"c{k}") for k in (1, 2, 3)))


def guesses(dataset: CocoDataset, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "image_id": a.image_id,
            "category_id": a.category_id,
            "bbox": [float(v) for v in np.array(a.bbox_xywh) + rng.normal(0, 1.5, 4).clip(-3, 3)],
            "score": float(rng.random()),
        }
        for a in dataset.annotations
    ]


@dataclass
class Site:
    """A running server and who is signed in."""

    server: Background
    folder: Folder
    dataset: CocoDataset
    store: Store
    tokens: dict[str, str] = field(default_factory=lambda: {"": ""})

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.server.address)

    def call(
        self, name: str, method: str, path: str, body: Any = None, data: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and reply, JSON or text."""
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        if name:
            request.add_header("Authorization", f"Bearer {self.tokens[name]}")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode("utf-8", "replace")

    def enter(self, name: str, link: str) -> None:
        body = {"token": link, "display": name, "bearer": True}
        status, about = self.call("", "POST", "/api/auth/enter", body)
        assert status == 200, about
        self.tokens[name] = about["token"]

    def member(self, name: str, team: str) -> None:
        status, made = self.call("owner", "POST", "/api/teams/invite", {"team": team})
        assert status == 201, made
        self.enter(name, made["token"])

    def announce(self, name: str, size: int, phase: str = "dev", **more: Any) -> tuple[int, Any]:
        body = {"phase": phase, "file_name": "r.json", "bytes": size, **more}
        return self.call(name, "POST", "/api/submissions", body)

    def put(self, name: str, submission: int, data: bytes, offset: int = 0) -> tuple[int, Any]:
        path = f"/api/submissions/{submission}/content?offset={offset}"
        return self.call(name, "PUT", path, data=data, **{"Content-Type": "application/octet-stream"})

    def send(self, name: str, data: Any, phase: str = "dev", **more: Any) -> tuple[int, Any]:
        """Announces and sends a file in one piece."""
        text = data if isinstance(data, bytes) else json.dumps(data).encode()
        status, found = self.announce(name, len(text), phase, **more)
        return self.put(name, found["id"], text) if status < 300 else (status, found)

    def wait(self, name: str, submission: int) -> Any:
        """The submission when it is finished."""
        for _ in range(1200):
            _, found = self.call(name, "GET", f"/api/submissions/{submission}")
            if found["state"] not in ("received", "checking", "queued", "running"):
                return found
            self.server.call(asyncio.sleep(0.05))
        raise AssertionError(f"submission {submission} does not end")


@pytest.fixture(scope="session")
def make_guesses() -> Callable[..., list[dict[str, Any]]]:
    return guesses


@pytest.fixture(scope="session")
def open_board() -> Callable[..., Any]:
    """open_board(root, config=..., place=...) gives an opening for `background` and a box with its store."""

    def make(
        root: Path, config: BenchmarkConfig = QUICK, place: str = "", **server: Any
    ) -> tuple[Any, dict[str, Any]]:
        folder, dataset, box = Folder(root), hidden_dataset(), {}

        @asynccontextmanager
        async def opening() -> AsyncIterator[FastAPI]:
            new = not folder.hidden.exists()
            if new:
                folder.make()
            store = await open_store(place or folder.database, create=new)
            board = BoardConfig(auth=AUTH, pieces=GENEROUS, **server)
            if new:
                about = {
                    "name": "Boxes <b>",
                    "description": "Find them.",
                    "config": config,
                    "seed": 3,
                    "now": 0,
                }
                await benchmarks.create(store, folder, dataset, phases=PHASES, **about)
            accounts = make_accounts(now, board.accounts)
            box.update(
                store=store, folder=folder, dataset=dataset, link=await store.write(accounts.first_link)
            )
            try:
                yield await create_app(store, folder, now, load_secrets(root), board, hasher=FAST)
            finally:
                await store.close()

        return opening, box

    return make


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, open_board: Callable[..., Any]) -> Iterator[Site]:
    """owner; Ann and Abe of team A, Bob of team B, Eve of none, Vic who only looks."""
    opening, box = open_board(tmp_path_factory.mktemp("board") / "b")
    with background(opening) as server:
        made = Site(server, box["folder"], box["dataset"], box["store"])
        made.enter("owner", box["link"])
        for name, team in (("ann", "A"), ("abe", "A"), ("bob", "B")):
            made.member(name, team)
        for name, role in (("eve", "worker"), ("vic", "viewer"), ("max", "manager")):
            link = made.call("owner", "POST", "/api/invitations", {"role": role})[1]["token"]
            made.enter(name, link)
        yield made


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """open_page(**options) gives a page in a browser of its own; none may have errors or break the policy."""
    problems: list[str] = []
    contexts = []

    def make(**options: Any) -> Any:
        usual = {"viewport": {"width": 1280, "height": 720}, "reduced_motion": "reduce"}
        contexts.append(browser.new_context(**{**usual, **options}))
        contexts[-1].set_default_timeout(WAIT_MS)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda shown: (problems.append(f"dialog {shown.message}"), shown.dismiss()))
        page.on(
            "console", lambda said: problems.append(said.text) if "Content Security" in said.text else None
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def visitor(open_page: Callable[..., Any]) -> Any:
    """Somebody who is not signed in."""
    return open_page()


@pytest.fixture
def come_back(site: Site, open_page: Callable[..., Any]) -> Callable[..., Any]:
    """come_back(name, path) gives a page at `path` of somebody who has an account."""

    def make(name: str, path: str, **options: Any) -> Any:
        page = open_page(**options)
        token = site.call(name, "POST", "/api/link")[1]["token"]
        made = page.context.request.post(f"{site.url}/api/auth/enter", data={"token": token})
        assert made.ok, made.text()
        page.goto(site.url + path)
        return page

    return make
