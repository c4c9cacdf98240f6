"""Known images and the filter; an expert's mask as a first known item. tests/crowd/test_campaigns.py has the
masks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.bodies import Client, FilterTask
from amidst.crowd.config import CampaignConfig
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.schema import image
from amidst.crowd.schema_chain import segmentation
from amidst.crowd.store import Store, open_store
from amidst.errors import DataError

Play = Callable[[Store], Awaitable[None]]
NUMBERS = [
    "image_filter.known_iconic=1",
    "image_filter.known_good=1",
    "image_filter.must_find=1",
    "image_filter.workers=2",
    "labelling.workers=1",
    "spotting.workers=1",
]


@pytest.fixture
def play_on(tmp_path: Path) -> Callable[[Play], None]:
    """play_on(play) runs `await play(store)` on a campaign, and asks the doctor afterwards."""

    def run(play: Play) -> None:
        async def main() -> None:
            store = await open_store(tmp_path / "campaign.db", create=True, durable=False)
            await engine.create_campaign(store, override(CampaignConfig(), NUMBERS), 0, secret="5e" * 32)
            await engine.add_categories(store, [engine.NewCategory(1, "dog", "animal")])
            await play(store)
            assert await engine.doctor(store) == []
            await store.close()

        asyncio.run(main())

    return run


def pictures(number: int) -> list[engine.NewImage]:
    return [engine.NewImage(file_name=f"{i}.jpg", width=100, height=100) for i in range(number)]


async def answered(store: Store, who: int, stage: engine.Stage, body: object) -> None:
    got = await engine.lease(store, who, stage, 1)
    assert isinstance(got, Ticket), got
    receipt = await engine.submit(store, who, got.id, got.token, f"key {got.id}", body, Client(), 1)
    assert isinstance(receipt, Receipt)
    assert receipt.status == "accepted"


def test_a_known_image_leaves_the_filter_decided(play_on: Callable[[Play], None]) -> None:
    async def play(store: Store) -> None:
        iconic, good, *others = await engine.add_images(store, pictures(5), 0, state="candidate")
        who = await engine.add_worker(store, "", 0)
        await engine.add_gold_image(store, iconic, 1, iconic=True)
        await engine.add_gold_image(store, good, 1, iconic=False)
        states = await store.read(lambda c: dict(c.execute(select(image.c.id, image.c.state)).all()))
        assert (states[iconic], states[good]) == ("removed", "kept")
        got = await engine.lease(store, who, "image_filter", 1)
        assert isinstance(got, Ticket)
        assert isinstance(got.task, FilterTask)
        shown = [one.id for one in got.task.items]
        assert sorted(shown) == sorted([iconic, good, *others])
        removed = [{"item": shown.index(iconic), "reason": "iconic_object"}]
        body = {"removed": removed}
        await engine.submit(store, who, got.id, got.token, f"key {got.id}", body, Client(), 1)
        # one who keeps an image is half of two: it can no longer be removed
        states = await store.read(lambda c: dict(c.execute(select(image.c.id, image.c.state)).all()))
        assert [states[one] for one in (iconic, good, *others)] == ["removed", *["kept"] * 4]

    play_on(play)


def test_an_image_has_one_known_item_and_a_retired_one_can_be_put_right(
    play_on: Callable[[Play], None],
) -> None:
    async def play(store: Store) -> None:
        (asked, _) = await engine.add_images(store, pictures(2), 0, state="candidate")
        made = await engine.add_gold_image(store, asked, 1, iconic=True)
        for iconic in (True, False):
            with pytest.raises(DataError, match=r"image 1: .*known item already.*retire that one"):
                await engine.add_gold_image(store, asked, 1, iconic=iconic)
        await engine.retire_gold(store, made)
        await engine.add_gold_image(store, asked, 2, iconic=False)
        assert (await engine.progress(store)).images == {"candidate": 1, "kept": 1}

    play_on(play)


def test_a_known_image_that_nobody_filters_stays_as_it_is(play_on: Callable[[Play], None]) -> None:
    async def play(store: Store) -> None:
        (kept,) = await engine.add_images(store, pictures(1), 0)
        await engine.add_gold_image(store, kept, 1, iconic=True)
        assert (await engine.progress(store)).images == {"kept": 1}
        assert await engine.list_decisions(store, f"image/{kept}") == []

    play_on(play)


def test_the_first_known_mask_is_an_experts(play_on: Callable[[Play], None]) -> None:
    async def play(store: Store) -> None:
        await engine.add_images(store, pictures(1), 0)
        worker = await engine.add_worker(store, "", 0)
        expert = await engine.add_worker(store, "", 0, expert=True)
        icons = [{"category": 1, "x": 50, "y": 50}]
        panels = [{"super": "animal", "present": True, "icons": icons}]
        await answered(store, worker, "labelling", {"panels": panels})
        await answered(store, worker, "spotting", {"points": [{"x": 50, "y": 50}, {"x": 12, "y": 12}]})
        assert await engine.lease(store, worker, "segmentation", 1) == NoWork(reason="no_gold")
        got = await engine.lease(store, expert, "segmentation", 1)
        assert isinstance(got, Ticket)
        x, y = got.task.target_xy  # type: ignore[union-attr]
        corners = [[x - 10, y - 10], [x + 10, y - 10], [x + 10, y + 10], [x - 10, y + 10]]
        body = {"kind": "mask", "parts": [{"points": corners}]}
        await engine.submit(store, expert, got.id, got.token, "key", body, Client(), 1)
        rows = await store.read(lambda c: c.execute(select(segmentation.c.id, segmentation.c.state)).all())
        assert [row.state for row in rows] == ["accepted"]
        (shown,) = await engine.decided_masks(store, "accepted")
        assert not shown.known
        await engine.add_decided_gold(store, rows[0].id)
        trained = await engine.lease(store, worker, "segmentation", 1)
        assert isinstance(trained, Ticket)
        assert trained.stage == "training"

    play_on(play)
