"""What simulated workers see and where they click."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amidst.coco import masks
from amidst.coco.records import Image
from amidst.crowd.bodies import CategoryRef, FilterTask, ImageRef, LabellingTask, Panel, SpottingTask
from amidst.crowd.simulated_seeing import (
    by_category,
    click,
    distance_to,
    filter_images,
    label,
    lookalike_ids,
    naming_chance,
    near_mask,
    spot,
    spread,
)
from amidst.crowd.simulated_workers import CrowdModel, SimulatedWorker, make_workers
from amidst.crowd.world import TrueObject, World, WorldImage, generate_world
from amidst.crowd.world_scenes import Scene
from amidst.crowd.world_shapes import world_categories

CATEGORIES = world_categories()
EXACT = CrowdModel(
    confusion=(0.0, 0.0), false_alarm=(0.0, 0.0), hand=(0.1, 0.0), fatigue=(0.0, 0.0), spam=0.0
)


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(seed=11, num_images=60)


@pytest.fixture(scope="module")
def worker() -> SimulatedWorker:
    return make_workers(1, 1, CATEGORIES, EXACT)[0]


def image_of(*things: TrueObject, layout: str = "non-iconic") -> WorldImage:
    return WorldImage(Image(1, 60, 40, "a.jpg"), layout, None, Scene((40, 60), layout, (), 1.0, 0), things)


def square(x: int, y: int, side: int, category_id: int = 1) -> TrueObject:
    mask = np.zeros((1, 40, 60), dtype=bool)
    mask[0, y : y + side, x : x + side] = True
    return TrueObject(category_id, masks.encode(mask)[0], (x, y, side, side), side**2, 1.0, False)


REF = ImageRef(id=1, width=60, height=40)
PANELS = (
    Panel(super="disc", categories=tuple(CategoryRef(id=k, name="") for k in (1, 2, 3))),
    Panel(super="egg", categories=(CategoryRef(id=4, name=""),)),
)


def spotting(category_id: int = 1, prior: tuple[float, float] = (12.0, 12.0), most: int = 10) -> SpottingTask:
    return SpottingTask(
        image=REF, category=CategoryRef(id=category_id, name=""), prior_xy=prior, max_points=most
    )


def test_in_an_empty_image_nothing_is_named_or_spotted(worker: SimulatedWorker) -> None:
    rng = np.random.default_rng(0)
    body = label(LabellingTask(image=REF, panels=PANELS), image_of(), worker, 1.0, rng)
    assert [(panel.super, panel.present, panel.icons) for panel in body.panels] == [
        ("disc", False, ()),
        ("egg", False, ()),
    ]
    spotted = spot(spotting(), image_of(), worker, 1.0, rng)
    assert (spotted.points, spotted.none, spotted.more_than_10) == ((), True, False)


def test_names_come_as_often_as_the_chance_says(worker: SimulatedWorker) -> None:
    thing = square(10, 10, 12)
    rng = np.random.default_rng(0)
    task = LabellingTask(image=REF, panels=PANELS)
    named = [label(task, image_of(thing), worker, 1.0, rng).panels[0].present for _ in range(1500)]
    chance = naming_chance([thing], worker)
    assert chance == pytest.approx(worker.detection[1] * (1 - np.exp(-144 / worker.knee**2)))
    assert np.mean(named) == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 1500))


def test_the_icon_lies_on_an_object_of_its_category(world: World, worker: SimulatedWorker) -> None:
    rng = np.random.default_rng(0)
    panels = (Panel(super="all", categories=tuple(CategoryRef(id=c.id, name=c.name) for c in CATEGORIES)),)
    for image in world.images:
        ref = ImageRef(id=image.record.id, width=image.record.width, height=image.record.height)
        body = label(LabellingTask(image=ref, panels=panels), image, worker, 1.0, rng)
        for icon in body.panels[0].icons:
            things = by_category(image)[icon.category]
            assert any(near_mask(thing.mask, (icon.x, icon.y), 2.0) for thing in things)


def test_a_confused_worker_names_the_lookalike(worker: SimulatedWorker) -> None:
    confused = replace(worker, confusion=1.0, detection={1: 1.0})
    body = label(
        LabellingTask(image=REF, panels=PANELS),
        image_of(square(5, 5, 30)),
        confused,
        1.0,
        np.random.default_rng(0),
    )
    (icon,) = body.panels[0].icons
    assert icon.category in lookalike_ids(1) == (2, 3)


def test_a_cross_on_every_object_up_to_ten(worker: SimulatedWorker) -> None:
    sure = replace(worker, detection={1: 1.0}, knee=0.5)
    things = [square(1 + 8 * (k % 7), 2 + 9 * (k // 7), 5) for k in range(14)]
    body = spot(spotting(), image_of(*things[:4]), sure, 1.0, np.random.default_rng(0))
    assert len(body.points) == 4
    assert not body.more_than_10
    for thing in things[:4]:
        assert sum(near_mask(thing.mask, (p.x, p.y), 1.0) for p in body.points) == 1
    full = spot(spotting(), image_of(*things), sure, 1.0, np.random.default_rng(0))
    assert len(full.points) == 10
    assert full.more_than_10


def test_the_blinking_icon_is_followed(worker: SimulatedWorker) -> None:
    blind = replace(worker, detection={1: 0.0})
    rng = np.random.default_rng(0)
    image = image_of(square(10, 10, 6), square(40, 20, 6))
    seen = [spot(spotting(), image, blind, 1.0, rng).points for _ in range(400)]
    assert all(len(points) <= 1 and all(p.x < 20 for p in points) for points in seen)
    assert np.mean([len(points) for points in seen]) == pytest.approx(0.95, abs=0.04)


def test_iconic_images_are_removed_with_their_reason(worker: SimulatedWorker) -> None:
    layouts = ("iconic object", "iconic scene", "invalid", "non-iconic")
    images = {k: image_of(layout=layout) for k, layout in enumerate(layouts)}
    task = FilterTask(items=tuple(ImageRef(id=k, width=60, height=40) for k in images))
    rng = np.random.default_rng(0)
    reasons: list[set[str]] = [set() for _ in layouts]
    counts = np.zeros(4)
    for _ in range(500):
        for removal in filter_images(task, images, worker, 1.0, rng).removed:
            counts[removal.item] += 1
            reasons[removal.item].add(removal.reason)
    assert reasons[:3] == [{"iconic_object"}, {"iconic_scene"}, {"invalid"}]
    assert counts / 500 == pytest.approx([0.9, 0.9, 0.9, 0.02], abs=0.05)


def test_clicks_lie_inside(worker: SimulatedWorker) -> None:
    rng = np.random.default_rng(0)
    ring = np.hypot(*(np.mgrid[:40, :60] - np.array([20, 30])[:, None, None]))
    mask = masks.encode(((ring <= 15) & (ring >= 6))[None])[0]
    for _ in range(200):
        assert near_mask(mask, click(mask, worker, rng), 1.0)


def test_distances_to_a_mask_by_hand() -> None:
    thing = square(10, 10, 4)  # columns and rows 10 to 13
    assert distance_to(thing.mask, (12.3, 11.0)) == 0.0
    assert distance_to(thing.mask, (15.5, 11.5)) == pytest.approx(2.0)  # to the pixel centre at 13.5
    assert distance_to(thing.mask, (30.0, 11.0)) == np.inf
    corner = square(0, 0, 3)
    assert distance_to(corner.mask, (0.0, 0.0)) == 0.0
    edge = square(56, 36, 4)
    assert distance_to(edge.mask, (60.0, 40.0)) == 0.0  # the last place of the image is its last pixel


def test_points_are_spread() -> None:
    assert spread([]) == []
    assert spread([(0, 0), (1, 1), (0, 2), (5, 5)]) == [(0, 0), (0, 2), (5, 5)]
