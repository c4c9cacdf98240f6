"""Stages that wait for known items say so, and what to do."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amidst.crowd import engine
from amidst.crowd.store import Store

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

Play = Callable[..., object]


def test_a_campaign_without_work_lacks_nothing(with_store: Play) -> None:
    async def play(store: Store) -> None:
        assert await engine.lacking(store) == ()

    with_store(play)


def test_the_filter_needs_known_images(with_store: Play) -> None:
    async def play(store: Store) -> None:
        new = [engine.NewImage(file_name=f"{i}.jpg", width=9, height=9) for i in range(9)]
        ids = await engine.add_images(store, new, 0, state="candidate")
        for place, image_id in enumerate(ids[:7]):
            await engine.add_gold_image(store, image_id, 0, iconic=place < 4)
        (found,) = await engine.lacking(store)
        assert (found.stage, found.waiting) == ("image_filter", 2)
        assert "needs 4 known iconic and 4 known good images; there are 4 and 3" in found.text
        await engine.add_gold_image(store, ids[7], 0, iconic=False)
        assert await engine.lacking(store) == ()

    with_store(play)


def test_drawing_and_verification_need_known_masks(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ("labelling", "spotting"))
        assert await engine.lacking(store) == ()
        kinds = {one.id: one.kind for one in await engine.list_golds(store, limit=1000)}
        training = [one for one in kinds if kinds[one] == "training"]
        for gold_id in training:
            await engine.retire_gold(store, gold_id)
        (found,) = await engine.lacking(store)
        assert (found.stage, found.waiting) == ("segmentation", 2)
        assert found.text.startswith("thing 1, thing 3: objects wait to be drawn, and there is no known mask")

    with_store(play)


def test_a_grid_of_verification_needs_both_kinds(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ("labelling", "spotting", "segmentation"))
        good = [one.id for one in await engine.list_golds(store, kind="known_good", limit=1000)]
        for gold_id in good[3:]:
            await engine.retire_gold(store, gold_id)
        (found,) = await engine.lacking(store)
        assert found.stage == "verification"
        assert found.waiting == 3
        assert (
            "and 3: import some (amidst crowd add DIR --known COCO.json), or let an expert draw" in found.text
        )

    with_store(play)
