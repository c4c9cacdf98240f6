"""Promises of the annotation store without HTTP: exactly once at full size, leases among ten million places.

    python benchmarks/crowd_store.py once                     # 200 workers, 500 units x 8
    python benchmarks/crowd_store.py once --database-url postgresql://postgres@127.0.0.1/empty
    python benchmarks/crowd_store.py queue --units 1250000    # 10 million places, 3 million taken

once: 3 % of the workers come back late, 2 % never, 10 % send everything twice. Goal: 4,000 answers, none
doubled. queue: milliseconds of a lease for a new worker, for one who has judged 5,000 units that are still
open, and for one who has judged all that is open but one. Goal: 5 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import timing
from sqlalchemy import func, insert, select, text

from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.schema import answer, slot, ticket
from amidst.crowd.store import Store, open_store

NOTHING: dict[str, Any] = {"panels": [{"super": "all", "present": False}]}
CHUNK = 50_000
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


async def once(where: str) -> dict[str, Any]:
    """Everybody works at once until every place is filled."""
    images, number = 500, 200
    store, workers = await begin(where, images, number)
    acknowledged: set[int] = set()
    leases: list[float] = []
    clock = [0]

    async def one(worker: int, luck: random.Random) -> None:
        idle = 0
        while idle < 3:
            clock[0] += 1000
            start = time.perf_counter()
            got = await engine.lease(store, worker, "labelling", clock[0])
            leases.append(time.perf_counter() - start)
            if isinstance(got, NoWork):
                idle += 1
                clock[0] += 10**9
                await engine.sweep(store, clock[0])
                continue
            idle, chance = 0, luck.random()
            if chance < 0.02:
                continue
            if chance < 0.05:
                await engine.sweep(store, got.expires_at + 1)
            times = 2 if chance > 0.9 else 1
            sent = (
                engine.submit(store, worker, got.id, got.token, f"{got.id}", NOTHING, Client(), clock[0])
                for _ in range(times)
            )
            for receipt in await asyncio.gather(*sent):
                if isinstance(receipt, Receipt):
                    acknowledged.add(receipt.answer_id)

    begun = time.perf_counter()
    await asyncio.gather(*(one(worker, random.Random(worker)) for worker in workers))
    seconds = time.perf_counter() - begun
    live = slot.c.state == "submitted"
    most = select(func.count()).where(live).group_by(slot.c.unit_id).order_by(func.count().desc()).limit(1)
    found = {
        "answers": await scalar(store, select(func.count()).select_from(answer)),
        "acknowledged": len(acknowledged),
        "places": images * 8,
        "most_of_one_unit": await scalar(store, most),
        "faults": len(await engine.doctor(store)),
        "pairs_per_second": round(len(acknowledged) / seconds, 1),
        "lease_ms": quantiles(leases),
    }
    await store.close()
    return found


async def scalar(store: Store, query: Any) -> int:
    return int(await store.read(lambda c: c.execute(query).scalar_one()))


async def queue(where: str, units: int) -> dict[str, Any]:
    """Leases in a queue whose first half has been taken by four workers, and all of it by one."""
    store, workers = await begin(where, units, 10)
    busy, nearly, *others = workers
    old = {"stage": "labelling", "token_hash": "", "plan_json": "{}", "issued_at": 0, "expires_at": 0}
    fill = text(
        "INSERT INTO slot (unit_id, worker_id, ticket_id, position, state) "
        "SELECT id, :worker, :ticket, 0, 'leased' FROM unit WHERE stage = 'labelling' "
        "ORDER BY id LIMIT :number"
    )
    for worker, taken in ((busy, 5000), (nearly, units - 1), *((other, units // 2) for other in others[:3])):
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
    found: dict[str, Any] = {"units": units, "places": units * 8}
    for name, worker in (("new", others[-1]), ("busy", busy), ("nearly_done", nearly)):
        seconds = []
        for _ in range(50):
            start = time.perf_counter()
            got = await engine.lease(store, worker, "labelling", 0)
            seconds.append(time.perf_counter() - start)
            if isinstance(got, Ticket):
                await engine.release(store, worker, got.id, got.token)
        found[f"lease_ms_{name}"] = quantiles(seconds)
    found["slots"] = await scalar(store, select(func.count()).select_from(slot))
    await store.close()
    return found


def quantiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {f"p{q}": round(1e3 * cuts[q - 1], 2) for q in (50, 95, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("once", "queue"))
    parser.add_argument("--database-url")
    parser.add_argument("--units", type=int, default=1_250_000)
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = chosen.database_url or str(Path(folder) / "campaign.db")
        kind = "postgresql" if chosen.database_url else "sqlite"
        work = once(where) if chosen.what == "once" else queue(where, chosen.units)
        rows: list[timing.Row] = [{"what": chosen.what, "store": kind, **asyncio.run(work)}]
    timing.show(rows)
    output = chosen.output or RESULTS / f"crowd_store_{chosen.what}_{kind}.json"
    timing.write(output, "python benchmarks/crowd_store.py", "wall", rows)


if __name__ == "__main__":
    main()
