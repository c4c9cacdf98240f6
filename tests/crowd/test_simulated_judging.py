"""Votes of simulated workers on masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amidst.coco import masks
from amidst.crowd.bodies import CategoryRef, GridMask, ImageRef, VerificationBody, VerificationTask
from amidst.crowd.simulated_judging import approval, shown_quality, verify
from amidst.crowd.simulated_workers import CrowdModel, SimulatedWorker, make_workers
from amidst.crowd.world import World, WorldImage, generate_world
from amidst.crowd.world_scenes import WorldConfig


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(seed=5, num_images=12, config=WorldConfig(crowds=0.7))


@pytest.fixture(scope="module")
def worker(world: World) -> SimulatedWorker:
    return make_workers(1, 1, world.categories, CrowdModel(slip=(0.0, 0.0), spam=0.0))[0]


def item(image: WorldImage, category_id: int, mask: masks.Rle, *, region: bool = False) -> GridMask:
    record = image.record
    return GridMask(
        image=ImageRef(id=record.id, width=record.width, height=record.height),
        category=CategoryRef(id=category_id, name=""),
        crop_xywh=(0, 0, 10, 10),
        mask=mask,
        region=region,
    )


def test_an_empty_grid(worker: SimulatedWorker) -> None:
    body = verify(VerificationTask(items=()), {}, worker, 1.0, np.random.default_rng(0))
    assert body.bad == ()


def test_approval_is_logistic_in_the_overlap(worker: SimulatedWorker) -> None:
    assert float(approval(worker.approve_iou, worker)) == pytest.approx(0.5)
    step = np.log(3) / worker.approve_slope
    assert approval([worker.approve_iou + step], worker)[0] == pytest.approx(0.75)
    assert approval([0.0], worker)[0] < 1e-4
    assert approval([1.0], worker)[0] > 0.98


def test_slips_and_tiredness(worker: SimulatedWorker) -> None:
    slippery = replace(worker, slip=0.1)
    assert approval([0.0], slippery)[0] == pytest.approx(0.1, abs=1e-3)
    assert approval([1.0], slippery)[0] == pytest.approx(0.95, abs=1e-2)
    assert approval([0.3], worker, attention=0.5)[0] > approval([0.3], worker)[0]


def test_quality_is_the_best_overlap_in_the_named_category(world: World) -> None:
    image = next(image for image in world.images if len({t.category_id for t in image.objects}) > 1)
    first = image.objects[0]
    other = next(thing for thing in image.objects if thing.category_id != first.category_id)
    absent = next(c.id for c in world.categories if c.id not in {t.category_id for t in image.objects})
    assert shown_quality(item(image, first.category_id, first.mask), image) == 1.0
    assert shown_quality(item(image, first.category_id, other.mask), image) == 0.0
    assert shown_quality(item(image, absent, first.mask), image) == 0.0


def test_a_region_is_judged_by_what_lies_on_objects(world: World) -> None:
    image = next(image for image in world.images if any(thing.in_crowd for thing in image.objects))
    crowd = [thing for thing in image.objects if thing.in_crowd]
    whole = masks.merge([thing.mask for thing in crowd])
    size = (1, image.record.height, image.record.width)
    everything = masks.encode(np.ones(size, dtype=np.uint8))[0]
    assert shown_quality(item(image, crowd[0].category_id, whole, region=True), image) == 1.0
    assert shown_quality(item(image, crowd[0].category_id, everything, region=True), image) < 0.5


def test_poor_masks_are_marked_and_a_second_look_adds(world: World, worker: SimulatedWorker) -> None:
    image = next(image for image in world.images if len({t.category_id for t in image.objects}) > 1)
    first = image.objects[0]
    other = next(thing for thing in image.objects if thing.category_id != first.category_id)
    good, bad = item(image, first.category_id, first.mask), item(image, first.category_id, other.mask)
    task = VerificationTask(items=(good, bad, good, bad))
    images = {image.record.id: image}
    rng = np.random.default_rng(3)
    bodies = [verify(task, images, worker, 1.0, rng) for _ in range(50)]
    marked = np.array([[k in body.bad for k in range(4)] for body in bodies]).mean(axis=0)
    assert marked[[1, 3]].min() > 0.95
    assert marked[[0, 2]].max() < 0.1
    again = verify(task, images, worker, 1.0, rng, VerificationBody(bad=(0,)))
    assert 0 in again.bad
