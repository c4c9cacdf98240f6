"""amidst.store.backup: copies while others write, and putting one back."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig
from amidst.crowd.results import Receipt, Ticket
from amidst.crowd.store import open_store
from amidst.errors import DataError, UsageError
from amidst.store.backup import back_up, check_sound, restore

NOTHING: dict[str, Any] = {"panels": [{"super": "all", "present": False}]}
IMAGES = 60


def accept(_: Path) -> None:
    """Whatever it is."""


async def campaign(path: Path, images: int) -> Any:
    store = await open_store(path, create=True)
    await engine.create_campaign(store, CampaignConfig(), 0, secret="5e" * 32)
    await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
    new = [engine.NewImage(file_name=f"{i}.jpg", width=20, height=10) for i in range(images)]
    await engine.add_images(store, new, 0)
    for _ in range(8):
        await engine.add_worker(store, "", 0)
    return store


def make(path: Path, images: int) -> None:
    async def main() -> None:
        await (await campaign(path, images)).close()

    asyncio.run(main())


async def work(store: Any, worker: int, acknowledged: list[int]) -> None:
    """Labels all that is open."""
    while isinstance(got := await engine.lease(store, worker, "labelling", 0), Ticket):
        receipt = await engine.submit(store, worker, got.id, got.token, f"key {got.id}", NOTHING, Client(), 1)
        assert isinstance(receipt, Receipt)
        acknowledged.append(receipt.answer_id)


async def examined(path: Path) -> tuple[set[int], int]:
    """The answers of a database, and how many faults it has."""
    with closing(sqlite3.connect(path)) as connection:
        answers = {row[0] for row in connection.execute("SELECT id FROM answer")}
    store = await open_store(path)
    faults = await engine.doctor(store)
    await store.close()
    return answers, len(faults)


def test_where_there_is_nothing_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no database here"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(UsageError, match="no backup here"):
        restore(tmp_path / "none.db", tmp_path / "campaign.db", accept)
    assert list(tmp_path.iterdir()) == []


def test_copies_made_under_load_are_whole_and_sound(tmp_path: Path) -> None:
    path, ready = tmp_path / "campaign.db", threading.Event()
    acknowledged: list[int] = []
    copies: list[tuple[Path, int]] = []

    async def load() -> None:
        store = await campaign(path, IMAGES)
        ready.set()
        await asyncio.gather(*(work(store, worker, acknowledged) for worker in range(1, 9)))
        await store.close()

    crowd = threading.Thread(target=asyncio.run, args=(load(),))
    crowd.start()
    assert ready.wait(60)
    while crowd.is_alive():
        copies.append((tmp_path / f"copy{len(copies)}.db", len(acknowledged)))
        back_up(path, copies[-1][0])
    crowd.join()
    assert len(acknowledged) == 8 * IMAGES
    amid = [(copy, number) for copy, number in copies if 0 < number < 8 * IMAGES]
    assert amid, "no copy fell into the work"
    for copy, number in amid[:: max(1, len(amid) // 4)]:
        answers, faults = asyncio.run(examined(copy))
        assert faults == 0
        assert set(acknowledged[:number]) <= answers  # what was acknowledged before it began is in it
    assert not list(tmp_path.glob("*.part"))


def test_a_copy_overwrites_nothing(tmp_path: Path) -> None:
    make(tmp_path / "campaign.db", 1)
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(UsageError, match="overwrites nothing"):
        back_up(tmp_path / "campaign.db", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_a_copy_is_put_back_and_what_was_there_is_kept(tmp_path: Path) -> None:
    path, copy = tmp_path / "campaign.db", tmp_path / "copy.db"

    async def play() -> None:
        store = await campaign(path, 2)
        assert back_up(path, copy) == copy.stat().st_size
        await work(store, 1, [])
        with pytest.raises(UsageError, match="in use by process"):
            restore(copy, path, accept)
        await store.close()

    asyncio.run(play())
    kept = copy.read_bytes()
    restore(copy, path, accept)
    assert not path.with_name("campaign.db-wal").exists()
    assert asyncio.run(examined(path)) == (set(), 0)
    assert len(asyncio.run(examined(tmp_path / "campaign.db.before"))[0]) == 2
    assert copy.read_bytes() == kept


def test_answers_that_lie_beside_the_file_go_with_the_old_one(tmp_path: Path) -> None:
    """A server that was killed leaves its last commits in -wal: they belong to the database of before."""
    path, copy, crashed = tmp_path / "campaign.db", tmp_path / "copy.db", tmp_path / "crashed"

    async def play() -> None:
        store = await campaign(path, 2)
        back_up(path, copy)
        await work(store, 1, [])
        crashed.mkdir()
        for file in tmp_path.glob("campaign.db*"):
            (crashed / file.name).write_bytes(file.read_bytes())
        await store.close()

    asyncio.run(play())
    assert (crashed / "campaign.db-wal").stat().st_size > 0
    restore(copy, crashed / "campaign.db", accept)
    assert asyncio.run(examined(crashed / "campaign.db")) == (set(), 0)
    assert len(asyncio.run(examined(crashed / "campaign.db.before"))[0]) == 2


def test_what_is_damaged_or_refused_changes_nothing(tmp_path: Path) -> None:
    path, copy = tmp_path / "campaign.db", tmp_path / "copy.db"
    make(path, 30)
    back_up(path, copy)
    before, whole = path.read_bytes(), bytearray(copy.read_bytes())

    def refuse(_: Path) -> None:
        raise DataError("not this one")

    with pytest.raises(DataError, match="not this one"):
        restore(copy, path, refuse)
    for start in range(4096, len(whole), 8192):
        whole[start : start + 512] = b"\xff" * 512
    copy.write_bytes(whole)
    with pytest.raises(DataError, match="damaged"):
        restore(copy, path, accept)
    with pytest.raises(DataError, match="damaged"):
        back_up(copy, tmp_path / "second.db")
    (tmp_path / "text.db").write_text("no database at all, but long enough to look at" * 100)
    with pytest.raises(DataError, match="not a database"):
        check_sound(tmp_path / "text.db")
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
