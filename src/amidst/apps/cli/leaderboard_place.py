"""A benchmark on this machine, for the commands of `leaderboard`: where it lies, how it is made."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from amidst.coco.dataset import CocoDataset
from amidst.errors import UsageError
from amidst.leaderboard import benchmarks
from amidst.leaderboard.benchmarks import NewPhase, Phase
from amidst.leaderboard.config import BenchmarkConfig, PhaseConfig
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.store import open_store
from amidst.store.opening import Store

DatabaseUrl = Annotated[
    str,
    typer.Option(
        help="postgresql://user:password@host/database instead of SQLite in DIR.",
        envvar="AMIDST_DATABASE_URL",
        show_envvar=True,
        show_default=False,
    ),
]


def now() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Place:
    """Where a benchmark lies. url: of its database, "" for SQLite in the folder."""

    root: Path
    url: str = ""

    @property
    def folder(self) -> Folder:
        """Its files."""
        return Folder(self.root)

    @property
    def database(self) -> str | Path:
        """What `open_store` takes."""
        return self.url or self.folder.database


@asynccontextmanager
async def opened(
    place: Place, *, create: bool = False, read_only: bool = False, beside: bool = False
) -> AsyncIterator[Store]:
    """The benchmark's database, closed at the end. The flags are those of `open_store`."""
    store = await open_store(place.database, create=create, read_only=read_only, beside=beside)
    try:
        yield store
    finally:
        await store.close()


def parse_phase(word: str, *, first: bool) -> NewPhase:
    """NAME:SHARE. The scores of the first phase are for all. Raises UsageError."""
    name, _, share = word.rpartition(":")
    try:
        part = float(share)
    except ValueError:
        part = 0.0
    if not name.strip() or len(name) > 60 or "/" in name or not 0 < part <= 1:
        raise UsageError(f"--phase {word}: expected a name and a share of the images, such as dev:0.5")
    return NewPhase(name.strip(), part, PhaseConfig(visibility="all" if first else "nobody"))


def make(
    place: Place,
    dataset: CocoDataset,
    name: str,
    description: str,
    config: BenchmarkConfig,
    phases: Sequence[NewPhase],
    seed: int | None,
) -> list[Phase]:
    """A new benchmark, or nothing at all. Raises UsageError if there is one in the folder."""
    folder = place.folder
    if folder.hidden.exists() or folder.database.exists():
        raise UsageError(f"{place.root}: there is a benchmark already")

    folder.make()  # before the database, so that its folder is closed to others

    async def work() -> list[Phase]:
        async with opened(place, create=True) as store:
            return await benchmarks.create(
                store,
                folder,
                dataset,
                name=name,
                description=description,
                config=config,
                phases=phases,
                seed=secrets.randbits(32) if seed is None else seed,
                now=now(),
            )

    try:
        return asyncio.run(work())
    except BaseException:
        for part in (folder.hidden, folder.uploads, folder.work):
            shutil.rmtree(part, ignore_errors=True)
        for file in (*place.root.glob(f"{folder.database.name}*"), folder.public):
            file.unlink(missing_ok=True)
        raise


def tidy_url(url: str) -> str:
    """Scheme and host of --public-url. Raises UsageError."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/")):
        raise UsageError(f"--public-url {url}: expected scheme and host, such as https://board.example")
    return f"{parts.scheme}://{parts.netloc}" if url else ""
