"""Answers that come in another order lead to the same decisions, where a rule does not depend on an order."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig, Stage
from amidst.crowd.results import Receipt, Ticket
from amidst.crowd.schema import decision, image
from amidst.crowd.schema_chain import cell, icon_drop, point
from amidst.crowd.store import Store, open_store

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

WORKERS = 6
CONFIG = override(
    CampaignConfig(),
    [
        f"labelling.workers={WORKERS}",
        f"spotting.workers={WORKERS}",
        f"image_filter.workers={WORKERS}",
        "image_filter.known_iconic=0",
        "image_filter.known_good=0",
        "image_filter.must_find=0",
        "image_filter.grid=4",
        "image_filter.max_marked=1",
        "spotting.crowd_votes=3",
    ],
)
XY = st.tuples(st.integers(0, 200), st.integers(0, 100))


async def all_at_once(
    store: Store, workers: list[int], stage: Stage, bodies: Sequence[Any], order: Sequence[int]
) -> None:
    """Everybody leases first; then they submit in an order."""
    held: list[Ticket] = []
    for worker in workers:
        got = await engine.lease(store, worker, stage, 1)
        assert isinstance(got, Ticket), got
        held.append(got)
    for place in order:
        got = held[place]
        key = f"key {got.id}"
        body = bodies[place]
        receipt = await engine.submit(store, workers[place], got.id, got.token, key, body, Client(), 1)
        assert isinstance(receipt, Receipt)
        assert receipt.status == "accepted"


async def outcome(folder: Path, answers: Any, order: Sequence[int]) -> Any:
    """What follows from the answers of every stage, given in this order."""
    names, crosses, removals = answers
    (folder / "campaign.db").unlink(missing_ok=True)
    store = await open_store(folder / "campaign.db", create=True, durable=False)
    await engine.create_campaign(store, CONFIG, 0, secret="5e" * 32)
    await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
    new = engine.NewImage(file_name="a.jpg", width=200, height=100)
    await engine.add_images(store, [new], 0)
    workers = [await engine.add_worker(store, str(number), 0) for number in range(WORKERS)]
    labels = []
    for xy in names:
        icons = [] if xy is None else [{"category": 1, "x": xy[0], "y": xy[1]}]
        labels.append({"panels": [{"super": "all", "present": bool(icons), "icons": icons}]})
    await all_at_once(store, workers, "labelling", labels, order)
    if any(xy is not None for xy in names):
        spots = []
        for found in crosses:
            points = [{"x": x, "y": y} for x, y in found]
            spots.append({"points": points, "none": not points, "more_than_10": len(points) == 10})
        await all_at_once(store, workers, "spotting", spots, order)
    more = engine.NewImage(file_name="b.jpg", width=200, height=100)
    await engine.add_images(store, [more], 0, state="candidate")
    filters = [{"removed": [{"item": 0, "reason": why}] if why else []} for why in removals]
    await all_at_once(store, workers, "image_filter", filters, order)

    def read(connection: Any) -> Any:
        latest = connection.execute(
            select(decision.c.rule, decision.c.subject, decision.c.outcome_json)
        ).all()
        return {
            "outcomes": {(row[0], row[1]): row[2] for row in latest},
            "images": connection.execute(select(image.c.state).order_by(image.c.id)).all(),
            "cells": connection.execute(select(cell.c.category_id, cell.c.state, cell.c.more_than_10)).all(),
            "drops": sorted(connection.execute(select(icon_drop.c.x, icon_drop.c.y)).all()),
            "points": sorted(connection.execute(select(point.c.x, point.c.y)).all()),
        }

    assert await engine.doctor(store) == []
    found = await store.read(read)
    await store.close()
    return found


def apart(points: list[tuple[int, int]]) -> bool:
    return all(abs(a - c) + abs(b - d) >= 4 for k, (a, b) in enumerate(points) for c, d in points[:k])


@settings(max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(
    st.tuples(
        st.lists(st.none() | XY, min_size=WORKERS, max_size=WORKERS),
        st.lists(st.lists(XY, max_size=10).filter(apart), min_size=WORKERS, max_size=WORKERS),
        st.lists(st.sampled_from(["", "invalid", "iconic_object"]), min_size=WORKERS, max_size=WORKERS),
    ),
    st.permutations(range(WORKERS)),
)
def test_the_same_answers_in_another_order(tmp_path_factory: Any, answers: Any, order: list[int]) -> None:
    folder = tmp_path_factory.mktemp("order")
    first = asyncio.run(outcome(folder, answers, range(WORKERS)))
    assert asyncio.run(outcome(folder, answers, order)) == first
