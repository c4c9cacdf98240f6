"""Outlines and regions of simulated workers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amidst.coco import masks
from amidst.coco.records import Image, Rle
from amidst.crowd.bodies import CategoryRef, CrowdTask, ImageRef, SegmentationTask
from amidst.crowd.outlines import first_crossing, rasterise
from amidst.crowd.simulated_drawing import covered_objects, object_at, outline, paint_crowd, segment
from amidst.crowd.simulated_workers import CrowdModel, SimulatedWorker, make_workers
from amidst.crowd.world import TrueObject, World, WorldImage, generate_world
from amidst.crowd.world_scenes import Scene
from amidst.crowd.world_shapes import world_categories

CATEGORIES = world_categories()
REF, DISC = ImageRef(id=1, width=60, height=40), CategoryRef(id=1, name="plain disc")


@pytest.fixture(scope="module")
def worker() -> SimulatedWorker:
    return make_workers(1, 1, CATEGORIES, CrowdModel(confusion=(0.0, 0.0), coarse=0.0, spam=0.0))[0]


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(seed=5, num_images=40)


def square(x: int, y: int, side: int, category_id: int = 1) -> TrueObject:
    mask = np.zeros((1, 40, 60), dtype=bool)
    mask[0, y : y + side, x : x + side] = True
    return TrueObject(category_id, masks.encode(mask)[0], (x, y, side, side), side**2, 1.0, False)


def image_of(*things: TrueObject) -> WorldImage:
    return WorldImage(
        Image(1, 60, 40, "a.jpg"), "non-iconic", None, Scene((40, 60), "non-iconic", (), 1.0, 0), things
    )


def task(x: float, y: float, *drawn: Rle) -> SegmentationTask:
    return SegmentationTask(image=REF, category=DISC, target_xy=(x, y), masks=drawn)


def ask(what: SegmentationTask, image: WorldImage, worker: SimulatedWorker) -> str:
    return segment(what, image, worker, 1.0, np.random.default_rng(0)).kind


def test_what_is_said_where_nothing_is_drawn(worker: SimulatedWorker) -> None:
    left, right = square(5, 10, 15), square(40, 10, 15)
    sure = replace(worker, detection={1: 1.0})
    assert ask(task(10, 15), image_of(), sure) == "no_such_object"
    assert ask(task(10, 15, left.mask), image_of(left), sure) == "all_done"
    assert ask(task(30, 35), image_of(left, right), sure) == "not_here"
    assert ask(task(10, 15, left.mask), image_of(left, right), sure) == "not_here"
    assert ask(task(45, 15, left.mask), image_of(left, right), sure) == "mask"


def test_the_mask_is_of_the_object_at_the_target(worker: SimulatedWorker) -> None:
    left, right = square(5, 10, 15), square(40, 10, 15)
    body = segment(task(45, 15), image_of(left, right), worker, 1.0, np.random.default_rng(0))
    overlap = masks.iou([rasterise(body.parts, (40, 60))], [left.mask, right.mask])[0]
    assert overlap[0] == 0
    assert overlap[1] > 0.8
    assert not body.off_target


def test_a_confused_worker_draws_the_lookalike(worker: SimulatedWorker) -> None:
    striped = square(5, 10, 15, category_id=2)
    assert ask(task(10, 15), image_of(striped), replace(worker, confusion=1.0)) == "mask"
    assert ask(task(10, 15), image_of(striped), worker) == "no_such_object"


def test_objects_with_a_mask_are_known_by_overlap() -> None:
    thing, shifted, other = square(5, 10, 10), square(8, 10, 10), square(40, 10, 10)
    assert covered_objects([], [thing.mask]).tolist() == []
    assert covered_objects([thing, other], []).tolist() == [False, False]
    assert covered_objects([thing, other], [shifted.mask]).tolist() == [True, False]  # IoU 7 / 13
    assert object_at([thing.mask, other.mask], (45.0, 12.0)) == 1
    assert object_at([thing.mask, other.mask], (30.0, 30.0)) is None


def test_outlines_keep_the_rules_and_look_like_the_object(world: World) -> None:
    """No crossing, two decimals, inside the image, few vertices; default workers reach an IoU of 0.85."""
    crew = make_workers(3, 40, world.categories, CrowdModel(spam=0.0))
    things = [thing for image in world.images for thing in image.objects]
    rng = np.random.default_rng(0)
    overlaps = []
    for k, thing in enumerate(things):
        parts = outline(thing.mask, crew[k % 40], rng)
        height, width = thing.mask.size
        for part in parts:
            points = np.array(part.points)
            assert first_crossing(points) is None
            assert 3 <= len(points) <= 2000
            assert (points >= 0).all()
            assert (points <= [width, height]).all()
            assert np.array_equal(points, points.round(2))
        overlaps.append(float(masks.iou([rasterise(parts, thing.mask.size)], [thing.mask])[0, 0]))
    large = np.array([thing.area > 256 for thing in things])
    assert np.array(overlaps)[large].mean() > 0.87
    assert np.array(overlaps).mean() > 0.85


def test_holes_and_parts_are_drawn(worker: SimulatedWorker) -> None:
    rows, columns = np.ogrid[:40, :60]
    ring = np.hypot(columns - 15, rows - 20)
    shape = ((ring <= 13) & (ring >= 6)) | (np.hypot(columns - 45, rows - 20) <= 9)
    parts = outline(masks.encode(shape[None])[0], worker, np.random.default_rng(0))
    assert sorted(part.hole for part in parts) == [False, False, True]


def test_coarse_workers_set_fewer_vertices(world: World, worker: SimulatedWorker) -> None:
    thing = max((t for image in world.images for t in image.objects), key=lambda t: t.area)
    fine, coarse = (
        sum(
            len(p.points) for p in outline(thing.mask, replace(worker, tolerance=t), np.random.default_rng(0))
        )
        for t in (0.01, 0.08)
    )
    assert coarse < fine


def test_a_single_pixel_can_be_outlined(worker: SimulatedWorker) -> None:
    parts = outline(square(20, 20, 1).mask, worker, np.random.default_rng(0))
    assert len(parts) == 1
    assert first_crossing(parts[0].points) is None


def test_the_brush_covers_what_has_no_mask(worker: SimulatedWorker) -> None:
    things = [square(4 + 14 * k, 10, 8) for k in range(4)]
    drawn = (things[0].mask,)
    points = tuple((8.0 + 14 * k, 14.0) for k in range(4))
    crowd = CrowdTask(image=REF, category=DISC, masks=drawn, points=points)
    sure = replace(worker, detection={1: 1.0}, knee=0.5)
    rng = np.random.default_rng(1)
    bodies = [paint_crowd(crowd, image_of(*things), sure, 1.0, rng) for _ in range(5)]
    region = next(body.region for body in bodies if body.region is not None)
    inside = masks.iou([thing.mask for thing in things], [region], [True])[:, 0]
    assert inside[0] == 0  # masks that exist are left out
    assert inside[1:].max() == 1
    nothing = paint_crowd(crowd, image_of(things[0]), sure, 1.0, rng)
    assert nothing.none_left
    assert nothing.region is None
