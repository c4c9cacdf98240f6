"""Promises of the annotation server over HTTP, at full size, against a real `amidst crowd serve`.

    python benchmarks/crowd_http.py load        # 200 workers at 10 s a task, then without a pause
    python benchmarks/crowd_http.py kill        # 100 x kill -9 over 20,000 submits
    python benchmarks/crowd_http.py kill --processes 2 --database-url postgresql://postgres@127.0.0.1/empty

load: each worker has a connection of its own, leases a ticket of the labelling stage, waits, submits it, and
begins again; the latencies are those of the clients, which share the machine with the server. Goals: p95 <=
100 ms and p99 <= 300 ms at 10 s a task; at least 300 pairs of lease and submit a second without a pause; no
error.

kill: the server is killed at random instants and started again; a client whose request failed repeats it with
the same idempotency key until it has a reply. Afterwards the answers in the database are held against the
receipts: every one is there, once, under its number, and there is none without a receipt. Of several
processes on one PostgreSQL database one is killed at a time; each client stays with its own.

The campaign has rows and no pictures: what is measured is the queue, not the disk that pictures lie on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timing
from crowd_server import Connection, Gone, Server, come_in, make_campaign, nothing_there
from sqlalchemy import select

from amidst.crowd import engine
from amidst.crowd.schema import answer
from amidst.crowd.store import open_store

RESULTS = Path(__file__).parent / "results"
RETRY_S = 0.05
PAIRS_PER_S = 1000  # more than a server does


# --- load ---------------------------------------------------------------------------------------------------


@dataclass
class Load:
    """What the clients saw."""

    pairs: int = 0
    errors: Counter[str] = field(default_factory=Counter)


async def label(one: Connection, load: Load, until: float, pause: Callable[[], float]) -> None:
    """One worker, until the time is over or nothing is left."""
    await asyncio.sleep(pause() * random.random())
    count = 0
    while time.monotonic() < until:
        status, found = await one.call("POST", "/api/tickets/lease", {"stage": "labelling"})
        if status != 200 or found["ticket"] is None:
            load.errors[f"lease {status} {found.get('reason', found.get('error'))}"] += 1
            return
        ticket = found["ticket"]
        await asyncio.sleep(pause())
        sent = {
            "token": ticket["token"],
            "idem_key": f"{ticket['id']}-{count:08}",
            "body": nothing_there(ticket),
        }
        status, found = await one.call("POST", f"/api/tickets/{ticket['id']}/submit", sent)
        if status != 200:
            load.errors[f"submit {status} {found}"] += 1
        load.pairs += 1
        count += 1


async def measure_load(server: Server, workers: int, seconds: float, think_s: float) -> dict[str, object]:
    """The latencies of `workers` workers who think so long, uniformly from half of it to half more."""
    connections = await come_in(server, workers)
    load, begin, worked = Load(), time.monotonic(), server.processor_s()

    def pause() -> float:
        return random.uniform(0.5, 1.5) * think_s

    await asyncio.gather(*(label(one, load, begin + seconds, pause) for one in connections))
    took = time.monotonic() - begin
    latencies = sorted(1e3 * value for one in connections for value in one.latencies)
    for one in connections:
        one.close()
    return {
        "name": f"{workers} workers, {think_s:g} s a task",
        "seconds": round(took, 1),
        "pairs": load.pairs,
        "pairs_per_s": round(load.pairs / took, 1),
        "p50_ms": round(statistics.median(latencies), 1),
        "p95_ms": round(latencies[int(0.95 * len(latencies))], 1),
        "p99_ms": round(latencies[int(0.99 * len(latencies))], 1),
        "max_ms": round(latencies[-1], 1),
        "server_ms_per_pair": round(1e3 * (server.processor_s() - worked) / max(load.pairs, 1), 2),
        "errors": sum(load.errors.values()),
        "error_kinds": dict(load.errors.most_common(5)),
        "server_mb": round(server.memory_mb(), 1),
    }


def run_load(
    folder: Path, database_url: str, workers: int, seconds: float, think_s: float
) -> list[timing.Row]:
    """With a pause and without one, each on a campaign of its own."""
    # Enough for all together, and for a worker alone: nobody sees an image twice.
    images = max(int(workers * seconds * 20 / 8) + workers, int(seconds * PAIRS_PER_S))
    rows: list[timing.Row] = []
    for name, pause in (("", think_s), ("2", 0.0)):
        place, url = folder.with_name(f"campaign{name}"), f"{database_url}{name}" if database_url else ""
        asyncio.run(make_campaign(place, url, images))
        server = Server(place, url)
        start_s = round(server.start(), 2)
        try:
            row = asyncio.run(measure_load(server, workers, seconds, pause))
        finally:
            server.stop()
        rows.append({**row, "start_s": start_s, "database": kind(url)})
    return rows


# --- kill ---------------------------------------------------------------------------------------------------


@dataclass
class Promises:
    """Receipts by idempotency key, and how often a request had to be repeated."""

    wanted: int
    receipts: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    replayed: int = 0
    over: bool = False


async def persist(
    promises: Promises, one: Connection, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    """Repeat a request until there is a reply."""
    while True:
        try:
            status, found = await one.call(method, path, body)
        except Gone:
            promises.repeated += 1
            await asyncio.sleep(RETRY_S)
            continue
        if status == 503:
            promises.repeated += 1
            await asyncio.sleep(RETRY_S)
            continue
        return status, found


async def work_on(one: Connection, number: int, promises: Promises) -> None:
    """One worker who never gives up."""
    count = 0
    while len(promises.receipts) < promises.wanted:
        ticket = await some_ticket(one, promises)
        if ticket is None:
            return
        count += 1
        key = f"worker-{number}-{count:06}"
        sent = {"token": ticket["token"], "idem_key": key, "body": nothing_there(ticket)}
        path = f"/api/tickets/{ticket['id']}/submit"
        status, found = await persist(promises, one, "POST", path, sent)
        if status != 200:
            raise RuntimeError(f"submit of {key}: {status} {found}")
        promises.receipts[key] = found["answer_id"]
        promises.replayed += found["replayed"]


async def some_ticket(one: Connection, promises: Promises) -> dict[str, Any] | None:
    """A new ticket, or one whose lease was granted in a reply that never came."""
    _, found = await persist(promises, one, "POST", "/api/tickets/lease", {"stage": "labelling"})
    if found["ticket"] is not None:
        return dict(found["ticket"])
    if found["reason"] != "too_many_tickets":
        return None
    _, held = await persist(promises, one, "GET", "/api/tickets")
    path = f"/api/tickets/{held[0]['id']}/resume"
    _, found = await persist(promises, one, "POST", path)
    return dict(found["ticket"])


async def kill_often(servers: Sequence[Server], kills: int, promises: Promises, seed: int) -> list[float]:
    """Kill one of the servers at instants spread over the work; the seconds of each new start."""
    chance, starts = random.Random(seed), []
    marks = sorted(chance.randrange(promises.wanted) for _ in range(kills))
    for mark in marks:
        while len(promises.receipts) < mark:
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.uniform(0, 0.02))
        server = chance.choice(servers)
        server.kill()
        starts.append(await asyncio.to_thread(server.start))
    return starts


async def stored_answers(folder: Path, database_url: str) -> list[tuple[str, int]]:
    """Key and number of every answer in the database."""
    store = await open_store(database_url or folder / "campaign.db")
    rows = await store.read(
        lambda c: [tuple(row) for row in c.execute(select(answer.c.idem_key, answer.c.id))]
    )
    faults = await engine.doctor(store)
    await store.close()
    if faults:
        raise RuntimeError(f"the doctor found {len(faults)} faults, the first: {faults[0]}")
    return [(str(key), int(number)) for key, number in rows]


def run_kill(
    folder: Path, database_url: str, kills: int, submits: int, workers: int, seed: int, processes: int = 1
) -> timing.Row:
    """Raises RuntimeError when a promise was broken."""
    asyncio.run(make_campaign(folder, database_url, submits // 8 + 8 * workers))
    servers, promises = [Server(folder, database_url) for _ in range(processes)], Promises(submits)
    servers[0].start()

    async def work() -> list[float]:
        connections = await come_in(servers[0], workers)
        for server in servers[1:]:
            server.link = servers[0].link  # used up: what the others print is "serving" alone
            await asyncio.to_thread(server.start)
        for number, one in enumerate(connections):
            one.close()
            one.port = servers[number % processes].port
        crowd = asyncio.gather(*(work_on(one, n, promises) for n, one in enumerate(connections)))
        starts = await kill_often(servers, kills, promises, seed)
        await crowd
        for one in connections:
            one.close()
        return starts

    begin = time.monotonic()
    try:
        starts = asyncio.run(work())
    finally:
        for server in servers:
            if server.process is not None:
                server.stop()
    took = time.monotonic() - begin
    stored = asyncio.run(stored_answers(folder, database_url))
    lost = set(promises.receipts.items()) - set(stored)
    doubled = [key for key, number in Counter(key for key, _ in stored).items() if number > 1]
    unknown = set(stored) - set(promises.receipts.items())
    if lost or doubled or unknown:
        raise RuntimeError(f"{len(lost)} lost, {len(doubled)} doubled, {len(unknown)} without a receipt")
    return {
        "name": "kill -9",
        "database": kind(database_url),
        "processes": processes,
        "kills": kills,
        "submits": len(promises.receipts),
        "lost": 0,
        "doubled": 0,
        "repeated_requests": promises.repeated,
        "replayed_receipts": promises.replayed,
        "seconds": round(took, 1),
        "median_start_s": round(statistics.median(starts), 2) if starts else None,
    }


def kind(database_url: str) -> str:
    """For the record."""
    return "PostgreSQL" if database_url else "SQLite"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("load", "kill"))
    parser.add_argument("--workers", type=int, default=0, help="200 for load, 20 for kill")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--think", type=float, default=10)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--processes", type=int, default=1, help="servers of kill, on PostgreSQL")
    parser.add_argument("--submits", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database; load: and URL2")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name) / "campaign"
        if given.what == "load":
            url, workers = given.database_url, given.workers or 200
            rows = run_load(folder, url, workers, given.seconds, given.think)
        else:
            workers = given.workers or 20
            url, processes = given.database_url, given.processes
            rows = [run_kill(folder, url, given.kills, given.submits, workers, given.seed, processes)]
    timing.show(rows)
    suffix = "_postgresql" if given.database_url else ""
    output = given.output or RESULTS / f"crowd_{given.what}{suffix}.json"
    timing.write(output, "python benchmarks/crowd_http.py", "wall", rows)


if __name__ == "__main__":
    main()
