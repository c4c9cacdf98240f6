"""The stages one by one: gates, gold secrecy, rejected masks, crowd regions, filter, votes, captions.

On SQLite alone; tests/crowd/test_engine.py takes the chain through both databases.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, delete, select, update

from amidst.config import override
from amidst.crowd import engine, units
from amidst.crowd.bodies import Client, SegmentationTask, SpottingTask, TrainingTask, VerificationTask
from amidst.crowd.config import CampaignConfig
from amidst.crowd.plans import Plan
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.schema import image, qualification, ticket, unit, worker
from amidst.crowd.schema_chain import crowd_region, instance, segmentation
from amidst.crowd.store import Store, open_store
from amidst.curation.selection import Proposal
from amidst.errors import AnswerError

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

UNTRAINED = override(CampaignConfig(), ["segmentation.require_training=false"])
EARLY = ("labelling", "spotting")


@pytest.fixture
def play_on(tmp_path: Path) -> Callable[..., None]:
    """play_on(play, config) runs `await play(store)` and asks the doctor afterwards."""

    def run(play: Callable[[Store], Awaitable[None]], config: CampaignConfig = UNTRAINED) -> None:
        async def main() -> None:
            store = await open_store(tmp_path / "campaign.db", create=True, durable=False)
            await engine.create_campaign(store, config, 0, secret="5e" * 32)
            await play(store)
            assert await engine.doctor(store) == []
            await store.close()

        asyncio.run(main())

    return run


async def lease(store: Store, who: int, stage: Any, now: int = 1) -> Ticket:
    got = await engine.lease(store, who, stage, now)
    assert isinstance(got, Ticket), (stage, got)
    return got


async def submit(
    store: Store, who: int, got: Ticket, body: Any, key: str | None = None, now: int = 1
) -> Receipt:
    receipt = await engine.submit(store, who, got.id, got.token, key or f"key {got.id}", body, Client(), now)
    assert isinstance(receipt, Receipt), receipt
    return receipt


async def mask_waiting(store: Store) -> tuple[list[int], int, list[int]]:
    """Workers, the one who has drawn the only mask, and the others."""
    workers = await chain.prepare(store, workers=9)
    await chain.work(store, workers, EARLY)
    author = workers[0]
    got = await lease(store, author, "segmentation")
    await submit(store, author, got, chain.honest(got))
    return workers, author, workers[1:]


def test_a_training_gate_opens_after_two_of_five_and_pauses_after_five(play_on: Any) -> None:
    async def play(store: Store) -> None:
        good, poor, *others = await chain.prepare(store)
        await chain.work(store, [good, poor, *others], EARLY)
        for passed in (1, 2):
            got = await lease(store, good, "segmentation")
            assert isinstance(got.task, TrainingTask)
            assert (got.task.passed, got.task.needed) == (passed - 1, 2)
            receipt = await submit(store, good, got, chain.honest(got))
            assert receipt.training is not None
            assert (receipt.training.iou, receipt.training.passed) == (1.0, True)
            assert receipt.training.state == ("passed" if passed == 2 else "open")
        got = await lease(store, good, "segmentation")
        assert got.stage == "segmentation"
        await engine.release(store, good, got.id, got.token)
        categories: Counter[int] = Counter()
        for _ in range(10):  # both categories with work close
            got = await lease(store, poor, "segmentation")
            categories[got.task.category.id] += 1
            x, y = got.task.target_xy
            tiny = {"kind": "mask", "parts": [{"points": chain.square(x - 2, y - 2, 4)}]}
            receipt = await submit(store, poor, got, tiny)
            assert receipt.training is not None
            assert not receipt.training.passed
        assert sorted(categories.values()) == [5, 5]
        day = 24 * 3600 * 1_000_000
        assert await engine.lease(store, poor, "segmentation", 2) == NoWork(
            reason="training_paused", retry_at=day + 1
        )
        assert (await lease(store, poor, "segmentation", day + 2)).stage == "training"
        with pytest.raises(AnswerError, match="training-mask"):
            await submit(
                store, poor, await lease(store, poor, "segmentation", day + 2), {"kind": "cannot_tell"}
            )
        rows = await store.read(lambda c: c.execute(select(qualification.c.state)).all())
        assert sorted(row[0] for row in rows) == ["passed", "paused", "paused"]

    play_on(play, CampaignConfig())


def test_one_cell_has_one_open_ticket(play_on: Any) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, EARLY)
        first = await lease(store, workers[0], "segmentation")
        second = await lease(store, workers[1], "segmentation")
        assert {first.task.category.id, second.task.category.id} == {1, 3}
        assert await engine.lease(store, workers[2], "segmentation", 1) == NoWork(reason="nothing_open")

    play_on(play)


def test_nothing_in_a_grid_tells_known_items_apart(play_on: Any) -> None:
    async def play(store: Store) -> None:
        _, _, others = await mask_waiting(store)
        got = await lease(store, others[0], "verification")
        assert isinstance(got.task, VerificationTask)
        text = await store.read(
            lambda c: c.execute(select(ticket.c.plan_json).where(ticket.c.id == got.id)).scalar_one()
        )
        plan = msgspec.json.decode(text, type=Plan)
        assert len(plan.items) == len(got.task.items) == 9  # one mask, four and four
        sent = msgspec.json.decode(msgspec.json.encode(got))
        shapes = {
            tuple(sorted([*item, *item["image"], *item["category"], *item["mask"], str(item["region"])]))
            for item in sent["task"]["items"]
        }
        assert len(shapes) == 1
        assert "gold" not in msgspec.json.encode(got).decode()
        assert {item.category.id for item in got.task.items} == {got.task.items[0].category.id}
        resumed = await engine.resume(store, others[0], got.id, 2)
        assert isinstance(resumed, Ticket)
        assert resumed.task == got.task

    play_on(play)


def test_known_masks_come_again_only_after_all_others_and_never_as_the_same_pixels(play_on: Any) -> None:
    async def play(store: Store) -> None:
        _, _, others = await mask_waiting(store)
        kinds = {one.id: one.kind for one in await engine.list_golds(store)}
        shown: list[tuple[int, str]] = []
        for _ in range(2 * len(chain.GOLD) // 4):  # until every good one has been seen twice
            got = await lease(store, others[0], "verification")
            own = select(ticket.c.plan_json).where(ticket.c.id == got.id)
            plan = msgspec.json.decode(await store.read(lambda c, q=own: c.scalar(q)), type=Plan)
            for item, mask in zip(plan.items, got.task.items, strict=True):
                shown += [(item.gold, str(mask.mask.counts))] if item.gold else []
            await engine.release(store, others[0], got.id, got.token)
        good = [gold for gold, _ in shown if kinds[gold] == "known_good"]
        assert sorted(Counter(good).values()) == [2] * len(chain.GOLD)
        assert len(set(good[: len(chain.GOLD)])) == len(chain.GOLD)
        bad = [gold for gold, _ in shown if kinds[gold] == "known_bad"]
        assert len(set(bad)) == len(bad)
        shapes = [shape for gold, shape in shown if kinds[gold] == "known_good"]
        assert len(set(shapes)) > 0.8 * len(shapes)  # a square of twenty pixels bears few nudges

    play_on(play)


def test_the_gate_of_a_grid_gives_three_tries_and_then_frees_the_places(play_on: Any) -> None:
    async def play(store: Store) -> None:
        _, _, others = await mask_waiting(store)
        lazy, honest = others[:2]
        got = await lease(store, lazy, "verification")
        everything = {"bad": list(range(9))}
        for number, (body, status, left) in enumerate(
            [({"bad": []}, "look_again", 2), (everything, "look_again", 1), ({"bad": []}, "gate_failed", 0)]
        ):
            receipt = await submit(store, lazy, got, body, f"try {number}")
            assert (receipt.status, receipt.tries_left) == (status, left)
            again = await submit(store, lazy, got, body, f"try {number}")
            assert again.replayed
            assert again.status == status
        assert (await engine.progress(store)).masks == {"pending": 1}
        got = await lease(store, honest, "verification")
        assert (await submit(store, honest, got, chain.honest(got))).status == "accepted"
        standing = {row.id: row for row in (await engine.progress(store)).workers}
        assert (standing[honest].gold_right, standing[honest].gold_total) == (8, 8)
        assert (standing[lazy].gold_right, standing[lazy].gold_total) == (4, 8)  # only the first try counts

    play_on(play)


def test_nobody_judges_a_mask_of_their_own(play_on: Any) -> None:
    async def play(store: Store) -> None:
        _, author, others = await mask_waiting(store)
        assert await engine.lease(store, author, "verification", 1) == NoWork(reason="nothing_open")
        got = await lease(store, others[0], "verification")
        await submit(store, others[0], got, chain.honest(got))
        assert await engine.lease(store, others[0], "verification", 1) == NoWork(reason="nothing_open")

    play_on(play)


def test_a_small_grid_waits_for_more_masks_but_not_too_long_and_not_in_vain(play_on: Any) -> None:
    async def play(store: Store) -> None:
        _, _, (one, two, *_) = await mask_waiting(store)
        drawn = (1, 3)

        def more_to_draw(connection: Connection) -> None:
            for number in drawn:
                units.create(connection, "segmentation", "cell", [900 + number], 1, 1, category_id=number)

        await store.write(more_to_draw)
        assert await engine.lease(store, one, "verification", 2) == NoWork(reason="nothing_open")
        patience = int(CampaignConfig().verification.patience_s * 1e6)
        await lease(store, one, "verification", 1 + patience)
        await store.write(lambda c: c.execute(delete(unit).where(unit.c.ref_id > 900)))
        await lease(store, two, "verification", 2)

    play_on(play)


def test_a_grid_of_few_places_does_not_wait_for_more_masks_than_it_holds(play_on: Any) -> None:
    known = UNTRAINED.verification.known_bad + UNTRAINED.verification.known_good
    small = override(UNTRAINED, [f"verification.grid={known + 1}"])

    async def play(store: Store) -> None:
        _, _, (one, *_) = await mask_waiting(store)
        for number in (1, 3):  # more is to be drawn, and the mask has not waited long
            await store.write(
                lambda c, number=number: units.create(
                    c, "segmentation", "cell", [900 + number], 1, 1, category_id=number
                )
            )
        got = await lease(store, one, "verification", 2)
        assert isinstance(got.task, VerificationTask)
        assert len(got.task.items) == known + 1
        await store.write(lambda c: c.execute(delete(unit).where(unit.c.ref_id > 900)))

    play_on(play, small)


def test_a_rejected_mask_goes_back_to_the_pool_and_after_three_to_an_expert(play_on: Any) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store, workers=9)
        one = {3: [(60, 10)]}
        await chain.work(store, workers, EARLY, lambda got: chain.honest(got, one))
        for attempt in (1, 2, 3):
            got = await lease(store, workers[attempt], "segmentation")
            x, y = got.task.target_xy
            poor = {"kind": "mask", "parts": [{"points": chain.square(x - 3, y - 3, 6)}]}
            await submit(store, workers[attempt], got, poor)
            for judge in (workers[7], workers[8]):  # two bad of three settle it
                grid = await lease(store, judge, "verification")
                await submit(store, judge, grid, chain.honest(grid))
            rows = await store.read(lambda c: c.execute(select(instance.c.state, instance.c.attempt)).all())
            assert [tuple(row) for row in rows] == [("pool", attempt)]
        assert await engine.lease(store, workers[0], "segmentation", 1) == NoWork(reason="nothing_open")
        expert = await engine.add_worker(store, "", 0, expert=True)
        assert "segmentation" not in await engine.open_stages(store, workers[0])
        assert "segmentation" in await engine.open_stages(store, expert)
        got = await lease(store, expert, "segmentation")
        await submit(store, expert, got, chain.honest(got))
        states = await store.read(lambda c: c.execute(select(segmentation.c.state)).all())
        assert [row[0] for row in states] == ["discarded"] * 3 + ["accepted"]
        assert await chain.states(store) == [(3, "closed", 1)]

    play_on(play)


def test_two_persons_close_a_cell_without_an_object(play_on: Any) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, EARLY)

        def nothing(got: Ticket) -> Any:
            return {"kind": "no_such_object"} if isinstance(got.task, SegmentationTask) else chain.honest(got)

        await chain.work(store, workers, ("segmentation",), nothing)
        assert await chain.states(store) == [(1, "false_positive", 0), (3, "false_positive", 0)]
        standing = {stage.stage: stage for stage in (await engine.progress(store)).stages}
        assert (standing["segmentation"].done, standing["segmentation"].decided) == (4, 2)

    play_on(play)


def test_a_crowd_becomes_one_region_after_ten_masks(play_on: Any) -> None:
    many = {1: [(24 * i, 24 * j) for j in range(4) for i in range(8)]}

    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        shift = {"n": 0}

        def answer(got: Ticket) -> Any:
            if isinstance(got.task, SpottingTask):  # everybody sees ten others
                shift["n"] += 4
                corners = [many[1][(shift["n"] + k) % 32] for k in range(10)]
                return {"points": [{"x": x + 10, "y": y + 10} for x, y in corners], "more_than_10": True}
            return chain.honest(got, many)

        await chain.work(store, workers, chain.CHAIN[:-1], answer)
        assert await chain.states(store) == [(1, "closed", 10)]
        rows = await store.read(lambda c: c.execute(select(crowd_region.c.state)).all())
        assert [row[0] for row in rows] == ["accepted"]
        found = (await engine.export(store)).dataset.annotations
        assert Counter(annotation.iscrowd for annotation in found) == {False: 10, True: 1}

    play_on(play)


def test_two_of_three_remove_an_image_from_the_collection(play_on: Any) -> None:
    async def play(store: Store) -> None:
        def sized(prefix: str, number: int) -> list[engine.NewImage]:
            return [engine.NewImage(file_name=f"{prefix}{i}.jpg", width=9, height=9) for i in range(number)]

        workers = [await engine.add_worker(store, "", 0) for _ in range(3)]
        asked = await engine.add_images(store, sized("a", 6), 0, state="candidate")
        assert await engine.lease(store, workers[0], "image_filter", 1) == NoWork(reason="no_gold")
        known = await engine.add_images(store, sized("g", 8), 0, state="gold")
        for number, image_id in enumerate(known):
            await engine.add_gold_image(store, image_id, 0, iconic=number < 4)
        for who in workers:
            got = await lease(store, who, "image_filter")
            shown = [item.id for item in got.task.items]
            left = asked[:2] if who == workers[2] else asked  # two who keep an image settle it
            assert sorted(shown) == sorted([*left, *known])
            poor = (
                known[:4]
                + ([asked[0]] if who != workers[0] else [])
                + ([asked[1]] if who == workers[0] else [])
            )
            removed = [{"item": shown.index(image_id), "reason": "iconic_object"} for image_id in poor]
            assert (await submit(store, who, got, {"removed": removed})).status == "accepted"
        rows = await store.read(lambda c: dict(c.execute(select(image.c.id, image.c.state)).all()))
        assert [rows[image_id] for image_id in asked] == ["removed"] + ["kept"] * 5
        assert {stage.stage: stage.open for stage in (await engine.progress(store)).stages}["labelling"] == 5

    play_on(play)


def test_categories_are_chosen_when_all_have_voted(play_on: Any) -> None:
    async def play(store: Store) -> None:
        workers = [await engine.add_worker(store, "", 0) for _ in range(2)]
        names = ("cat", "dog", "sky")
        await engine.add_candidates(store, [Proposal(name, thing=name != "sky") for name in names], 0)
        for who in workers:
            got = await lease(store, who, "category_votes")
            scores = [{"candidate": c.id, "score": 5 if c.name == "dog" else 2} for c in got.task.candidates]
            with pytest.raises(AnswerError, match="not scored"):
                await submit(store, who, got, {"scores": scores[:2]})
            await submit(store, who, got, {"scores": scores})
        (decided,) = await engine.list_decisions(store, "campaign/1")
        assert decided.outcome["taken"] == ["dog", "cat"]

    play_on(play, override(CampaignConfig(), ["category_votes.voters=2", "category_votes.target=2"]))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Too short.", "caption-length"),
        ("A dog runs over the grass, see www.dogs.com for more of it", "caption-link"),
        ("A dog runs over the \u202e grass of the green park today", "caption-characters"),
        ("A dog and a cat play on the grass of a park", "caption-similar"),
    ],
)
def test_captions_are_held_to_their_rules(play_on: Any, text: str, rule: str) -> None:
    async def play(store: Store) -> None:
        await engine.add_images(store, [engine.NewImage(file_name="a.jpg", width=9, height=9)], 0)
        first, second = [await engine.add_worker(store, "", 0) for _ in range(2)]
        got = await lease(store, first, "captions")
        await submit(store, first, got, {"text": "A dog and a cat play on the grass of a park."})
        got = await lease(store, second, "captions")
        with pytest.raises(AnswerError) as caught:
            await submit(store, second, got, {"text": text})
        assert caught.value.rule == rule

    play_on(play)


def test_an_expert_needs_no_gate(play_on: Any) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, EARLY)
        expert = await engine.add_worker(store, "", 0, expert=True)
        assert (await lease(store, expert, "segmentation")).stage == "segmentation"
        await store.write(lambda c: c.execute(update(worker).values(expert=False)))
        assert (await lease(store, workers[0], "segmentation")).stage == "training"

    play_on(play, CampaignConfig())
