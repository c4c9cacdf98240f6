"""amidst.crowd.assignments: whose an assignment is, and when it is done."""

from __future__ import annotations

from typing import Any

import pytest

from amidst.crowd import assignments, engine
from amidst.crowd.adapters import Entry
from amidst.crowd.bodies import Client
from amidst.crowd.results import NoWork, Ticket
from amidst.crowd.store import Store
from amidst.errors import UnknownRecord, UsageError

NOTHING: dict[str, Any] = {"panels": [{"super": "all", "present": False}]}


def entry(name: str) -> Entry:
    return Entry(provider="mturk", external_id="W", stage="labelling", group="g", assignment=name, hit="H")


async def begin(store: Store, images: int = 6) -> tuple[int, int]:
    await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
    new = [engine.NewImage(file_name=f"{i}.jpg", width=20, height=10) for i in range(images)]
    await engine.add_images(store, new, 0)
    return await engine.add_worker(store, "a", 0), await engine.add_worker(store, "b", 0)


async def answer(store: Store, worker: int) -> None:
    got = await engine.lease(store, worker, "labelling", 1)
    assert isinstance(got, Ticket)
    await engine.submit(store, worker, got.id, got.token, f"key {got.id}", NOTHING, Client(), 1)


def test_nobody_has_one_at_the_start(with_store: Any) -> None:
    async def play(store: Store) -> None:
        assert await store.read(lambda c: assignments.page(c, 0, 10)) == []
        with pytest.raises(UnknownRecord):
            await store.read(lambda c: assignments.find(c, 1))
        with pytest.raises(UnknownRecord):
            await store.read(lambda c: assignments.own(c, 1, 1))

    with_store(play)


def test_it_belongs_to_who_came_first(with_store: Any) -> None:
    async def play(store: Store) -> None:
        first, second = await begin(store)
        one = await store.write(lambda c: assignments.arrive(c, entry("A1"), first, 5))
        assert (one.worker_id, one.entered_at, one.finished_at, one.answers) == (first, 5, None, 0)
        assert await store.write(lambda c: assignments.arrive(c, entry("A1"), first, 6)) == one
        with pytest.raises(UsageError, match="somebody else's"):
            await store.write(lambda c: assignments.arrive(c, entry("A1"), second, 7))
        with pytest.raises(UnknownRecord):
            await store.read(lambda c: assignments.left(c, second, one.id, 1))

    with_store(play)


def test_every_answer_counts_for_one_of_them(with_store: Any) -> None:
    async def play(store: Store) -> None:
        worker, _ = await begin(store)
        one = await store.write(lambda c: assignments.arrive(c, entry("A1"), worker, 1))
        two = await store.write(lambda c: assignments.arrive(c, entry("A2"), worker, 1))

        async def left(which: assignments.Assignment) -> int:
            return await store.read(lambda c: assignments.left(c, worker, which.id, 2))

        assert (await left(one), await left(two)) == (2, 2)
        await answer(store, worker)
        await answer(store, worker)
        assert (await left(one), await left(two)) == (0, 0)  # either may end now, and one of them
        held = await engine.lease(store, worker, "labelling", 1)
        assert isinstance(held, Ticket)
        await store.write(lambda c: assignments.finish(c, worker, one.id, 9))
        assert await engine.held(store, worker) == []  # what was fetched ahead goes back
        assert (await left(one), await left(two)) == (0, 2)
        await store.write(lambda c: assignments.finish(c, worker, one.id, 10))
        assert (await store.read(lambda c: assignments.find(c, one.id))).finished_at == 9
        while not isinstance(await engine.lease(store, worker, "labelling", 1), NoWork):
            pass
        assert await engine.doctor(store) == []

    with_store(play)
