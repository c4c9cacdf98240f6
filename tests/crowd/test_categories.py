"""amidst.crowd.categories and questions: categories that come, go and come back while a campaign runs."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from amidst.crowd import engine
from amidst.crowd.bodies import LabellingTask
from amidst.crowd.config import STAGES, CampaignConfig
from amidst.crowd.plans import Plan
from amidst.crowd.results import NoWork, Ticket
from amidst.crowd.schema import ticket, unit
from amidst.crowd.schema_chain import cell, segmentation
from amidst.crowd.store import Store
from amidst.errors import DataError, UsageError

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

Play = Callable[..., Any]
TRUTH: dict[int, list[tuple[int, int]]] = {**chain.TRUTH, 4: [(160, 20)]}
ALL = ["labelling", "spotting", "segmentation", "verification"]


def honest(ticket: Ticket) -> Any:
    return chain.honest(ticket, TRUTH)


def new(id: int, name: str = "", group: str = "two") -> engine.NewCategory:
    return engine.NewCategory(id=id, name=name or f"thing {id}", supercategory=group)


def asked(got: Any) -> list[int]:
    assert isinstance(got, Ticket), got
    assert isinstance(got.task, LabellingTask)
    return sorted(one.id for panel in got.task.panels for one in panel.categories)


async def found(store: Store) -> dict[int, int]:
    """Annotations of the export by category; the doctor has no objection."""
    assert await engine.doctor(store) == []
    exported = (await engine.export(store)).dataset
    counted = {one.id: 0 for one in exported.categories}
    for one in exported.annotations:
        counted[one.category_id] += 1
    return counted


async def make_known(store: Store, category_id: int) -> None:
    golds = await engine.list_golds(store, kind="training")
    for one, corner in zip(golds, chain.GOLD, strict=False):  # those of the first category come first
        await engine.add_gold_mask(store, one.image.id, category_id, chain.square_mask(*corner))


def test_a_category_added_while_images_are_labelled_comes_to_the_export(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store, workers=8, images=3)
        assert await engine.add_categories(store, [], 1) == 0
        await chain.work(store, workers[:3], ("labelling",))  # three of eight have seen each image
        late = await engine.lease(store, workers[3], "labelling", 2)
        assert asked(late) == [1, 2, 3]
        await engine.add_images(store, [engine.NewImage("new.jpg", chain.WIDTH, chain.HEIGHT)], 2)
        assert await engine.add_categories(store, [new(4), new(5, group="three")], 3) == 3
        again = await engine.resume(store, workers[3], late.id, 4)
        assert asked(again) == [1, 2, 3]  # a ticket in flight shows, and is judged by, what it showed
        receipt = await engine.submit(store, workers[3], late.id, again.token, "k", honest(again), CLIENT, 5)
        assert receipt.status == "accepted"
        seen: dict[int, set[tuple[int, ...]]] = {}

        def answer(ticket: Ticket) -> Any:
            if isinstance(ticket.task, LabellingTask):
                seen.setdefault(ticket.task.image.id, set()).add(tuple(asked(ticket)))
            return honest(ticket)

        await chain.work(store, workers, ("labelling",), answer)
        begun, fresh = seen[1], seen[max(seen)]
        assert begun == {(1, 2, 3), (4, 5)}
        assert fresh == {(1, 2, 3, 4, 5)}
        await make_known(store, 4)
        await chain.work(store, workers, tuple(ALL), honest)
        assert await found(store) == {1: 8, 2: 0, 3: 4, 4: 4, 5: 0}
        units = await store.read(
            lambda c: c.execute(select(unit.c.question, unit.c.done).where(unit.c.stage == "labelling")).all()
        )
        assert sorted(map(tuple, units)) == [(0, 8)] * 4 + [(1, 8)] * 3

    with_store(play, CampaignConfig(stages=STAGES))


def test_whoever_works_at_that_moment_everybody_is_asked_once(with_store: Play) -> None:
    """Workers lease and submit all at once while categories come and one goes and comes back."""

    async def play(store: Store) -> None:
        workers = await chain.prepare(store, workers=8, images=6)

        clock = itertools.count(1)

        async def label(worker: int) -> None:
            while isinstance(got := await engine.lease(store, worker, "labelling", next(clock)), Ticket):
                sent = (got.id, got.token, f"k{got.id}", honest(got), CLIENT, next(clock))
                await engine.submit(store, worker, *sent)

        async def change() -> None:
            await engine.add_categories(store, [new(4)], next(clock))
            await engine.add_categories(store, [new(5), new(6)], next(clock))
            await engine.retire_category(store, 6, next(clock))
            await engine.restore_category(store, 6, next(clock))

        await asyncio.gather(*map(label, workers[:5]), change(), *map(label, workers[5:]))
        for worker in workers:  # who was told that there is nothing, while another had hold of it
            await label(worker)
        assert await engine.doctor(store) == []
        asked: Counter[tuple[int, int]] = Counter()
        plans = select(ticket.c.plan_json).where(ticket.c.stage == "labelling", ticket.c.state == "submitted")
        for text in await store.read(lambda c: c.execute(plans).scalars().all()):
            plan = msgspec.json.decode(text, type=Plan)
            asked.update((plan.items[0].ref, one) for one in plan.categories)
        images = [image.id for image in (await engine.export(store)).dataset.images]
        assert {key: asked[key] for key in asked if key[1] != 6} == {
            (image, one): 8 for image in images for one in (1, 2, 3, 4, 5)
        }
        assert all(asked[image, 6] >= 8 for image in images)  # more where it was retired for a while

    with_store(play)


def test_a_question_is_voided_and_reverted_like_the_first(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ("labelling",))
        await engine.add_categories(store, [new(4)], 1)
        await chain.work(store, workers, ("labelling",), honest)
        cells = select(cell.c.category_id).where(cell.c.state != "withdrawn").order_by(cell.c.category_id)
        assert (await store.read(lambda c: c.execute(cells).scalars().all())) == [1, 3, 4]
        roster = await engine.roster(store)
        assert {row.recall for row in roster.rows} == {1.0}  # nobody has overlooked what was not asked
        effects = [await engine.void(store, one, "labelling", "", "", 2) for one in workers]
        assert (await store.read(lambda c: c.execute(cells).scalars().all())) == []
        assert await engine.doctor(store) == []
        got = await engine.lease(store, workers[0], "labelling", 3)
        await engine.submit(store, workers[0], got.id, got.token, "again", honest(got), CLIENT, 4)
        assert await engine.doctor(store) == []
        for effect in effects:
            await engine.revert_void(store, effect.void_id, 5)
            assert await engine.doctor(store) == []
        assert (await store.read(lambda c: c.execute(cells).scalars().all())) == [1, 3, 4]

    with_store(play)


def test_a_retired_category_is_kept_but_neither_asked_about_nor_exported(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ("labelling", "spotting"))
        drawn = []
        for worker in workers[:2]:  # a mask of each category waits for its verdict
            await chain.work(store, [worker], ("segmentation",))
        late = {one: await engine.lease(store, one, "verification", 10**9) for one in workers[2:5]}
        before = await store.read(lambda c: c.execute(select(segmentation.c.id)).all())
        await engine.retire_category(store, 3, 10**9)
        assert await engine.doctor(store) == []
        for one, got in late.items():  # grids in flight are judged as they were shown
            assert isinstance(got, Ticket), got
            await engine.submit(store, one, got.id, got.token, "k", honest(got), CLIENT, 10**9 + 1)
        assert await engine.doctor(store) == []
        await chain.work(store, workers, tuple(ALL), now=2 * 10**9)
        for stage in ALL:
            assert isinstance(await engine.lease(store, workers[0], stage, 3 * 10**9), NoWork)
        assert await found(store) == {1: 2, 2: 0}
        drawn = await store.read(lambda c: c.execute(select(segmentation.c.id)).all())
        assert set(before) <= set(drawn)
        records = {one.id: (one.state, one.cells) for one in await engine.list_categories(store)}
        assert records == {1: ("active", 1), 2: ("active", 0), 3: ("retired", 1)}
        assert await engine.restore_category(store, 3, 4 * 10**9) == 0  # nobody labelled without it
        await chain.work(store, workers, tuple(ALL), now=5 * 10**9)
        assert await found(store) == {1: 2, 2: 0, 3: 1}

    with_store(play)


def test_what_was_labelled_without_a_category_is_asked_about_it_afterwards(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store, images=1)
        await chain.work(store, workers, ("labelling",))
        held = await engine.lease(store, workers[0], "spotting", 5)
        await engine.retire_category(store, 3, 10)
        await engine.retire_category(store, 2, 10)
        await engine.add_images(store, [engine.NewImage("2.jpg", chain.WIDTH, chain.HEIGHT)], 11)
        await chain.work(store, workers, ("labelling",), now=12)
        receipt = await engine.submit(store, workers[0], held.id, held.token, "k", honest(held), CLIENT, 13)
        assert receipt.status == "accepted"
        assert await engine.restore_category(store, 3, 20) == 1
        got = await engine.lease(store, workers[0], "labelling", 21)
        assert (asked(got), got.task.image.id) == ([3], (await engine.export(store)).dataset.images[1].id)
        await engine.retire_category(store, 3, 22)  # nothing is left of the question
        assert isinstance(await engine.lease(store, workers[1], "labelling", 23), NoWork)
        await engine.submit(store, workers[0], got.id, got.token, "l", honest(got), CLIENT, 24)
        assert await engine.doctor(store) == []
        assert await engine.restore_category(store, 3, 25) == 0
        await chain.work(store, workers, ("labelling",), now=26)
        assert await engine.doctor(store) == []
        rows = select(cell.c.image_id, cell.c.category_id, cell.c.state).order_by(
            cell.c.image_id, cell.c.category_id
        )
        states = [tuple(row) for row in await store.read(lambda c: c.execute(rows).all())]
        first, second = sorted({row[0] for row in states})
        assert states == [(i, k, "spotting") for i in (first, second) for k in (1, 3)]

    with_store(play)


def test_what_cannot_be_added_retired_or_taken_up_again(with_store: Play) -> None:
    async def play(store: Store) -> None:
        await engine.add_categories(store, [new(1), new(7)])
        for wrong in (0, 3):
            with pytest.raises(UsageError, match="there is no category"):
                await engine.retire_category(store, wrong, 1)
            with pytest.raises(UsageError, match="there is no category"):
                await engine.restore_category(store, wrong, 1)
        with pytest.raises(UsageError, match="is not retired"):
            await engine.restore_category(store, 7, 1)
        await engine.retire_category(store, 7, 1)
        with pytest.raises(UsageError, match="retired already"):
            await engine.retire_category(store, 7, 1)
        with pytest.raises(UsageError, match="the last one"):
            await engine.retire_category(store, 1, 1)
        with pytest.raises(DataError, match="take it up again"):
            await engine.add_categories(store, [new(8, "thing 7")], 2)
        with pytest.raises(DataError, match="taken"):
            await engine.add_categories(store, [new(7, "other")], 2)
        assert await found(store) == {1: 0}

    with_store(play)


CLIENT = engine.Client()
