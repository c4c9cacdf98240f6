"""The search for free units: in order, round and round, in windows; and few statements to a lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event, insert, select

from amidst.crowd import engine, free_units
from amidst.crowd.context import Worker
from amidst.crowd.results import NoWork, Ticket
from amidst.crowd.schema import position, slot, ticket, unit
from amidst.crowd.store import Store

Play = Callable[..., object]
IMAGES = 600  # windows are of 256


async def begin(store: Store, images: int = IMAGES) -> Worker:
    await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
    new = [engine.NewImage(file_name=f"{i}.jpg", width=640, height=480) for i in range(images)]
    await engine.add_images(store, new, 0)
    return Worker(await engine.add_worker(store, "", 0), active=True, expert=False)


async def judge(store: Store, worker: Worker, units: list[int]) -> None:
    """As if the worker had them out."""
    row = {"stage": "labelling", "worker_id": worker.id, "token_hash": "", "plan_json": "{}"}
    made = insert(ticket).values(**row, issued_at=0, expires_at=0).returning(ticket.c.id)
    held = await store.write(lambda c: c.execute(made).scalar_one())
    rows = [{"unit_id": one, "worker_id": worker.id, "ticket_id": held, "position": 0} for one in units]
    await store.write(lambda c: c.execute(insert(slot), rows))


async def look(store: Store, worker: Worker, number: int) -> list[int]:
    found = await store.write(lambda c: free_units.find(c, worker, "labelling", number))
    return [one.id for one in found]


def test_nothing_is_found_where_nothing_is(with_store: Play) -> None:
    async def play(store: Store) -> None:
        worker = await begin(store, 0)
        assert await look(store, worker, 0) == await look(store, worker, 1) == []
        assert not await store.read(lambda c: free_units.is_open(c, "labelling"))
        assert not await store.read(lambda c: free_units.open_stages(c, worker))

    with_store(play)


def test_a_worker_goes_through_all_windows_and_round(with_store: Play) -> None:
    async def play(store: Store) -> None:
        worker = await begin(store)
        query = select(unit.c.id).where(unit.c.stage == "labelling").order_by(unit.c.id)
        ids: list[int] = await store.read(lambda c: list(c.execute(query).scalars()))
        assert await look(store, worker, 3) == ids[:3]  # looking takes nothing
        await judge(store, worker, ids[:550])
        assert await look(store, worker, 1) == [ids[550]]
        reached = select(position.c.unit_id).where(position.c.worker_id == worker.id)
        assert await store.read(lambda c: c.execute(reached).scalar()) == ids[550]
        assert await look(store, worker, 100) == [*ids[551:], ids[550]]  # all others, each once
        await judge(store, worker, ids[551:])
        assert await look(store, worker, 2) == [ids[550]]
        await judge(store, worker, ids[550:551])
        assert await look(store, worker, 1) == []
        other = Worker(await engine.add_worker(store, "", 0), active=True, expert=False)
        assert await look(store, other, 1) == ids[:1]

    with_store(play)


def test_a_lease_takes_seven_statements(with_store: Play) -> None:
    """Each is a journey to the server, and most of what a lease costs: who asks, what is free, what the image
    is asked about; ticket, unit, slot; the image.
    """

    async def play(store: Store) -> None:
        worker, told = await begin(store, 3), list[str]()

        def note(*arguments: Any) -> None:
            told.append(arguments[2])

        def watch(connection: Any) -> None:
            event.listen(connection.engine, "before_cursor_execute", note)

        await store.write(watch)
        assert isinstance(await engine.lease(store, worker.id, "labelling", 0), Ticket)
        spoken = [one.split()[0] for one in told if one.split()[0] in ("SELECT", "INSERT", "UPDATE")]
        assert spoken == ["SELECT", "SELECT", "SELECT", "INSERT", "UPDATE", "INSERT", "SELECT"]
        for _ in range(2):
            await engine.lease(store, worker.id, "labelling", 0)
        assert isinstance(await engine.lease(store, worker.id, "labelling", 0), NoWork)

    with_store(play)
