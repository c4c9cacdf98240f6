"""amidst.crowd.leases: what becomes of a ticket that is not submitted, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig, LeaseConfig
from amidst.crowd.results import Conflict, Draft, NoWork, Receipt, Ticket
from amidst.crowd.store import Store
from amidst.errors import AnswerError, UnknownRecord

Play = Callable[..., Any]
SECOND = 1_000_000
CONFIG = CampaignConfig(lease=LeaseConfig(grid_s=100, drawing_s=200, limit_s=250, live_tickets=2))
NOTHING: dict[str, Any] = {"panels": [{"super": "all", "present": False}]}


async def begin(store: Store, images: int = 1, workers: int = 9) -> list[int]:
    await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
    new = [engine.NewImage(file_name=f"{i}.jpg", width=20, height=10) for i in range(images)]
    await engine.add_images(store, new, 0)
    return [await engine.add_worker(store, "", 0) for _ in range(workers)]


async def lease(store: Store, worker: int, now: int = 0) -> Ticket:
    ticket = await engine.lease(store, worker, "labelling", now)
    assert isinstance(ticket, Ticket), ticket
    return ticket


async def answer(
    store: Store, worker: int, ticket: Ticket, key: str = "k", body: Any = NOTHING, now: int = 1
) -> Receipt | Conflict:
    return await engine.submit(store, worker, ticket.id, ticket.token, key, body, Client(), now)


def test_a_ticket_is_given_to_one_worker_and_never_twice(with_store: Play) -> None:
    async def play(store: Store) -> None:
        first, *others = await begin(store)
        ticket = await lease(store, first)
        assert ticket.expires_at == 100 * SECOND
        assert await engine.lease(store, first, "labelling", 1) == NoWork(reason="nothing_open")
        for worker in others[:7]:
            assert await engine.open_stages(store, worker) == ["captions", "labelling"]
            await lease(store, worker)
        assert await engine.open_stages(store, others[7]) == ["captions"]
        assert await engine.lease(store, others[7], "labelling", 1) == NoWork(reason="nothing_open")
        with pytest.raises(UnknownRecord):
            await answer(store, others[0], ticket)
        with pytest.raises(UnknownRecord):
            await engine.lease(store, 1000, "labelling", 1)
        assert [held.id for held in await engine.held(store, first)] == [ticket.id]

    with_store(play, CONFIG)


def test_who_may_not_work_gets_nothing(with_store: Play) -> None:
    async def play(store: Store) -> None:
        first, second, *_ = await begin(store, images=5)
        await engine.change_worker(store, second, state="paused")
        assert await engine.lease(store, second, "labelling", 1) == NoWork(reason="not_active")
        await lease(store, first)
        await lease(store, first)
        assert await engine.lease(store, first, "labelling", 1) == NoWork(reason="too_many_tickets")
        assert await engine.lease(store, first, "training", 1) == NoWork(reason="stage_off")
        await engine.change_state(store, "paused")
        assert await engine.lease(store, first, "captions", 1) == NoWork(reason="stage_off")

    with_store(play, CONFIG)


def test_expired_work_is_taken_while_its_place_is_free_and_kept_as_an_orphan_after(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await begin(store)
        tickets = [await lease(store, worker) for worker in workers[:8]]
        assert await engine.sweep(store, 100 * SECOND) == 0
        assert await engine.sweep(store, 101 * SECOND) == 8
        assert isinstance(await answer(store, workers[0], tickets[0], now=102 * SECOND), Receipt)
        again = await lease(store, workers[8], 103 * SECOND)
        for worker, ticket in zip(workers[1:7], tickets[1:7], strict=True):
            assert isinstance(await answer(store, worker, ticket, now=104 * SECOND), Receipt)
        late = await answer(store, workers[7], tickets[7], now=105 * SECOND)
        assert isinstance(late, Conflict)
        assert late.reason == "stale"
        assert late.orphan_id is not None
        assert await answer(store, workers[7], tickets[7], now=106 * SECOND) == late  # kept once
        other = {"panels": [{"super": "all", "present": True}]}
        assert await answer(store, workers[7], tickets[7], body=other) == Conflict(reason="other_body")
        assert isinstance(await answer(store, workers[8], again, now=107 * SECOND), Receipt)
        standing = await engine.progress(store)
        assert {worker.id: worker.late for worker in standing.workers}[workers[7]] == 1
        assert await engine.doctor(store) == []

    with_store(play, CONFIG)


def test_a_heartbeat_renews_up_to_the_limit(with_store: Play) -> None:
    async def play(store: Store) -> None:
        worker, *_ = await begin(store)
        ticket = await lease(store, worker)
        assert await engine.heartbeat(store, worker, ticket.id, ticket.token, 90 * SECOND) == 190 * SECOND
        assert await engine.heartbeat(store, worker, ticket.id, ticket.token, 180 * SECOND) == 250 * SECOND
        stale = Conflict(reason="stale")
        assert await engine.heartbeat(store, worker, ticket.id, "wrong", 180 * SECOND) == stale
        assert await engine.sweep(store, 251 * SECOND) == 1
        assert await engine.heartbeat(store, worker, ticket.id, ticket.token, 252 * SECOND) == stale

    with_store(play, CONFIG)


def test_release_frees_the_place(with_store: Play) -> None:
    async def play(store: Store) -> None:
        worker, *_ = await begin(store)
        ticket = await lease(store, worker)
        assert await engine.release(store, worker, ticket.id, "wrong") == Conflict(reason="stale")
        assert await engine.release(store, worker, ticket.id, ticket.token) is True
        assert await engine.release(store, worker, ticket.id, ticket.token) is True
        assert isinstance(await answer(store, worker, ticket), Conflict)
        assert isinstance(await answer(store, worker, await lease(store, worker), "k2"), Receipt)
        assert await engine.doctor(store) == []

    with_store(play, CONFIG)


def test_resuming_fences_the_old_token_off(with_store: Play) -> None:
    async def play(store: Store) -> None:
        worker, *_ = await begin(store)
        old = await lease(store, worker)
        new = await engine.resume(store, worker, old.id, 10 * SECOND)
        assert isinstance(new, Ticket)
        assert new.task == old.task
        refused = await answer(store, worker, old)
        assert isinstance(refused, Conflict)
        assert refused.orphan_id is not None
        assert isinstance(await answer(store, worker, new, "k2"), Receipt)
        assert await engine.resume(store, worker, old.id, 11 * SECOND) == Conflict(reason="stale")

    with_store(play, CONFIG)


def test_drafts_grow(with_store: Play) -> None:
    async def play(store: Store) -> None:
        worker, *_ = await begin(store)
        ticket = await lease(store, worker)
        assert await engine.load_draft(store, worker, ticket.id) is None
        assert await engine.save_draft(store, worker, ticket.id, ticket.token, 3, {"a": 1}, 5) == 3
        assert await engine.save_draft(store, worker, ticket.id, ticket.token, 2, {"a": 0}, 6) == 3
        assert await engine.load_draft(store, worker, ticket.id) == Draft(rev=3, body={"a": 1})
        assert await engine.save_draft(store, worker, ticket.id, ticket.token, 4, [], 7) == 4
        with pytest.raises(AnswerError, match="body-size"):
            await engine.save_draft(store, worker, ticket.id, ticket.token, 5, "x" * 3_000_000, 8)

    with_store(play, CONFIG)
