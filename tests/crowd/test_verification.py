"""Grids of verification: no object stands in one twice, be it judged, known or filling."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Connection, Table, func, insert, select

from amidst.coco import masks
from amidst.config import override
from amidst.crowd import engine, units
from amidst.crowd.config import CampaignConfig
from amidst.crowd.plans import Plan
from amidst.crowd.results import Ticket
from amidst.crowd.schema import answer, gold, ticket
from amidst.crowd.schema_chain import cell, instance, point, segmentation
from amidst.crowd.store import Store, open_store

SIZE = 40
NUMBERS = ["verification.grid=24", "verification.min_items=1", "verification.known_good=1"]
LATER = 10**13


def history(connection: Connection, rng: np.random.Generator, author: int) -> None:
    """Thirty objects: of each up to two discarded masks, then one that waits, an accepted one, or none."""
    square = masks.from_box((10, 10, 12, 12), (SIZE, SIZE))
    connection.execute(insert(ticket), {**bare(ticket), "worker_id": author, "state": "submitted"})
    connection.execute(insert(answer), {**bare(answer), "worker_id": author})
    for number in range(1, 31):
        image_id, category_id = number, int(rng.integers(1, 3))
        connection.execute(
            insert(cell),
            {"id": number, "image_id": image_id, "category_id": category_id, "prior_x": 15, "prior_y": 15},
        )
        connection.execute(insert(point), {"id": number, "cell_id": number, "x": 15, "y": 15})
        connection.execute(insert(instance), {"id": number, "cell_id": number, "point_id": number})
        last = [[], ["pending"], ["accepted"]][int(rng.integers(3))]
        for state in ["discarded"] * int(rng.integers(3)) + last:
            row = {"cell_id": number, "instance_id": number, "answer_id": 1, "parts_json": "[]"}
            shape = {"rle": str(square.counts), "area": 144, "x": 10, "y": 10, "w": 12, "h": 12}
            made = connection.execute(
                insert(segmentation).returning(segmentation.c.id), {**row, **shape, "state": state}
            ).scalar_one()
            if state == "pending":
                units.create(
                    connection,
                    "verification",
                    "segmentation",
                    [made],
                    3,
                    0,
                    category_id=category_id,
                    author_id=author,
                )


def bare(table: Table) -> dict[str, Any]:
    """A first row that others can refer to: 1 or {} wherever something has to stand."""
    return {
        column.name: 1 if column.type.python_type is int else "{}"
        for column in table.c
        if not column.nullable and column.server_default is None
    }


async def plan_of(store: Store, got: Ticket) -> Plan:
    query = select(ticket.c.plan_json).where(ticket.c.id == got.id)
    return msgspec.json.decode(await store.read(lambda c: c.execute(query).scalar_one()), type=Plan)


@pytest.mark.parametrize("seed", range(12))
def test_no_object_stands_twice_in_a_grid(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)

    async def main() -> int:
        store = await open_store(tmp_path / "campaign.db", create=True, durable=False)
        await engine.create_campaign(store, override(CampaignConfig(), NUMBERS), 0, secret="5e" * 32)
        await engine.add_categories(store, [engine.NewCategory(i, f"thing {i}", "one") for i in (1, 2)])
        names = [engine.NewImage(f"{i}.jpg", SIZE, SIZE) for i in range(30)]
        await engine.add_images(store, names, 0, state="gold")
        author, *others = [await engine.add_worker(store, "", 0) for _ in range(6)]
        await store.write(lambda c: history(c, rng, author))
        for state in ("accepted", "discarded"):
            for one in await engine.decided_masks(store, state, limit=500):
                if rng.random() < 0.5:
                    await engine.add_decided_gold(store, one.id)
        for one in await engine.list_golds(store, limit=1000):
            if rng.random() < 0.2:
                await engine.retire_gold(store, one.id)
        instances, sources = await store.read(read)
        active = {sources[one.id] for one in await engine.list_golds(store, state="active", limit=1000)}
        grids = 0
        for who in others:
            got = await engine.lease(store, who, "verification", LATER)
            if not isinstance(got, Ticket):
                continue
            grids += 1
            plan = await plan_of(store, got)
            judged = [instances[item.ref] for item in plan.items if item.unit]
            known = {instances[sources[item.gold]] for item in plan.items if item.gold}
            filling = [item.ref for item in plan.items if not item.unit and not item.gold]
            filled = [instances[ref] for ref in filling]
            assert judged
            assert len(set(judged)) == len(judged)
            assert len(set(filled)) == len(filled)
            assert not known & set(judged)
            assert not (known | set(judged)) & set(filled)
            assert not active & set(filling)
        await store.close()
        return grids

    assert asyncio.run(main()) > 0


def read(connection: Connection) -> tuple[dict[int, int], dict[int, int]]:
    """Instances of masks, and masks of known items."""
    rows = connection.execute(select(segmentation.c.id, segmentation.c.instance_id)).all()
    known = connection.execute(select(gold.c.id, func.substr(gold.c.source, len("segmentation/") + 1)))
    return dict(rows), {row[0]: int(row[1]) for row in known}
