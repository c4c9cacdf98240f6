"""amidst.crowd.hidden: known objects among those to be drawn, fewer as they tell more, never none."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.bodies import Client, SegmentationTask
from amidst.crowd.config import CampaignConfig
from amidst.crowd.context import read_both
from amidst.crowd.hidden import share
from amidst.crowd.plans import Plan, Turn
from amidst.crowd.results import Receipt, Ticket
from amidst.crowd.schema import gold_result, ticket
from amidst.crowd.simulated_answers import Memory, answer, turn_rng
from amidst.crowd.simulated_workers import CrowdModel, make_workers
from amidst.crowd.store import Store, open_store
from amidst.crowd.world import generate_world

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

EARLY = ("labelling", "spotting")
UNTRAINED = override(CampaignConfig(), ["segmentation.require_training=false"])
ALWAYS = override(UNTRAINED, ["segmentation.gold_most=1", "segmentation.gold_least=1"])
NEVER = override(UNTRAINED, ["segmentation.gold_most=0", "segmentation.gold_least=0"])


@pytest.fixture
def with_store(tmp_path: Path) -> Any:
    """with_store(play, config) runs `await play(store)` on a new campaign in SQLite."""

    def run(play: Any, config: CampaignConfig) -> None:
        async def main() -> None:
            store = await open_store(tmp_path / "campaign.db", create=True, durable=False)
            await engine.create_campaign(store, config, 0, secret="5e" * 32)
            await play(store)
            assert await engine.doctor(store) == []
            await store.close()

        asyncio.run(main())

    return run


async def begin(store: Store) -> int:
    """Cells wait to be drawn; a worker."""
    workers = await chain.prepare(store)
    await chain.work(store, workers, EARLY)
    return await engine.add_worker(store, "drawer", 0)


async def lease(store: Store, who: int) -> tuple[Ticket, int]:
    """A ticket, and the known object that it holds, or 0."""
    got = await engine.lease(store, who, "segmentation", 1)
    assert isinstance(got, Ticket), got
    own = select(ticket.c.plan_json).where(ticket.c.id == got.id)
    plan = msgspec.json.decode(await store.read(lambda c: c.scalar(own)), type=Plan)
    return got, plan.items[0].gold


async def submit(store: Store, who: int, got: Ticket, body: Any) -> Receipt:
    receipt = await engine.submit(store, who, got.id, got.token, f"key {got.id}", body, Client(), 1)
    assert isinstance(receipt, Receipt)
    return receipt


def true_square(got: Ticket) -> Any:
    x, y = got.task.target_xy
    return {"kind": "mask", "parts": [{"points": chain.square(x // 40 * 40, y // 40 * 40)}]}


async def counted(store: Store, who: int, tickets: int) -> int:
    """How many of so many tickets, each given back, held a known object."""
    number = 0
    for _ in range(tickets):
        got, known = await lease(store, who)
        number += known > 0
        await engine.release(store, who, got.id, got.token)
    return number


async def remember(store: Store, who: int, history: list[bool]) -> None:
    """Known objects that a worker has drawn, rightly or not."""
    for correct in history:
        got, known = await lease(store, who)
        assert known
        tiny = {
            "kind": "mask",
            "parts": [{"points": chain.square(*got.task.target_xy, 4)}],
            "off_target": True,
        }
        await submit(store, who, got, true_square(got) if correct else inside(tiny))


def inside(body: Any) -> Any:
    """The same drawing moved into the image."""
    points = body["parts"][0]["points"]
    left = min(0.0, chain.WIDTH - max(x for x, _ in points))
    up = min(0.0, chain.HEIGHT - max(y for _, y in points))
    return {**body, "parts": [{"points": [[round(x + left, 2), round(y + up, 2)] for x, y in points]}]}


def test_without_a_share_there_are_none(with_store: Any) -> None:
    async def play(store: Store) -> None:
        assert await counted(store, await begin(store), 40) == 0

    with_store(play, NEVER)


def test_a_known_object_looks_like_any_other(with_store: Any) -> None:
    async def play(store: Store) -> None:
        who = await begin(store)
        hidden, known = await lease(store, who)
        await engine.release(store, who, hidden.id, hidden.token)
        await engine.change_config(store, NEVER, 0)
        plain, other = await lease(store, who)
        assert known
        assert not other
        shapes = []
        for got in (hidden, plain):
            assert isinstance(got.task, SegmentationTask)
            sent = msgspec.json.decode(msgspec.json.encode(got))
            shapes.append([sorted(sent), sorted(sent["task"]), sorted(sent["task"]["image"])])
            x, y = got.task.target_xy
            assert (round(x, 2), round(y, 2)) == (x, y)
        assert shapes[0] == shapes[1]
        receipts = []
        for got in (plain, (await lease_known(store, who))):
            body = chain.honest(got) if got is plain else true_square(got)
            receipts.append(await submit(store, who, got, body))
        forms = [msgspec.structs.replace(receipt, answer_id=0) for receipt in receipts]
        assert forms[0] == forms[1]

    with_store(play, ALWAYS)


async def lease_known(store: Store, who: int) -> Ticket:
    await engine.change_config(store, ALWAYS, 0)
    got, known = await lease(store, who)
    assert known
    return got


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ("true", (1, 1)),
        ({"kind": "no_such_object"}, (0, 1)),
        ({"kind": "all_done"}, (0, 1)),
        ({"kind": "not_here"}, (0, 1)),
        ({"kind": "cannot_tell"}, (0, 0)),
    ],
)
def test_what_is_said_of_it_counts_for_the_worker_and_for_nothing_else(
    with_store: Any, body: Any, right: tuple[int, int]
) -> None:
    async def play(store: Store) -> None:
        who = await begin(store)
        before = await engine.progress(store)
        got, _ = await lease(store, who)
        receipt = await submit(store, who, got, true_square(got) if body == "true" else body)
        assert (receipt.status, receipt.training) == ("accepted", None)
        after = await engine.progress(store)
        assert (after.cells, after.masks) == (before.cells, before.masks)
        assert [stage.done for stage in after.stages] == [stage.done for stage in before.stages]
        (own,) = [worker for worker in after.workers if worker.id == who]
        assert (own.gold_right, own.gold_total) == right
        assert (own.answers, own.voided) == ({"segmentation": 1}, 0)
        effect = await engine.void(store, who, None, "test", "me", 2)
        assert effect.answers == 1
        assert await engine.doctor(store) == []
        await engine.revert_void(store, effect.void_id, 3)
        assert await engine.doctor(store) == []
        (own,) = [worker for worker in (await engine.progress(store)).workers if worker.id == who]
        assert own.voided == 0

    with_store(play, ALWAYS)


def test_those_least_seen_come_first(with_store: Any) -> None:
    async def play(store: Store) -> None:
        who = await begin(store)
        total = len([one for one in await engine.list_golds(store) if one.kind == "training"])
        seen = []
        for _ in range(total):
            got, known = await lease(store, who)
            seen.append(known)
            await submit(store, who, got, true_square(got))
        assert len(set(seen)) == total

    with_store(play, ALWAYS)


def test_the_share_falls_with_evidence_never_to_nothing_and_rises_after_a_sudden_change(
    with_store: Any,
) -> None:
    """Counted over leases: a stranger, one who is known, and one who has changed."""

    async def play(store: Store) -> None:
        stranger = await begin(store)
        known = await engine.add_worker(store, "known", 0)
        changed = await engine.add_worker(store, "changed", 0)
        expert = await engine.add_worker(store, "expert", 0, expert=True)
        await remember(store, known, [True] * 60)
        await remember(store, changed, [True] * 40 + [True, False] * 25)
        await engine.change_config(store, UNTRAINED, 0)
        tickets = 200
        shares = [await counted(store, who, tickets) / tickets for who in (stranger, known, changed)]
        assert 0.05 < shares[0] < 0.15
        assert 0 < shares[1] < 0.05
        assert 0.05 < shares[2] < 0.15
        assert await counted(store, expert, 50) == 0
        rows = await store.read(lambda c: c.execute(select(gold_result.c.id)).all())
        assert len(rows) == 150

    with_store(play, ALWAYS)


CAREFUL = CrowdModel(outline=(0.004, 0.001), coarse=0.0, spam=0.0, drop_out=(0.0, 0.0))
CARELESS = CrowdModel(outline=(0.25, 0.02), hand=(6.0, 0.5), coarse=0.0, spam=0.0, drop_out=(0.0, 0.0))


def test_a_simulated_worker_who_gets_careless_is_found_out(with_store: Any) -> None:
    """He draws well for a while, and then does not: known objects, fewer and fewer, come often again."""
    world = generate_world(11, 12)
    careful, careless = (make_workers(3, 1, world.categories, model)[0] for model in (CAREFUL, CARELESS))

    async def play(store: Store) -> None:
        kinds = [
            engine.NewCategory(id=one.id, name=one.name, supercategory=one.supercategory or "thing")
            for one in world.categories
        ]
        await engine.add_categories(store, kinds)
        rows = [one.record for one in world.images]
        new = [engine.NewImage(file_name=f"g{r.id}", width=r.width, height=r.height) for r in rows]
        images = dict(zip(await engine.add_images(store, new, 0, state="gold"), world.images, strict=True))
        for image_id, image in images.items():
            for thing in image.objects:
                if thing.area >= 900 and thing.visible_share > 0.8 and not thing.in_crowd:
                    await engine.add_gold_mask(store, image_id, thing.category_id, thing.mask, spoil=False)
        kept = [engine.NewImage(file_name=f"k{r.id}", width=r.width, height=r.height) for r in rows]
        images |= zip(await engine.add_images(store, kept, 0), world.images, strict=True)
        who = await engine.add_worker(store, "one", 0)

        async def answer_next(stage: Any, worker: Any) -> bool:
            got = await engine.lease(store, who, stage, 1)
            if not isinstance(got, Ticket):
                return False
            turn = answer(got.task, images, worker, turn_rng(1, worker, got.id), Memory())
            await submit(store, who, got, turn.body)
            return True

        for stage in ("labelling", "spotting"):
            while await answer_next(stage, careful):
                pass

        async def shares(worker: Any, number: int) -> list[float]:
            found = []
            for _ in range(number):
                assert await answer_next("segmentation", worker)
                found.append(await store.write(lambda c: share(turn_of(c, who), UNTRAINED.segmentation)))
            return found

        good = await shares(careful, 60)
        assert 0.02 < good[-1] < 0.035 < good[4] < good[0] < 0.1
        poor = await shares(careless, 50)
        assert poor[-1] == 0.1

    with_store(play, override(ALWAYS, ["labelling.workers=1", "spotting.workers=1"]))


def turn_of(connection: Any, who: int) -> Turn:
    return Turn(connection, *read_both(connection, who), 1)
