"""A campaign's folder: making one, opening one, running its server.

DIR/campaign.db     the database (SQLite; with --database-url it lies elsewhere)
DIR/media/          the pictures as they are served
DIR/secrets.json    keys of this installation, mode 600
DIR/address.txt     where it was last served
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amidst.apps.cli.console import warning_line
from amidst.apps.cli.crowd_records import read_origins
from amidst.apps.cli.progress import step
from amidst.apps.server.media import MediaStore
from amidst.apps.server.media_import import Imported, find_pictures, import_folder
from amidst.coco.categories import icon_groups
from amidst.coco.dataset import CocoDataset
from amidst.crowd import engine
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.config import CampaignConfig
from amidst.crowd.golds import NewKnown
from amidst.crowd.store import Store, open_store
from amidst.crowd.vocabulary import definition_of
from amidst.errors import DataError, UsageError
from amidst.store.opening import has_tables

DATABASE, MEDIA = "campaign.db", "media"
MAX_WARNINGS = 20


def now() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Place:
    """Where a campaign lies. url: of its database, "" for SQLite in the folder."""

    folder: Path
    url: str = ""

    @property
    def database(self) -> str | Path:
        """What `open_store` takes."""
        return self.url or self.folder / DATABASE

    @property
    def media(self) -> MediaStore:
        """The pictures."""
        return MediaStore(self.folder / MEDIA)


@asynccontextmanager
async def opened(
    place: Place,
    *,
    create: bool = False,
    read_only: bool = False,
    durable: bool = True,
    beside: bool = False,
) -> AsyncIterator[Store]:
    """The campaign's database, closed at the end. The flags are those of `open_store`."""
    store = await open_store(
        place.database, create=create, read_only=read_only, durable=durable, beside=beside
    )
    try:
        yield store
    finally:
        await store.close()


def check_new(place: Place, config: CampaignConfig, categories: Sequence[NewCategory]) -> None:
    """Everything that may be refused of a new campaign before its photographs are read.

    Raises UsageError if there is a campaign already, ConfigError, DataError, StoreUnavailable.
    """
    if (place.folder / DATABASE).exists():
        raise UsageError(f"{place.folder}: there is a campaign already")
    asyncio.run(_check_database(place))
    with tempfile.TemporaryDirectory(prefix="amidst-crowd-") as name:
        create(Place(Path(name)), config, categories, [], at=now())


async def _check_database(place: Place) -> None:
    if place.url and await has_tables(place.url):
        async with opened(place) as store:
            if await engine.has_campaign(store):
                raise UsageError("the database of --database-url holds a campaign already")


@contextmanager
def undone_on_failure(folder: Path) -> Iterator[None]:
    """Removes what a failure within has left in a campaign's folder; what was there before stays."""
    before = {folder, *folder.rglob("*")} if folder.exists() else set()
    try:
        yield
    except BaseException:
        left = [folder / "secrets.json", folder / MEDIA, *(folder / MEDIA).rglob("*"), folder]
        for path in sorted(set(left) - before, key=lambda path: len(path.parts), reverse=True):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        raise


def take_in(folder: Path, media: MediaStore, records: Path | None = None) -> list[NewImage]:
    """All pictures of a folder, in the store. Refused ones are told; raises DataError when none is left.

    records: a COCO file, such as `collect fetch` writes, whose image records say who took a picture, when,
    and under which licence, by file name.
    """
    if not folder.is_dir():
        raise UsageError(f"--images {folder}: there is no such folder")
    origins = {} if records is None else read_origins(records)
    names = find_pictures(folder)
    taken: list[NewImage] = []
    refused: list[Imported] = []
    with step("images", len(names)) as progress:
        for done, one in enumerate(import_folder(folder, names, media), 1):
            if one.stored is None:
                refused.append(one)
            else:
                height, width = one.stored.size_hw
                sha256, origin = one.stored.sha256, origins.get(one.file_name, {})
                new = NewImage(file_name=one.file_name, width=width, height=height, sha256=sha256, **origin)
                taken.append(new)
            progress.update(done)
    for one in refused[:MAX_WARNINGS]:
        warning_line(one.problem)
    if len(refused) > MAX_WARNINGS:
        warning_line(f"and {len(refused) - MAX_WARNINGS} more")
    if not taken:
        raise DataError("no picture that can be taken in", file=folder, rule="no-images")
    return taken


def read_categories(path: Path | None) -> list[NewCategory]:
    """Categories of a COCO file, or of a text file with lines "name" or "name, supercategory".

    Without a file, the 91 of the thesis in its 11 groups. Raises DataError.
    """
    if path is None:
        groups = icon_groups().items()
        return [
            NewCategory(id=one.id, name=one.name, supercategory=group, definition=definition_of(one.name))
            for group, members in groups
            for one in members
        ]
    if path.suffix.lower() == ".json":
        found = CocoDataset.load(path).categories
        return [
            NewCategory(id=one.id, name=one.name, supercategory=one.supercategory or "thing") for one in found
        ]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError("not text in UTF-8", file=path, rule="categories") from None
    return _from_lines([line.strip() for line in lines], path)


def _from_lines(lines: Sequence[str], path: Path) -> list[NewCategory]:
    made: list[NewCategory] = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        name, _, group = (part.strip() for part in line.partition(","))
        if not name or name in {one.name for one in made}:
            problem = f"{name!r} is named twice" if name else "no name before the comma"
            raise DataError(problem, file=path, record=f"line {number}", rule="categories")
        made.append(NewCategory(id=len(made) + 1, name=name, supercategory=group or "thing"))
    if not made:
        raise DataError("no category in the file", file=path, rule="categories")
    return made


def create(
    place: Place,
    config: CampaignConfig,
    categories: Sequence[NewCategory],
    images: Sequence[NewImage],
    known: Sequence[NewImage] = (),
    *,
    vouched: Sequence[NewKnown] = (),
    at: int,
    secret: str = "",
    filtered: bool = False,
) -> list[int]:
    """The database of a new campaign, or none at all: the ids of its images, then of those that are known.

    vouched: further known photographs, with their masks. secret: draws the places of known items; random
    unless a run is to be repeated. filtered: images go through the image filter first.
    """

    async def work() -> list[int]:
        async with opened(place, create=True) as store:
            await engine.create_campaign(store, config, at, secret=secret or secrets.token_hex(32))
            await engine.add_categories(store, categories)
            state: Literal["candidate", "kept"] = "candidate" if filtered else "kept"
            ids = await engine.add_images(store, images, at, state=state)
            ids += await engine.add_images(store, known, at, state="gold")
            await engine.add_known(store, vouched, at)
            return ids

    try:
        return asyncio.run(work())
    except BaseException:
        for file in place.folder.glob(f"{DATABASE}*"):
            file.unlink()
        raise


@contextmanager
def campaign_folder(kept: Path | None) -> Iterator[Place]:
    """The folder to keep, made if need be, or a temporary one that is gone at the end."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield Place(kept)
        return
    with tempfile.TemporaryDirectory(prefix="amidst-crowd-") as name:
        yield Place(Path(name))
