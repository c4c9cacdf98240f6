"""How long a manager's change of a large campaign takes, and how long a worker waits meanwhile.

    python benchmarks/crowd_changes.py --images 20000
    python benchmarks/crowd_changes.py --images 20000 --database-url postgresql://postgres@127.0.0.1/empty

The campaign is the one of `crowd_doctor.py`: 40 simulated photographs, gone through all stages by real
requests, and copied until there are as many as asked for. One worker's answers of all copies belong to one
person, whose work is voided. While each change goes on, somebody leases and gives back without a pause.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import crowd_doctor
import timing

from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.results import Ticket
from amidst.crowd.schema import metadata
from amidst.crowd.store import Store, open_store
from amidst.store.copying import copy_to_postgres
from amidst.store.postgres import PostgresStore
from amidst.store.sqlite import SqliteStore

RESULTS = Path(__file__).parent / "results"
AT = 2 * 10**15  # after everything that was simulated
OPEN = 300  # further images, so that there is something to lease
ONE_PERSON = ("labelling", "spotting", "verification", "segmentation", "crowd_regions", "captions")


def make(folder: Path, images: int, source: Path | None) -> tuple[Path, int, int]:
    """The campaign; its category of most cells, and the worker of most answers."""
    if source is None:
        source = folder / "source.db"
        crowd_doctor.simulate(folder / "simulated")
        with closing(sqlite3.connect(folder / "simulated" / "campaign.db")) as connection:
            connection.execute("VACUUM INTO ?", (str(source),))
    campaign = folder / "campaign.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(campaign),))
        category = _most(connection, "SELECT category_id FROM cell GROUP BY 1 ORDER BY count(*) DESC")
        worker = _most(
            connection,
            "SELECT worker_id FROM answer WHERE worker_id NOT IN (SELECT id FROM worker WHERE expert) "
            "GROUP BY 1 ORDER BY count(*) DESC",
        )
    crowd_doctor.multiply(source, campaign, images // crowd_doctor.SOURCE_IMAGES)
    one_person(campaign, worker)
    return campaign, category, worker


def one_person(campaign: Path, worker: int) -> None:
    """Gives the answers of a worker's copies to the worker; not of training, for gates are personal."""
    stages = ", ".join(f"'{stage}'" for stage in ONE_PERSON)
    copies = f"worker_id % {crowd_doctor.STEP} = {worker} AND worker_id <> {worker}"
    tickets = f"ticket_id IN (SELECT id FROM ticket WHERE worker_id = {worker})"
    with closing(sqlite3.connect(campaign, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute(f"UPDATE ticket SET worker_id = {worker} WHERE {copies} AND stage IN ({stages})")
        connection.execute(
            f"UPDATE answer SET idem_key = worker_id || ' ' || idem_key, worker_id = {worker} "
            f"WHERE {copies} AND stage IN ({stages})"
        )
        connection.execute(f"UPDATE slot SET worker_id = {worker} WHERE {copies} AND {tickets}")
        connection.execute(f"UPDATE caption SET worker_id = {worker} WHERE {copies}")
        author = copies.replace("worker_id", "author_id")
        connection.execute(f"UPDATE unit SET author_id = {worker} WHERE {author}")
        connection.execute("COMMIT")
        connection.execute("ANALYZE")


def _most(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


async def measure(store: Store, category: int, worker: int) -> list[timing.Row]:
    """Every change in turn; the campaign is sound after each."""
    new = [NewImage(file_name=f"new {n}.jpg", width=640, height=480) for n in range(OPEN)]
    await engine.add_images(store, new, AT)
    other = await engine.add_worker(store, "somebody", AT)
    config = await engine.campaign_config(store)
    fewer = override(config, ["spotting.workers=6", "labelling.workers=6", "captions.workers=4"])
    next_id = max(one.id for one in await engine.list_categories(store)) + 1
    further = NewCategory(id=next_id, name="further", supercategory="further")
    voids: list[int] = []

    async def void() -> None:
        voids.append((await engine.void(store, worker, None, "", "", AT)).void_id)

    changes: dict[str, Callable[[], Awaitable[object]]] = {
        "retire a category": lambda: engine.retire_category(store, category, AT),
        "take it up again": lambda: engine.restore_category(store, category, AT + 1),
        "preview of a void": lambda: engine.preview_void(store, worker, None),
        "void": void,
        "fewer workers": lambda: engine.change_config(store, fewer, AT),
        "more workers": lambda: engine.change_config(store, config, AT),
        "take the void back": lambda: engine.revert_void(store, voids[0], AT),
        "add a category": lambda: engine.add_categories(store, [further], AT + 2),
    }
    return [await beside(store, other, name, change) for name, change in changes.items()]


async def beside(store: Store, worker: int, name: str, change: Callable[[], Awaitable[object]]) -> timing.Row:
    """Seconds of a change, and milliseconds of each request of somebody who works meanwhile."""
    waited: list[float] = []
    going = True

    async def work() -> None:
        while going:
            start = time.perf_counter()
            got = await engine.lease(store, worker, "labelling", AT + 3)
            waited.append(1e3 * (time.perf_counter() - start))
            if isinstance(got, Ticket):
                start = time.perf_counter()
                await engine.release(store, worker, got.id, got.token)
                waited.append(1e3 * (time.perf_counter() - start))

    working = asyncio.create_task(work())
    await asyncio.sleep(0.5)
    waited.clear()
    start = time.perf_counter()
    await change()
    seconds = time.perf_counter() - start
    going = False
    await working
    row: timing.Row = {
        "change": name,
        "seconds": round(seconds, 2),
        "requests": len(waited),
        "wait_ms_median": round(statistics.median(waited), 1),
        "wait_ms_longest": round(max(waited), 1),
    }
    timing.show([row])
    return row


async def run(campaign: Path, url: str, category: int, worker: int, check: bool) -> list[timing.Row]:
    store = await open_store(campaign)
    if url:
        assert isinstance(store, SqliteStore)
        target = await open_store(url, create=True)
        assert isinstance(target, PostgresStore)
        await copy_to_postgres(store, target, metadata, lambda *_: None)
        await store.close()
        await target.write(lambda c: c.exec_driver_sql("ANALYZE"))
        store = target
    rows = await measure(store, category, worker)
    if check and (faults := await engine.doctor(store)):
        raise RuntimeError(f"{len(faults)} faults, such as {faults[0]}")
    await store.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database")
    parser.add_argument("--source", type=Path, help="database of a simulated campaign, to leave that out")
    parser.add_argument("--no-doctor", action="store_true", help="leave out the examination at the end")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    kind = "postgresql" if given.database_url else "sqlite"
    with tempfile.TemporaryDirectory() as folder:
        campaign, category, worker = make(Path(folder), given.images, given.source)
        with closing(sqlite3.connect(campaign)) as connection:
            cells = _most(connection, f"SELECT count(*) FROM cell WHERE category_id = {category}")
            answers = _most(connection, f"SELECT count(*) FROM answer WHERE worker_id = {worker}")
        about: timing.Row = {"store": kind, "images": given.images, "cells": cells, "answers": answers}
        timing.show([about])
        rows = asyncio.run(run(campaign, given.database_url, category, worker, not given.no_doctor))
    output = given.output or RESULTS / f"crowd_changes_{kind}.json"
    timing.write(output, "python benchmarks/crowd_changes.py", "wall", [{**about, **row} for row in rows])


if __name__ == "__main__":
    main()
