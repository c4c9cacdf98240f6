"""Exactly once, on both databases: repeated, doubled, concurrent, and with the server killed."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import select

from amidst.crowd import engine
from amidst.crowd.schema import answer, slot

BENCHMARKS = Path(__file__).resolve().parents[4] / "benchmarks"
WORKERS, NEEDED = 10, 8


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """benchmarks/crowd_http.py, whose full sizes are run elsewhere."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("crowd_http", BENCHMARKS / "crowd_http.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["crowd_http"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, open_site: Callable[..., Any]) -> Any:
    """A site on each database."""
    if request.param == "sqlite":
        return open_site()
    return open_site(database=request.getfixturevalue("postgres_url"))


async def all_work(site: Any, names: list[str], labels: Callable[..., Any], turn: int) -> Counter[int]:
    """Everyone at once: each submit is sent twice, every seventh ticket is abandoned."""
    seen: Counter[int] = Counter()

    async def call(name: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {site.tokens[name]}"}
        return await site.client.http.post(path, json=body, headers=headers)

    async def one(name: str, number: int) -> None:
        for count in range(100):
            ticket = (await call(name, "/api/tickets/lease", {"stage": "labelling"})).json()["ticket"]
            if ticket is None:
                return
            if (count + number + 3 * turn) % 7 == 6:
                continue
            sent = {
                "token": ticket["token"],
                "idem_key": f"ticket-{ticket['id']}-{name}",
                "body": labels(ticket),
            }
            path = f"/api/tickets/{ticket['id']}/submit"
            replies = await asyncio.gather(call(name, path, sent), call(name, path, sent))
            assert [reply.status_code for reply in replies] == [200, 200]
            assert len({reply.json()["answer_id"] for reply in replies}) == 1
            assert sorted(reply.json()["replayed"] for reply in replies) == [False, True]
            seen[ticket["id"]] += 1

    await asyncio.gather(*(one(name, number) for number, name in enumerate(names)))
    return seen


def test_every_unit_gets_its_eight_answers_and_no_more(
    either: Any, nothing_there: Callable[..., Any]
) -> None:
    names = [f"w{number}" for number in range(WORKERS)]
    for name in names:
        either.come(name)
    total: Counter[int] = Counter()
    for turn in range(20):  # what was abandoned comes back when it has expired; who abandons it is chance
        if total.total() >= NEEDED * len(either.world.images):
            break
        total += either.run(all_work(either, names, nothing_there, turn))
        either.clock[0] += 5 * 3600 * 1_000_000
        either.run(engine.sweep(either.store, either.clock[0]))
    assert len(total) == total.total() == NEEDED * len(either.world.images)

    def rows(connection: Any) -> tuple[list[Any], list[Any]]:
        kept = select(slot.c.unit_id, slot.c.worker_id).where(slot.c.state == "submitted")
        return connection.execute(select(answer.c.id)).all(), connection.execute(kept).all()

    answers, slots = either.run(either.store.read(rows))
    assert len(answers) == len(slots) == len(set(slots)) == NEEDED * len(either.world.images)
    assert either.run(engine.doctor(either.store)) == []


def test_nothing_is_lost_when_the_server_is_killed(benchmark: ModuleType, tmp_path: Path) -> None:
    found = benchmark.run_kill(tmp_path / "campaign", "", kills=2, submits=40, workers=4, seed=1)
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert found["submits"] >= 40


def test_nothing_is_lost_on_postgresql_either(
    benchmark: ModuleType, tmp_path: Path, postgres_url: str
) -> None:
    found = benchmark.run_kill(tmp_path / "campaign", postgres_url, kills=1, submits=20, workers=4, seed=1)
    assert (found["lost"], found["doubled"]) == (0, 0)


def test_the_load_is_measured(benchmark: ModuleType, tmp_path: Path) -> None:
    rows = benchmark.run_load(tmp_path / "campaign", "", workers=4, seconds=1.0, think_s=0.2)
    assert [row["errors"] for row in rows] == [0, 0]
    assert all(row["pairs"] > 0 for row in rows)
