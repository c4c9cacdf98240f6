"""A small campaign in memory reaches what the full one promises (spec 11)."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import masks
from amidst.coco.records import Image
from amidst.crowd.bodies import CategoryRef
from amidst.crowd.config import CampaignConfig
from amidst.crowd.quality import Labels, leave_one_out
from amidst.crowd.simulated_campaign import Campaign, Cell, middle_of, passes_training, result, run_campaign
from amidst.crowd.simulated_seeing import by_category, naming_chance, near_mask
from amidst.crowd.simulated_workers import CrowdModel, make_workers
from amidst.crowd.world import World, WorldImage, generate_world
from amidst.crowd.world_scenes import Scene
from amidst.crowd.world_score import score_against_world


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(seed=7, num_images=30)


@pytest.fixture(scope="module")
def campaign(world: World) -> Campaign:
    crew = make_workers(7, 40, world.categories, CrowdModel(spam=0.0))
    return run_campaign(world, crew, seed=7)


def test_no_images() -> None:
    empty = generate_world(seed=7, num_images=0)
    done = run_campaign(empty, make_workers(7, 10, empty.categories), seed=7)
    assert result(done).annotations == ()


def test_recall_precision_and_overlap_of_default_workers(campaign: Campaign, world: World) -> None:
    score = score_against_world(world, result(campaign))
    assert score.recall is not None
    assert score.precision is not None
    assert score.mean_iou is not None
    assert score.objects > 80
    assert score.recall >= 0.95
    assert score.precision >= 0.98
    assert score.mean_iou >= 0.85


def test_every_cell_is_closed_and_crowds_become_regions(campaign: Campaign) -> None:
    assert all(cell.closed for cell in campaign.cells)
    for cell in campaign.cells:
        things = by_category(cell.image).get(cell.category.id, [])
        assert len(cell.accepted) <= campaign.config.crowd_regions.most_individuals
        if cell.region is not None:
            assert len(cell.accepted) >= campaign.config.crowd_regions.individuals
            assert len(things) > len(cell.accepted)
            assert masks.iou(cell.accepted, [cell.region]).max() == 0


def test_verification_keeps_the_better_masks(campaign: Campaign) -> None:
    assert np.mean(campaign.kept) > np.mean(campaign.drawn)


def test_eight_labellers_miss_as_few_as_the_formula_says(campaign: Campaign, world: World) -> None:
    """Misses among all true cells against the sum of (1 - p)^8, with room for a Poisson count."""
    named = {(image, category) for image, category, _ in campaign.labels}
    missed, expected = 0, 0.0
    for image in world.images:
        for category_id, things in by_category(image).items():
            chance = np.mean([naming_chance(things, worker, 0.95) for worker in campaign.workers])
            expected += float((1 - chance) ** 8)
            missed += (image.record.id, category_id) not in named
    assert abs(missed - expected) <= 3 * np.sqrt(expected) + 2


def test_honest_workers_agree(campaign: Campaign) -> None:
    agreement = leave_one_out(Labels.of(campaign.label_jobs, campaign.labels))
    assert np.mean([found.precision for found in agreement if found.precision is not None]) > 0.9


def test_the_same_seed_gives_the_same_campaign() -> None:
    small = generate_world(seed=1, num_images=3)
    crew = make_workers(1, 20, small.categories)
    first, again, other = (result(run_campaign(small, crew, seed)) for seed in (1, 1, 2))
    assert first.to_json() == again.to_json()
    assert first.to_json() != other.to_json()


def test_training_stops_every_spammer_and_lets_good_drawers_through(world: World) -> None:
    category = CategoryRef(
        id=max(t.category_id for image in world.images for t in image.objects if t.area > 900), name=""
    )
    images = {image.record.id: image for image in world.images}
    rates = {}
    for share in (0.0, 1.0):
        crew = make_workers(3, 12, world.categories, CrowdModel(spam=share))
        run = Campaign(world, crew, CampaignConfig(), np.random.default_rng(0), images)
        rates[share] = np.mean([passes_training(run, worker, category) for worker in crew])
    assert rates[0.0] > 0.5
    assert rates[1.0] == 0.0


def test_open_points_are_those_that_no_mask_covers(world: World) -> None:
    record = Image(1, 60, 40, "a.jpg")
    image = WorldImage(record, "non-iconic", None, Scene((40, 60), "non-iconic", (), 1.0, 0), ())
    cell = Cell(image, CategoryRef(id=1, name=""), [(5.0, 5.0), (30.0, 20.0), (50.0, 30.0)])
    cell.accepted = [masks.from_box((0, 0, 10, 10), (40, 60))]
    cell.gone = [(50.0, 30.0)]
    assert cell.open_points(2.0) == [(30.0, 20.0)]


def test_the_middle_of_an_object_lies_on_it(world: World) -> None:
    for image in world.images:
        for thing in image.objects:
            assert near_mask(thing.mask, middle_of(thing), 0.5)
