"""amidst.crowd.unsettled: changes of much at once, settled a little at a time, on both databases.

What is done to a campaign whose list waits has to come to the same as if nothing had waited.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from amidst.config import override
from amidst.crowd import categories, engine, numbers, unsettled, voids
from amidst.crowd.results import NoWork
from amidst.crowd.schema_chain import cell, segmentation
from amidst.crowd.store import Store
from amidst.errors import UsageError

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

Play = Callable[..., Any]
ALL = ("labelling", "spotting", "segmentation", "verification")


async def killed(store: Store, change: Callable[[Connection], Any]) -> Any:
    """A change whose process ends before it has settled anything: the doctor has no objection."""
    made = await store.write(change)
    assert await engine.doctor(store) == []
    return made


async def one_by_one(store: Store, now: int) -> int:
    """Settles the list by transactions of one subject, with the doctor after each; how many there were."""
    count = 0
    while (left := await store.read(unsettled.number)) > 0:
        await store.write(lambda c: unsettled.settle_some(c, now, 0.0))
        assert await store.read(unsettled.number) == left - 1
        assert await engine.doctor(store) == []
        count += 1
    return count


async def states(store: Store) -> list[tuple[Any, ...]]:
    query = select(cell.c.id, cell.c.state, cell.c.n_segmented).order_by(cell.c.id)
    return [tuple(row) for row in await store.read(lambda c: c.execute(query).all())]


async def exported(store: Store) -> tuple[Any, ...]:
    dataset = (await engine.export(store)).dataset
    return dataset.categories, dataset.annotations


def test_nothing_waits_in_a_campaign_at_rest(with_store: Play) -> None:
    async def play(store: Store) -> None:
        await chain.prepare(store)
        assert not await store.write(lambda c: unsettled.settle_some(c, 1, 1.0))
        assert await store.read(unsettled.number) == 0
        assert await store.read(unsettled.waiting) == set()

    with_store(play)


def test_a_category_goes_and_comes_a_cell_at_a_time(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store, images=2)
        await chain.work(store, workers, ("labelling", "spotting"))
        for worker in workers[:2]:  # masks that wait for a verdict
            await chain.work(store, [worker], ("segmentation",))
        before = await states(store)
        await killed(store, lambda c: categories.retire(c, 3, 5))
        assert await states(store) == before  # nothing is settled yet
        with pytest.raises(UsageError, match="4 decisions wait"):
            await engine.export(store)
        assert await one_by_one(store, 5) == 4  # a mask and a cell of each image
        of_cell = select(cell.c.state).where(cell.c.category_id == 3)
        assert set(await store.read(lambda c: c.execute(of_cell).scalars().all())) == {"withdrawn"}
        await killed(store, lambda c: categories.restore(c, 3, 6))
        await unsettled.settle(store, 6)  # as the next process does
        assert await states(store) == before
        await chain.work(store, workers, ALL, now=10**9)
        assert [one.category_id for one in (await exported(store))[1]].count(3) == 2

    with_store(play)


def test_a_void_is_settled_later_and_work_goes_on_meanwhile(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store, workers=9, images=2)
        await chain.work(store, workers[:8], ALL)
        whole, before = await exported(store), await states(store)
        drew = workers[0]
        made = await killed(store, lambda c: voids.apply(c, drew, None, "poor", "", 5))
        assert made.again["labelling"] == 2
        waiting = await store.read(unsettled.waiting)
        assert {"image/1", "image/2"} <= waiting
        done = await chain.work(store, workers[8:], ALL, now=6)  # on what waits, and before it is settled
        assert done > 0
        assert await engine.doctor(store) == []
        await one_by_one(store, 7)
        await chain.work(store, [one for one in workers if one != drew], ALL, now=8)
        assert await engine.doctor(store) == []
        assert [row[1:] for row in await states(store)] == [row[1:] for row in before]
        await killed(store, lambda c: voids.revert(c, made.void_id, 9))
        await one_by_one(store, 9)
        assert len((await exported(store))[1]) == len(whole[1])

    with_store(play)


def test_a_void_that_is_taken_back_before_it_is_settled_leaves_no_trace(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ALL)
        whole, before = await exported(store), await states(store)
        for worker in workers[:3]:
            preview = await engine.preview_void(store, worker, None)
            made = await killed(store, lambda c, w=worker: voids.apply(c, w, None, "", "", 5))
            assert (preview.answers, preview.judgements) == (made.answers, made.judgements)
            back = await killed(store, lambda c, v=made.void_id: voids.revert(c, v, 6))
            assert (back.answers, back.places, back.surplus) == (made.answers, made.places, 0)
        await unsettled.settle(store, 7)
        assert await engine.doctor(store) == []
        assert (await exported(store), await states(store)) == (whole, before)

    with_store(play)


def test_other_numbers_are_settled_an_image_at_a_time(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store, images=3)
        await chain.work(store, workers[:5], ("labelling",))
        fewer = override(await engine.campaign_config(store), ["labelling.workers=5"])
        await killed(store, lambda c: numbers.change_config(c, fewer, 5))
        assert isinstance(await engine.lease(store, workers[6], "labelling", 6), NoWork)
        assert isinstance(await engine.lease(store, workers[6], "spotting", 6), NoWork)
        assert await one_by_one(store, 7) == 3
        assert len(await states(store)) == 6
        assert not isinstance(await engine.lease(store, workers[6], "spotting", 8), NoWork)

    with_store(play)


def test_the_doctor_sees_what_waiting_does_not_explain(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ALL)
        await store.write(lambda c: voids.apply(c, workers[0], None, "", "", 5))
        await store.write(lambda c: c.execute(update(cell).values(n_segmented=7)))
        await store.write(lambda c: c.execute(update(segmentation).values(area=1)))
        assert {fault.rule for fault in await engine.doctor(store)} >= {"cell-masks"}

    with_store(play)


def test_a_manager_waits_for_a_part_and_the_sweep_does_the_rest(
    with_store: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsettled, "AWAITED_S", 0.0)
    monkeypatch.setattr(unsettled, "SLICE_S", 0.0)

    async def play(store: Store) -> None:
        workers = await chain.prepare(store, images=2)
        await chain.work(store, workers, ("labelling", "spotting"))
        await engine.retire_category(store, 3, 5)
        assert await store.read(unsettled.number) == 1  # of two cells
        assert (await engine.progress(store)).unsettled == 1
        await unsettled.settle(store, 5)
        assert await store.read(unsettled.number) == 0
        assert await engine.doctor(store) == []

    with_store(play)
