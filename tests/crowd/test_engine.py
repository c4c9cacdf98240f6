"""amidst.crowd.engine: the whole chain, played by workers who know the truth, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from amidst.coco import masks
from amidst.coco.check import check
from amidst.coco.records import Rle
from amidst.crowd import engine
from amidst.crowd.bodies import (
    CaptionTask,
    Client,
    CrowdTask,
    LabellingTask,
    SegmentationTask,
    SpottingTask,
    TrainingTask,
    VerificationTask,
)
from amidst.crowd.config import Stage
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.schema import answer
from amidst.crowd.schema_chain import cell, segmentation
from amidst.crowd.store import Store

WIDTH, HEIGHT = 200, 100
TRUTH = {1: [(20, 20), (120, 60)], 3: [(60, 10)]}  # category id -> left upper corners of squares
SIDE = 20

Play = Callable[..., Any]


def square(x: float, y: float, side: float = SIDE) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


def square_mask(x: float, y: float) -> Rle:
    return masks.from_polygons([[v for point in square(x, y) for v in point]], (HEIGHT, WIDTH))


def honest(ticket: Ticket, truth: dict[int, list[tuple[int, int]]] = TRUTH) -> Any:
    """The right answer to a task."""
    task = ticket.task
    if isinstance(task, LabellingTask):
        panels = []
        for panel in task.panels:
            icons = [
                {"category": c.id, "x": truth[c.id][0][0] + 10, "y": truth[c.id][0][1] + 10}
                for c in panel.categories
                if c.id in truth
            ]
            panels.append({"super": panel.super, "present": bool(icons), "icons": icons})
        return {"panels": panels}
    if isinstance(task, SpottingTask):
        points = [{"x": x + 10, "y": y + 10} for x, y in truth[task.category.id][:10]]
        return {"points": points, "more_than_10": len(truth[task.category.id]) > 10}
    if isinstance(task, TrainingTask):
        x, y = task.target_xy
        corner = (x // 40 * 40, y // 40 * 40)
        return {"kind": "mask", "parts": [{"points": square(*corner)}]}
    if isinstance(task, SegmentationTask):
        x, y = task.target_xy
        for left, top in truth[task.category.id]:
            if left <= x <= left + SIDE and top <= y <= top + SIDE:
                return {"kind": "mask", "parts": [{"points": square(left, top)}]}
        return {"kind": "no_such_object"}
    if isinstance(task, VerificationTask):
        bad = []
        for place, item in enumerate(task.items):
            known = [square_mask(x, y) for x, y in (*truth.get(item.category.id, ()), *GOLD)]
            if not item.region and masks.iou([item.mask], known).max() < 0.7:
                bad.append(place)
        return {"bad": bad}
    if isinstance(task, CrowdTask):
        x, y = task.points[0] if task.points else (5, 5)
        return {"region": {"size": [HEIGHT, WIDTH], "counts": square_mask(x - 8, y - 8).counts}}
    assert isinstance(task, CaptionTask)
    return {"text": f"A sentence of {ticket.id} with number {ticket.id * 7} many words in {ticket.id * 3} it"}


GOLD = [(x, y) for y in (0, 40, 80) for x in (0, 40, 80, 120)]


async def prepare(store: Store, workers: int = 8, images: int = 1) -> list[int]:
    """Categories, images, golds; the workers."""
    await engine.add_categories(
        store,
        [
            engine.NewCategory(id=i, name=f"thing {i}", supercategory="one" if i < 3 else "two")
            for i in (1, 2, 3)
        ],
    )
    new = [engine.NewImage(file_name=f"{i}.jpg", width=WIDTH, height=HEIGHT) for i in range(images)]
    await engine.add_images(store, new, 0)
    known = [engine.NewImage(file_name=f"g{i}.jpg", width=WIDTH, height=HEIGHT) for i in range(len(GOLD))]
    golds = await engine.add_images(store, known, 0, state="gold")
    for category_id in (1, 3):
        for image_id, corner in zip(golds, GOLD, strict=True):
            await engine.add_gold_mask(store, image_id, category_id, square_mask(*corner))
    return [await engine.add_worker(store, f"worker {i}", 0) for i in range(workers)]


async def work(
    store: Store,
    workers: list[int],
    stages: tuple[Stage, ...],
    answer: Callable[[Ticket], Any] = honest,
    now: int = 1,
) -> int:
    """Everybody works until nobody gets anything; the number of answers."""
    done = 0
    while True:
        before = done
        for worker in workers:
            for stage in stages:
                ticket = await engine.lease(store, worker, stage, now)
                if isinstance(ticket, NoWork):
                    continue
                receipt = await engine.submit(
                    store, worker, ticket.id, ticket.token, f"key {ticket.id}", answer(ticket), Client(), now
                )
                assert isinstance(receipt, Receipt), (stage, receipt)
                assert receipt.status == "accepted", (stage, receipt)
                done += 1
        if done == before:
            return done


CHAIN: tuple[Stage, ...] = (
    "labelling",
    "spotting",
    "segmentation",
    "verification",
    "crowd_regions",
    "captions",
)


async def states(store: Store) -> list[tuple[int, str, int]]:
    return await store.read(
        lambda c: [
            tuple(row)
            for row in c.execute(
                select(cell.c.category_id, cell.c.state, cell.c.n_segmented).order_by(cell.c.category_id)
            )
        ]
    )


def test_a_campaign_without_images_has_no_work(with_store: Play) -> None:
    async def play(store: Store) -> None:
        worker = await engine.add_worker(store, "", 0)
        for stage in CHAIN:
            assert await engine.lease(store, worker, stage, 1) == NoWork(reason="nothing_open")

    with_store(play)


def test_honest_workers_get_every_object_through_the_chain(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await prepare(store)
        await work(store, workers, CHAIN)
        assert await states(store) == [(1, "closed", 2), (3, "closed", 1)]
        found = await store.read(lambda c: c.execute(select(segmentation.c.rle, segmentation.c.state)).all())
        truth = {square_mask(x, y).counts for corners in TRUTH.values() for x, y in corners}
        assert {row[0] for row in found} == truth
        assert {row[1] for row in found} == {"accepted"}

    with_store(play)


def test_the_doctor_finds_nothing_and_the_export_is_right(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await prepare(store, images=2)
        await work(store, workers, CHAIN)
        assert await engine.doctor(store) == []
        found = await engine.export(store)
        assert len(found.dataset.images) == 2
        assert len(found.dataset.annotations) == 6
        assert not any(annotation.iscrowd for annotation in found.dataset.annotations)
        assert len(found.captions) == 10
        assert check(found.dataset).errors == ()
        assert {a.bbox_xywh for a in found.dataset.annotations} == {
            (x, y, SIDE, SIDE) for corners in TRUTH.values() for x, y in corners
        }
        standing = await engine.progress(store)
        assert standing.cells == {"closed": 4}
        assert {stage.stage: (stage.done, stage.open) for stage in standing.stages} == {
            "labelling": (16, 0),
            "spotting": (32, 0),
            "segmentation": (6, 0),
            "verification": (18, 0),
            "captions": (10, 0),
        }

    with_store(play)


def test_voiding_reopens_work_and_can_be_reverted(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await prepare(store)
        await work(store, workers, CHAIN)
        before = (await engine.export(store)).dataset.to_json()
        drew = await store.read(
            lambda c: c.execute(
                select(answer.c.worker_id)
                .join(segmentation, segmentation.c.answer_id == answer.c.id)
                .limit(1)
            ).scalar_one()
        )
        preview = await engine.preview_void(store, drew, None)
        assert (await engine.export(store)).dataset.to_json() == before
        effect = await engine.void(store, drew, None, "poor", "test", 2)
        assert effect.answers == preview.answers > 3
        assert effect.again == preview.again
        assert await engine.doctor(store) == []
        assert (await engine.export(store)).dataset.to_json() != before
        back = await engine.revert_void(store, effect.void_id, 3)
        assert (back.answers, back.surplus) == (effect.answers, 0)
        assert await engine.doctor(store) == []
        assert (await engine.export(store)).dataset.to_json() == before
        effect = await engine.void(store, drew, None, "poor", "test", 4)
        others = [worker for worker in workers if worker != drew]
        others.append(await engine.add_worker(store, "new", 0))
        await work(store, others, CHAIN, now=5)
        assert await engine.doctor(store) == []
        assert await states(store) == [(1, "closed", 2), (3, "closed", 1)]
        back = await engine.revert_void(store, effect.void_id, 6)
        assert back.surplus > 0  # others have done it again
        assert await engine.doctor(store) == []
        assert await states(store) == [(1, "closed", 2), (3, "closed", 1)]

    with_store(play)
