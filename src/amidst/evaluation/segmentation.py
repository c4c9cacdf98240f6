"""Masks of correct detections: how well objects are outlined once they are found (spec B.4; thesis §2.7).

A detection is correct if COCO's matching gives it an object of its category at box IoU >= 0.5; crowds and
other ignored objects do not make a detection correct. Of each correct detection the IoU of its mask with
the mask of its object is taken, averaged per category, over categories and over all. Detections that are
not correct and
objects that nobody found do not count: the measure separates segmentation from detection, and stands
beside the share of objects that were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Rle
from amidst.coco.results import Results
from amidst.errors import DataError
from amidst.evaluation.matching import Floats, greedy, overlapping, scenes

IOU = 0.5


@dataclass(frozen=True)
class Correct:
    """A correct detection: its row in the results, its object, and the IoU of their boxes."""

    row: int
    annotation: Annotation
    box_iou: float


@dataclass(frozen=True)
class CategorySegmentation:
    """objects: those that count. found: of them, by a correct detection. mean_iou is None if none was
    found.
    """

    category_id: int
    name: str
    objects: int
    found: int
    mean_iou: float | None


@dataclass(frozen=True)
class Segmentation:
    """All categories in order of id; means are None where nothing was found."""

    categories: tuple[CategorySegmentation, ...]
    mean_of_categories: float | None
    mean_of_objects: float | None
    found: int
    objects: int

    @property
    def found_share(self) -> float | None:
        """Objects that a correct detection found, of all that count."""
        return self.found / self.objects if self.objects else None


def correct_detections(
    dataset: CocoDataset, results: Results, *, iou: float = IOU, min_score: float | None = None
) -> tuple[Correct, ...]:
    """The correct detections of all images, in order of image id and descending score.

    Detections without boxes are matched by the tight boxes of their masks. min_score: leave out lower ones.
    """
    if results.boxes_xywh is None:
        results = replace(results, boxes_xywh=masks.boxes(results.rles or ()))
    found: list[Correct] = []
    for scene in scenes(dataset, results):
        same = scene.class_index[:, None] == scene.truth_class_index[None, :]
        if min_score is not None:
            same &= scene.scores[:, None] >= min_score
        pairs = overlapping(masks.box_iou(scene.boxes_xywh, scene.truth_xywh, scene.crowd), same, iou)
        ignored = [bool(scene.ignore[g]) for _, g, _ in pairs]
        matches = greedy(pairs, ignored, scene.crowd.tolist(), scene.class_index.tolist())
        found += [
            Correct(int(scene.rows[d]), scene.annotations[match.truth], match.iou)
            for d, match in matches.items()
            if not match.ignored
        ]
    return tuple(found)


def segmentation_quality(
    dataset: CocoDataset,
    results: Results,
    *,
    iou: float = IOU,
    min_score: float | None = None,
    correct: Sequence[Correct] | None = None,
) -> Segmentation:
    """Mask IoU of the correct detections.

    correct: as from `correct_detections`, to compare several masks on equal boxes; otherwise found here.
    Raises DataError if the detections have no masks, or an object that was found has none.
    """
    if results.rles is None:
        raise DataError("the detections have no masks", rule="missing-field")
    if correct is None:
        correct = correct_detections(dataset, results, iou=iou, min_score=min_score)
    values = mask_ious(dataset, correct, [results.rles[c.row] for c in correct])
    return summarise(dataset, correct, values)


def mask_ious(dataset: CocoDataset, correct: Sequence[Correct], rles: Sequence[Rle]) -> Floats:
    """IoU of each mask with the mask of the object of its correct detection, (N,)."""
    values = np.zeros(len(correct))
    for n, (found, rle) in enumerate(zip(correct, rles, strict=True)):
        values[n] = masks.iou([rle], [object_mask(dataset, found.annotation)])[0, 0]
    return values


def object_mask(dataset: CocoDataset, annotation: Annotation) -> Rle:
    """The mask of an object in its image. Raises DataError, naming the object, if it has none."""
    image, segmentation = dataset.image(annotation.image_id), annotation.segmentation
    if segmentation is None:
        raise DataError("the object has no mask", record=f"annotation {annotation.id}", rule="missing-field")
    try:
        return masks.from_segmentation(segmentation, (image.height, image.width))
    except DataError as error:
        raise DataError(error.problem, record=f"annotation {annotation.id}", rule=error.rule) from None


def summarise(dataset: CocoDataset, correct: Sequence[Correct], ious: Floats) -> Segmentation:
    """The means of mask IoUs (N,) of correct detections."""
    by_category: dict[int, list[float]] = {c.id: [] for c in dataset.class_map().categories}
    objects = dict.fromkeys(by_category, 0)
    for annotation in dataset.annotations:
        objects[annotation.category_id] += not (annotation.iscrowd or annotation.ignore)
    for found, value in zip(correct, ious.tolist(), strict=True):
        by_category[found.annotation.category_id].append(value)
    rows = tuple(
        CategorySegmentation(c.id, c.name, objects[c.id], len(by_category[c.id]), _mean(by_category[c.id]))
        for c in dataset.class_map().categories
    )
    means = [row.mean_iou for row in rows if row.mean_iou is not None]
    return Segmentation(rows, _mean(means), _mean(ious.tolist()), len(correct), sum(objects.values()))


def to_builtins(quality: Segmentation) -> dict[str, Any]:
    """The measure as JSON."""
    return {
        "mean_of_categories": quality.mean_of_categories,
        "mean_of_objects": quality.mean_of_objects,
        "found": quality.found,
        "objects": quality.objects,
        "found_share": quality.found_share,
        "categories": {
            row.name: {"mean_iou": row.mean_iou, "found": row.found, "objects": row.objects}
            for row in quality.categories
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
