"""Datasets against the truth of their world."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Image, Rle
from amidst.crowd.world import TrueObject, World, WorldImage, truth_dataset
from amidst.crowd.world_scenes import Scene, WorldConfig
from amidst.crowd.world_score import one_to_one, score_against_world
from amidst.crowd.world_shapes import world_categories
from amidst.errors import DataError

SIZE = (100, 100)


def square(x: int, y: int, side: int, category_id: int = 1) -> TrueObject:
    rle = masks.from_box((x, y, side, side), SIZE)
    return TrueObject(category_id, rle, (x, y, side, side), side**2, 1.0, False)


# Two large squares and a small one of category 1, one of category 2.
THINGS = (square(0, 0, 20), square(40, 0, 20), square(80, 0, 10), square(0, 50, 20, 2))
IMAGE = WorldImage(
    Image(1, 100, 100, "world_1.jpg"), "non-iconic", None, Scene(SIZE, "non-iconic", (), 1.0, 0), THINGS
)
WORLD = World(0, WorldConfig(), world_categories(), (IMAGE,))


def dataset(*rows: tuple[int, Rle | None, bool], file_name: str = "world_1.jpg") -> CocoDataset:
    annotations = tuple(
        Annotation(k, 9, category, (0, 0, 1, 1), 1.0, iscrowd=crowd, segmentation=rle)
        for k, (category, rle, crowd) in enumerate(rows)
    )
    return CocoDataset((Image(9, 100, 100, file_name),), annotations, world_categories())


def test_a_dataset_without_images_scores_nothing() -> None:
    score = score_against_world(WORLD, CocoDataset())
    assert (score.objects, score.recall, score.precision, score.mean_iou) == (0, None, None, None)


def test_a_dataset_without_instances_misses_everything() -> None:
    score = score_against_world(WORLD, dataset())
    assert (score.objects, score.found, score.recall, score.precision) == (3, 0, 0.0, None)


def test_the_truth_is_perfect() -> None:
    score = score_against_world(WORLD, truth_dataset(WORLD))
    assert (score.objects, score.found, score.instances, score.right) == (3, 3, 4, 4)
    assert (score.recall, score.precision, score.mean_iou) == (1.0, 1.0, 1.0)
    assert score.to_builtins()["recall"] == 1.0


def test_hits_doubles_and_false_ones_by_hand() -> None:
    shifted = masks.from_box((4, 0, 20, 20), SIZE)  # IoU 16 / 24 with the first
    score = score_against_world(
        WORLD,
        dataset(
            (1, shifted, False),
            (1, THINGS[0].mask, False),  # the better one takes the object, the other is false
            (1, THINGS[3].mask, False),  # right mask, wrong category
            (2, THINGS[3].mask, False),
        ),
    )
    assert (score.objects, score.found) == (3, 2)
    assert (score.instances, score.right) == (4, 2)
    assert score.mean_iou == 1.0
    assert score_against_world(WORLD, dataset((1, shifted, False))).mean_iou == pytest.approx(2 / 3)


def test_an_object_in_a_region_is_neither_found_nor_missed() -> None:
    region = masks.from_box((30, 0, 70, 30), SIZE)  # holds the second and the small one
    score = score_against_world(WORLD, dataset((1, region, True), (1, THINGS[0].mask, False)))
    assert (score.objects, score.found, score.in_regions) == (2, 1, 1)
    assert (score.instances, score.right) == (1, 1)
    own = score_against_world(WORLD, dataset((1, region, True), (1, THINGS[1].mask, False)))
    assert (own.objects, own.found, own.in_regions) == (3, 1, 0)  # a mask of its own counts


def test_what_cannot_be_scored_is_named() -> None:
    with pytest.raises(DataError, match=r"'other\.jpg' is no image of this world"):
        score_against_world(WORLD, dataset(file_name="other.jpg"))
    with pytest.raises(DataError, match="annotation 0: there is no mask"):
        score_against_world(WORLD, dataset((1, None, False)))
    with pytest.raises(DataError, match="annotation 0: the RLE is 2x2"):
        score_against_world(WORLD, dataset((1, Rle((2, 2), (4,)), False)))


def test_pairs_are_one_to_one_best_first() -> None:
    overlap = np.array([[0.9, 0.8], [0.85, 0.1]])
    assert one_to_one(overlap, 0.5) == {0: 0.9}  # then only 0.1 is left for the second
    assert one_to_one(overlap, 0.05) == {0: 0.9, 1: 0.1}
    assert one_to_one(np.zeros((0, 3)), 0.5) == {}
