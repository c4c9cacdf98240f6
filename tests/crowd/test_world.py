"""Worlds are made from a seed alone, and their truth is exact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from amidst.coco import CocoDataset, masks
from amidst.coco.check import check
from amidst.coco.images import read_image
from amidst.crowd.world import CROWD_CELL, World, generate_world, render, truth_dataset, write_world
from amidst.crowd.world_scenes import paint
from amidst.curation.origins import photographer_days
from amidst.errors import UsageError


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(seed=3, num_images=120)


def test_an_empty_world(tmp_path: Path) -> None:
    empty = generate_world(seed=0, num_images=0)
    assert empty.images == ()
    assert len(empty.categories) == 33
    write_world(empty, tmp_path)
    assert CocoDataset.load(tmp_path / "truth.json").annotations == ()


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(UsageError, match="-1"):
        generate_world(seed=0, num_images=-1)


def test_the_same_seed_gives_the_same_world_and_a_larger_one_begins_with_it(world: World) -> None:
    again = generate_world(seed=3, num_images=40)
    assert again.images == world.images[:40]
    assert np.array_equal(render(again, 5), render(world, 5))
    assert generate_world(seed=4, num_images=40).images != again.images


def test_masks_of_one_image_do_not_overlap(world: World) -> None:
    for image in world.images:
        size_hw = (image.record.height, image.record.width)
        assert masks.decode([thing.mask for thing in image.objects], size_hw).sum(axis=0).max(initial=0) <= 1


def test_area_and_box_are_those_of_the_mask(world: World) -> None:
    things = [thing for image in world.images[:30] for thing in image.objects]
    assert [thing.area for thing in things] == masks.area([thing.mask for thing in things]).tolist()
    assert np.array_equal([thing.box_xywh for thing in things], masks.boxes([thing.mask for thing in things]))
    assert all(0 < thing.visible_share <= 1 and thing.area >= world.config.least_area for thing in things)


def test_a_mask_is_where_the_thing_was_drawn(world: World) -> None:
    """Without a thing, the picture differs on its mask and nowhere else."""
    index = next(k for k, image in enumerate(world.images) if len(image.objects) > 4)
    image = world.images[index]
    things, labels = paint(image.scene.things, image.scene.size_hw, world.config)
    last = max(k for k, thing in enumerate(things) if thing.category >= 0)  # hides nothing but ground
    shown = render(world, index).astype(int)
    assert labels.max() < len(things)
    mask = masks.encode((labels == last)[None])[0]
    assert mask in [thing.mask for thing in image.objects]
    around = masks.decode([mask])[0].astype(bool)
    rows, columns = np.nonzero(around)
    inside = shown[rows, columns].astype(float)
    outside = shown[~around & (labels < 0)].astype(float)
    assert (
        np.ptp(inside, axis=-1).mean() > 2 * np.ptp(outside, axis=-1).mean()
    )  # things are vivid, ground pale


def test_the_world_has_what_makes_annotation_hard(world: World) -> None:
    objects = [thing for image in world.images for thing in image.objects]
    cells = Counter((image.record.id, thing.category_id) for image in world.images for thing in image.objects)
    assert {image.layout for image in world.images} >= {"iconic object", "iconic scene", "non-iconic"}
    assert sum(thing.area < 16**2 for thing in objects) > 50  # tiny
    assert sum(thing.visible_share < 0.7 for thing in objects) > 20  # hidden in part
    assert max(cells.values()) > CROWD_CELL
    assert all(
        thing.in_crowd == (cells[image.record.id, thing.category_id] > CROWD_CELL)
        for image in world.images
        for thing in image.objects
    )
    assert (
        2.5 < np.mean([len({thing.category_id for thing in image.objects}) for image in world.images]) < 4.5
    )
    assert 5 < len(objects) / len(world.images) < 11


def test_bursts_and_near_duplicates(world: World) -> None:
    groups, unknown = photographer_days([image.record for image in world.images])
    assert unknown == ()
    assert 1 < len(world.images) / len(set(groups.values())) < 6  # pictures per visit
    repeated = [image for image in world.images if image.near_duplicate_of is not None]
    assert repeated
    for image in repeated:
        first = world.images[(image.near_duplicate_of or 0) - 1]
        assert groups[first.record.id] == groups[image.record.id]
        assert first.near_duplicate_of is None
        assert first.layout == image.layout


def test_written_files_pass_the_checks(world: World, tmp_path: Path) -> None:
    small = World(world.seed, world.config, world.categories, world.images[:8])
    write_world(small, tmp_path)
    report = check(tmp_path / "truth.json", tmp_path / "images")
    assert set(report.counts) <= {"no-instances", "no-objects"}  # few pictures, some of them empty
    assert CocoDataset.load(tmp_path / "truth.json").annotations == truth_dataset(small).annotations
    picture = read_image(tmp_path / "images" / small.images[0].record.file_name)
    assert np.abs(picture.astype(int) - render(small, 0)).mean() < 6  # what JPEG changes
