"""Masks of correct detections: by hand, and on random sets against pixels counted one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results, masks
from amidst.errors import DataError
from amidst.evaluation.segmentation import correct_detections, segmentation_quality, to_builtins

MakeSet = Callable[..., tuple[CocoDataset, Results]]
Iou = Callable[..., float]

SQUARE = ((10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0),)
ONE = CocoDataset(
    (Image(1, 60, 40, "a"),),
    (
        Annotation(1, 1, 1, (10, 10, 20, 20), 400, segmentation=SQUARE),
        Annotation(2, 1, 1, (0, 0, 5, 5), 25),  # found by nobody, so that it needs no mask
        Annotation(3, 1, 1, (30, 0, 30, 40), 1200, iscrowd=True),
    ),
    (Category(1, "dog"), Category(2, "cat")),
)


def with_masks(*boxes: tuple[float, ...]) -> Results:
    count = len(boxes)
    rles = tuple(masks.from_box(box, (40, 60)) for box in boxes)
    return Results(np.ones(count), np.ones(count), np.linspace(1, 0.5, count), np.array(boxes, float), rles)


def test_nothing() -> None:
    quality = segmentation_quality(CocoDataset(), Results.empty())
    assert (quality.mean_of_categories, quality.mean_of_objects, quality.found_share) == (None, None, None)


def test_objects_that_nobody_found() -> None:
    quality = segmentation_quality(ONE, Results.empty())
    assert (quality.found, quality.objects, quality.mean_of_objects) == (0, 2, None)
    assert quality.categories[1].mean_iou is None


def test_by_hand() -> None:
    # the first covers 3/4 of the object; the second is a double, the third lies in the crowd
    quality = segmentation_quality(ONE, with_masks((10, 10, 20, 15), (10, 10, 20, 14), (31, 1, 20, 20)))
    assert quality.mean_of_objects == pytest.approx(0.75)
    assert (quality.found, quality.objects, quality.found_share) == (1, 2, 0.5)
    assert to_builtins(quality)["categories"]["dog"] == {
        "mean_iou": pytest.approx(0.75),
        "found": 1,
        "objects": 2,
    }


def test_masks_without_boxes_are_matched_by_their_tight_boxes() -> None:
    results = replace(with_masks((10, 10, 20, 15)), boxes_xywh=None)
    assert segmentation_quality(ONE, results).found == 1


def test_a_low_score_is_left_out() -> None:
    assert not correct_detections(ONE, with_masks((10, 10, 20, 20)), min_score=1.5)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(DataError, match="no masks"):
        segmentation_quality(ONE, replace(with_masks((1, 1, 2, 2)), rles=None))
    with pytest.raises(DataError, match="annotation 2"):
        segmentation_quality(ONE, with_masks((0, 0, 5, 5)))


@pytest.mark.parametrize("seed", range(100))
def test_random_sets_against_pixels(seed: int, random_set: MakeSet, plain_iou: Iou) -> None:
    dataset, results = random_set(seed, segmented=True)
    boxes = results.boxes_xywh
    assert boxes is not None
    results = replace(results, rles=tuple(masks.from_box(box, (160, 160)) for box in boxes))
    expected: dict[int, float] = {}
    for image in dataset.images:
        for category in dataset.categories:
            rows = [
                n
                for n in range(len(results))
                if (results.image_ids[n], results.category_ids[n]) == (image.id, category.id)
            ]
            truths = [a for a in dataset.annotations_of(image.id) if a.category_id == category.id]
            free = [a for a in truths if not (a.iscrowd or a.ignore)]
            for n in sorted(rows, key=lambda n: -results.scores[n]):
                overlaps = [(plain_iou(tuple(boxes[n]), a.bbox_xywh), k) for k, a in enumerate(free)]
                best, k = max(overlaps, default=(0.0, -1))
                if best >= 0.5:
                    a = free.pop(k)
                    assert a.segmentation is not None
                    truth = masks.decode([masks.from_segmentation(a.segmentation, (160, 160))])[0].astype(
                        bool
                    )
                    mine = masks.decode([results.rles[n]])[0].astype(bool)  # type: ignore[index]
                    union = int((truth | mine).sum())
                    expected[n] = int((truth & mine).sum()) / union if union else 0.0
    correct = correct_detections(dataset, results)
    assert sorted(c.row for c in correct) == sorted(expected)
    quality = segmentation_quality(dataset, results)
    mean = float(np.mean(list(expected.values()))) if expected else None
    assert quality.mean_of_objects == (None if mean is None else pytest.approx(mean))
