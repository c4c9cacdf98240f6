"""amidst.crowd.submits: every answer exactly once, whatever is repeated and however many work at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig, LabellingConfig
from amidst.crowd.results import Conflict, NoWork, Receipt, Ticket
from amidst.crowd.schema import answer, orphan_answer, slot
from amidst.crowd.store import Store
from amidst.errors import AnswerError, UnknownRecord, UsageError

Play = Callable[..., Any]
NOTHING: dict[str, Any] = {"panels": [{"super": "all", "present": False}]}


async def begin(store: Store, images: int = 1, workers: int = 1) -> list[int]:
    await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
    new = [engine.NewImage(file_name=f"{i}.jpg", width=20, height=10) for i in range(images)]
    await engine.add_images(store, new, 0)
    return [await engine.add_worker(store, "", 0) for _ in range(workers)]


async def count(store: Store, table: Any) -> int:
    return int(await store.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()))


def test_the_same_submit_fifty_times_at_once_is_one_answer(with_store: Play) -> None:
    async def play(store: Store) -> None:
        (worker,) = await begin(store)
        ticket = await engine.lease(store, worker, "labelling", 0)
        assert isinstance(ticket, Ticket)
        receipts = await asyncio.gather(
            *(
                engine.submit(store, worker, ticket.id, ticket.token, "key", NOTHING, Client(), 1)
                for _ in range(50)
            )
        )
        assert all(isinstance(receipt, Receipt) for receipt in receipts)
        assert sorted(receipt.replayed for receipt in receipts) == [False] + [True] * 49
        assert len({receipt.answer_id for receipt in receipts}) == 1
        assert await count(store, answer) == 1
        other = {"panels": [{"super": "all", "present": True, "icons": [{"category": 1, "x": 1, "y": 1}]}]}
        refused = await engine.submit(store, worker, ticket.id, ticket.token, "key", other, Client(), 2)
        assert refused == Conflict(reason="other_body")
        twin = await engine.submit(store, worker, ticket.id, ticket.token, "other key", NOTHING, Client(), 2)
        assert twin == Receipt(answer_id=receipts[0].answer_id, replayed=True)
        late = await engine.submit(store, worker, ticket.id, ticket.token, "third key", other, Client(), 2)
        assert isinstance(late, Conflict)
        assert (late.reason, await count(store, orphan_answer)) == ("stale", 1)

    with_store(play)


POOR: list[tuple[Any, str]] = [
    (b"", "body-format"),
    (b"\xff\xfe", "body-format"),
    (b'{"panels": "\\u0000"}', "body-format"),
    (b"[" * 100_000, "body-format"),
    (b" " * 300_000, "body-size"),
    ({"panels": []}, "panels"),
    ({"panels": [{"super": "all", "present": False}], "more": 1}, "body-format"),
    ({"panels": [{"super": "all", "present": True}]}, "icons"),
    (
        {"panels": [{"super": "all", "present": True, "icons": [{"category": 9, "x": 1, "y": 1}]}]},
        "icon-category",
    ),
    (
        {"panels": [{"super": "all", "present": True, "icons": [{"category": 1, "x": 21, "y": 1}]}]},
        "outside",
    ),
]


def test_a_body_that_breaks_a_rule_stores_nothing(with_store: Play) -> None:
    async def play(store: Store) -> None:
        (worker,) = await begin(store)
        ticket = await engine.lease(store, worker, "labelling", 0)
        assert isinstance(ticket, Ticket)
        for body, rule in POOR:
            with pytest.raises(AnswerError) as caught:
                await engine.submit(store, worker, ticket.id, ticket.token, "key", body, Client(), 1)
            assert caught.value.rule == rule
        assert await count(store, answer) == 0
        right = await engine.submit(store, worker, ticket.id, ticket.token, "key", NOTHING, Client(), 2)
        assert isinstance(right, Receipt)

    with_store(play)


def test_forty_workers_at_once_fill_every_place_exactly_once(with_store: Play) -> None:
    """3 % late, 2 % never, 10 % sent twice; the full size is benchmarks/crowd_store.py."""
    images, workers, needed = 25, 40, 8
    acknowledged: set[int] = set()
    clock = [0]

    async def one(store: Store, worker: int, chance: random.Random) -> None:
        while True:
            clock[0] += 1000
            ticket = await engine.lease(store, worker, "labelling", clock[0])
            if isinstance(ticket, NoWork):
                return
            luck = chance.random()
            if luck < 0.02:
                continue
            if luck < 0.05:
                await engine.sweep(store, ticket.expires_at + 1)
            times = 2 if luck > 0.9 else 1
            results = await asyncio.gather(
                *(
                    engine.submit(
                        store, worker, ticket.id, ticket.token, f"{ticket.id}", NOTHING, Client(), clock[0]
                    )
                    for _ in range(times)
                )
            )
            acknowledged.update(r.answer_id for r in results if isinstance(r, Receipt))

    async def play(store: Store) -> None:
        everybody = {worker: random.Random(worker) for worker in await begin(store, images, workers)}
        for _ in range(20):
            await asyncio.gather(*(one(store, *pair) for pair in everybody.items()))
            if await count(store, answer) >= images * needed:
                break
            clock[0] += 3_600_000_000  # time passes; what was left lying is taken back
            await engine.sweep(store, clock[0])
        assert await count(store, answer) == images * needed == len(acknowledged)
        per_unit = await store.read(
            lambda c: c.execute(
                select(slot.c.unit_id, func.count(), func.count(slot.c.worker_id.distinct()))
                .where(slot.c.state == "submitted")
                .group_by(slot.c.unit_id)
            ).all()
        )
        assert [(row[1], row[2]) for row in per_unit] == [(needed, needed)] * images
        assert await engine.doctor(store) == []

    with_store(play)


def test_a_late_answer_is_used_once_where_a_place_is_free_again(with_store: Play) -> None:
    async def play(store: Store) -> None:
        slow, quick, third = await begin(store, workers=3)
        ticket = await engine.lease(store, slow, "labelling", 0)
        assert isinstance(ticket, Ticket)
        assert await engine.late_answers(store) == []
        end = ticket.expires_at + 1
        await engine.sweep(store, end)
        other = await engine.lease(store, quick, "labelling", end)
        assert isinstance(other, Ticket)
        taken = await engine.submit(store, quick, other.id, other.token, "other", NOTHING, Client(), end)
        assert isinstance(taken, Receipt)
        late = await engine.submit(
            store, slow, ticket.id, ticket.token, "late key", NOTHING, Client(ms_active=70), end
        )
        assert isinstance(late, Conflict)
        assert late.orphan_id is not None
        (listed,) = await engine.late_answers(store, slow)
        assert (listed.id, listed.stage, listed.body) == (late.orphan_id, "labelling", NOTHING)
        assert (listed.answer, listed.free) == (None, 0)
        with pytest.raises(UsageError, match="no place is free"):
            await engine.use_late(store, late.orphan_id, end)
        with pytest.raises(UnknownRecord):
            await engine.use_late(store, 999, end)
        await engine.void(store, quick, None, "", "", end)
        assert (await engine.late_answers(store))[0].free == 1
        receipts = await asyncio.gather(*(engine.use_late(store, late.orphan_id, end) for _ in range(5)))
        assert sorted(receipt.replayed for receipt in receipts) == [False] + [True] * 4
        (listed,) = await engine.late_answers(store, slow)
        assert (listed.answer, listed.free) == (receipts[0].answer_id, 0)
        again = await engine.submit(store, slow, ticket.id, ticket.token, "late key", NOTHING, Client(), end)
        assert again == Receipt(answer_id=receipts[0].answer_id, replayed=True)
        assert isinstance(await engine.lease(store, third, "labelling", end), NoWork)
        assert await engine.doctor(store) == []

    with_store(play, CampaignConfig(labelling=LabellingConfig(workers=1)))
