"""Promises of the annotation store without HTTP: exactly once at full size, leases among ten million places.

    python benchmarks/crowd_store.py once                     # 200 workers, 500 units x 8
    python benchmarks/crowd_store.py once --processes 4 --database-url postgresql://postgres@127.0.0.1/empty
    python benchmarks/crowd_store.py queue                    # 10 million places, 3.75 million taken
    python benchmarks/crowd_store.py queue --database-url postgresql://postgres@127.0.0.1/empty2

once: 3 % of the tickets come back late, 2 % never, 10 % are sent twice; of several processes one is killed in
the middle and started again. Goal: 4,000 answers, none doubled. queue: milliseconds of a lease in a campaign
of 1.25 million units of 8 places, 3.75 million of them taken (a place is a row from its lease on): for a new
worker, for one who has judged 5,000 units that are still open, and for one who has judged all that is open
but one (who looks at a bounded number of units and is told to ask again; nobody comes so far). Goal: 5 ms.
PostgreSQL has vacuumed and written what the filling left before the first lease.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import timing
from sqlalchemy import func, insert, select, text

from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.schema import answer, slot, ticket
from amidst.crowd.store import Store, open_store
from amidst.errors import StoreUnavailable

T = TypeVar("T")
NOTHING: dict[str, Any] = {"panels": [{"super": "all", "present": False}]}
CHUNK = 50_000
LEASES = 200
RESULTS = Path(__file__).parent / "results"


async def begin(where: str, images: int, workers: int) -> tuple[Store, list[int]]:
    store = await open_store(where, create=True)
    await engine.create_campaign(store, CampaignConfig(), 0, secret="5e" * 32)
    await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
    for start in range(0, images, CHUNK):
        names = range(start, min(images, start + CHUNK))
        new = [engine.NewImage(file_name=f"{i}.jpg", width=640, height=480) for i in names]
        await engine.add_images(store, new, 0)
    return store, [await engine.add_worker(store, "", 0) for _ in range(workers)]


IMAGES, WORKERS = 500, 200


async def persist(ask: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """As a page does: again while the database cannot be had."""
    while True:
        try:
            return await ask(*arguments)
        except StoreUnavailable:
            await asyncio.sleep(0.1)


async def play(store: Store, workers: list[int], tell: Callable[[int], None]) -> list[float]:
    """These workers work at once until they find nothing more; the seconds of every lease.

    tell: is given the number of every answer that was acknowledged.
    """
    ahead, leases = [0], list[float]()

    async def one(worker: int, luck: random.Random) -> None:
        idle = 0
        while idle < 3:
            now = time.time_ns() // 1000 + ahead[0]
            start = time.perf_counter()
            got = await persist(engine.lease, store, worker, "labelling", now)
            leases.append(time.perf_counter() - start)
            if isinstance(got, NoWork):
                idle += 1
                ahead[0] += 10**9  # longer than a lease: what was abandoned comes back
                await persist(engine.sweep, store, now + 10**9)
                continue
            idle, chance = 0, luck.random()
            if chance < 0.02:
                continue
            if chance < 0.05:
                await persist(engine.sweep, store, got.expires_at + 1)
            times = 2 if chance > 0.9 else 1
            sending = (store, worker, got.id, got.token, f"{got.id}", NOTHING, Client(), now)
            sent = (persist(engine.submit, *sending) for _ in range(times))
            for receipt in await asyncio.gather(*sent):
                if isinstance(receipt, Receipt):
                    tell(receipt.answer_id)

    seeds = random.Random(workers[0])
    await asyncio.gather(*(one(worker, random.Random(seeds.random())) for worker in workers))
    return leases


async def play_apart(where: str, workers: list[int]) -> None:
    """A process of its own: prints answers as they are acknowledged."""
    store = await open_store(where)
    await play(store, workers, lambda answer_id: print(answer_id, flush=True))
    await store.close()


def play_in_processes(where: str, workers: list[int], processes: int) -> set[int]:
    """Everybody works in so many processes, of which one is killed; the acknowledged answers."""
    share = -(-len(workers) // processes)
    parts = [workers[start : start + share] for start in range(0, len(workers), share)]
    acknowledged: set[int] = set()

    def start(part: list[int]) -> subprocess.Popen[str]:
        command = [sys.executable, __file__, "play", "--database-url", where, "--workers"]
        return subprocess.Popen([*command, *map(str, part)], stdout=subprocess.PIPE, text=True)

    def listen(process: subprocess.Popen[str], lines: int | None = None) -> None:
        assert process.stdout is not None
        acknowledged.update(int(line) for line in itertools.islice(process.stdout, lines) if line[-1] == "\n")

    running = [start(part) for part in parts]
    listen(running[0], IMAGES * 8 // processes // 2)
    running[0].kill()
    running.append(start(parts[0]))
    with ThreadPoolExecutor(len(running)) as threads:
        list(threads.map(listen, running))
    for process in running:
        process.wait()
    return acknowledged


async def once(where: str, processes: int) -> dict[str, Any]:
    """Everybody works at once until every place is filled."""
    store, workers = await begin(where, IMAGES, WORKERS)
    acknowledged: set[int] = set()
    begun = time.perf_counter()
    if processes > 1:
        acknowledged |= await asyncio.to_thread(play_in_processes, where, workers, processes)
    leases = await play(store, workers, acknowledged.add)  # of several processes: what the killed one held
    seconds = time.perf_counter() - begun
    live = slot.c.state == "submitted"
    most = select(func.count()).where(live).group_by(slot.c.unit_id).order_by(func.count().desc()).limit(1)
    stored = set(await store.read(lambda c: c.execute(select(answer.c.id)).scalars().all()))
    found = {
        "processes": processes,
        "places": IMAGES * 8,
        "answers": len(stored),
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - stored),
        "most_of_one_unit": await scalar(store, most),
        "faults": len(await engine.doctor(store)),
        "pairs_per_second": round(len(stored) / seconds, 1),
        **({"lease_ms": quantiles(leases)} if processes == 1 else {}),
    }
    await store.close()
    return found


async def scalar(store: Store, query: Any) -> int:
    return int(await store.read(lambda c: c.execute(query).scalar_one()))


async def queue(where: str, units: int) -> dict[str, Any]:
    """Leases in a queue whose first half has been taken by four workers, and all of it but one by a fifth."""
    store, workers = await begin(where, units, 10)
    busy, nearly, *others = workers
    old = {"stage": "labelling", "token_hash": "", "plan_json": "{}", "issued_at": 0, "expires_at": 0}
    fill = text(
        "INSERT INTO slot (unit_id, worker_id, ticket_id, position, state) "
        "SELECT id, :worker, :ticket, 0, 'leased' FROM unit WHERE stage = 'labelling' "
        "ORDER BY id LIMIT :number"
    )
    for worker, taken in ((busy, 5000), (nearly, units - 1), *((other, units // 2) for other in others[:4])):
        made = insert(ticket).returning(ticket.c.id)
        held = await store.write(
            lambda c, w=worker, made=made: c.execute(
                made, {**old, "worker_id": w, "state": "released"}
            ).scalar_one()
        )
        await store.write(
            lambda c, w=worker, t=held, n=taken: c.execute(fill, {"worker": w, "ticket": t, "number": n})
        )
    counted = text(
        "UPDATE unit SET taken = (SELECT count(*) FROM slot WHERE slot.unit_id = unit.id "
        "AND slot.state IN ('leased', 'submitted'))"
    )
    await store.write(lambda c: c.execute(counted))
    await settle(where)
    found: dict[str, Any] = {"units": units, "places": units * 8}
    for name, worker in (("new", others[-1]), ("busy", busy), ("nearly_done", nearly)):
        seconds, tickets, processor = [], 0, time.process_time()
        for _ in range(LEASES):
            start = time.perf_counter()
            got = await engine.lease(store, worker, "labelling", 0)
            seconds.append(time.perf_counter() - start)
            if isinstance(got, Ticket):
                tickets += 1
                await engine.release(store, worker, got.id, got.token)
        used = 1e3 * (time.process_time() - processor) / LEASES
        about = {"tickets": tickets, "processor_with_release": round(used, 2)}
        found[f"lease_ms_{name}"] = {**quantiles(seconds), **about}
    found["slots"] = await scalar(store, select(func.count()).select_from(slot))
    await store.close()
    return found


async def settle(where: str) -> None:
    """The end of what a mass insert leaves to PostgreSQL, which no campaign fills within a minute."""
    if "://" in where:
        connection = await asyncpg.connect(where)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()


def quantiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {f"p{q}": round(1e3 * cuts[q - 1], 2) for q in (50, 95, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("once", "queue", "play"))
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database")
    parser.add_argument("--processes", type=int, default=1, help="of once, on PostgreSQL")
    parser.add_argument("--units", type=int, default=1_250_000, help="of queue")
    parser.add_argument("--workers", type=int, nargs="*", help="of a process that once has started (play)")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    if chosen.what == "play":
        asyncio.run(play_apart(chosen.database_url, chosen.workers))
        return
    with tempfile.TemporaryDirectory() as folder:
        where = chosen.database_url or str(Path(folder) / "campaign.db")
        kind = "postgresql" if chosen.database_url else "sqlite"
        work = once(where, chosen.processes) if chosen.what == "once" else queue(where, chosen.units)
        rows: list[timing.Row] = [{"what": chosen.what, "store": kind, **asyncio.run(work)}]
    timing.show(rows)
    output = chosen.output or RESULTS / f"crowd_store_{chosen.what}_{kind}.json"
    timing.write(output, "python benchmarks/crowd_store.py", "wall", rows)


if __name__ == "__main__":
    main()
