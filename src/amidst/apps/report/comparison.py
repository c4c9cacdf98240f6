"""Truth against detections, photograph by photograph: what was found, missed, and falsely reported.

Detections are matched as the COCO metric does at IoU 0.5. A decision never depends on less certain
detections, so an outcome holds at every score threshold: above it a detection stays what it is, and an object
is found if the score of its detection is not below it. Boxes are xywh in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Box, Image
from amidst.coco.results import Results
from amidst.evaluation.matching import Scene, greedy, overlapping, scenes

IOU = 0.5


class Outcome(StrEnum):
    """What a detection turned out to be."""

    CORRECT = "correct"
    FALSE = "false"
    IGNORED = "ignored"


@dataclass(frozen=True)
class TrueObject:
    """An annotated object. `found_at` is the score of the detection that found it, or None."""

    box_xywh: Box
    category_id: int
    ignored: bool
    found_at: float | None

    def missed(self, threshold: float) -> bool:
        """Whether no detection of at least this score found it."""
        return not self.ignored and (self.found_at is None or self.found_at < threshold)


@dataclass(frozen=True)
class Detection:
    """A detection and what it turned out to be."""

    box_xywh: Box
    category_id: int
    score: float
    outcome: Outcome


@dataclass(frozen=True)
class Comparison:
    """One photograph. Detections stand in descending order of score."""

    image: Image
    objects: tuple[TrueObject, ...]
    detections: tuple[Detection, ...]

    def missed(self, threshold: float) -> int:
        """Objects that no detection of at least this score found."""
        return sum(item.missed(threshold) for item in self.objects)

    def count(self, outcome: Outcome, threshold: float) -> int:
        """Detections of that outcome and of at least this score."""
        return sum(item.outcome is outcome and item.score >= threshold for item in self.detections)

    def errors(self, threshold: float) -> int:
        """Missed objects and false detections together."""
        return self.missed(threshold) + self.count(Outcome.FALSE, threshold)


def compare(truth: CocoDataset, results: Results) -> list[Comparison]:
    """A comparison for every image of the dataset, in ascending order of id.

    Detections of categories that the truth does not have are passed over, as in scoring. Raises DataError for
    detections without boxes or of unknown images.
    """
    category_ids = truth.class_map().category_ids
    known = np.isin(results.category_ids, np.array(category_ids, np.int64))
    found = results if known.all() else results.take(known)
    return [_compare(truth.image(scene.image_id), scene, category_ids) for scene in scenes(truth, found)]


def best_threshold(comparisons: Sequence[Comparison]) -> float:
    """The score, rounded down to 1/20 and within 0.05..0.95, above which F1 over all objects is highest.

    0.5 where nothing is correct.
    """
    judged = [
        (d.score, d.outcome is Outcome.CORRECT)
        for c in comparisons
        for d in c.detections
        if d.outcome is not Outcome.IGNORED
    ]
    objects = sum(not item.ignored for c in comparisons for item in c.objects)
    if not any(correct for _, correct in judged):
        return 0.5
    judged.sort(key=lambda pair: -pair[0])
    correct = np.cumsum([right for _, right in judged])
    f1 = 2 * correct / (np.arange(1, len(judged) + 1) + objects)
    score = judged[int(np.argmax(f1))][0]
    return float(min(0.95, max(0.05, np.floor(score * 20 + 1e-9) / 20)))


def worst_first(comparisons: Sequence[Comparison], threshold: float) -> list[Comparison]:
    """By number of errors, then of missed objects; images with most objects first among equals."""

    def rank(item: Comparison) -> tuple[int, int, int]:
        return -item.errors(threshold), -item.missed(threshold), -len(item.objects)

    return sorted(comparisons, key=rank)


def _compare(image: Image, scene: Scene, category_ids: Sequence[int]) -> Comparison:
    same = scene.class_index[:, None] == scene.truth_class_index[None, :]
    iou = masks.box_iou(scene.boxes_xywh, scene.truth_xywh, scene.crowd)
    pairs = overlapping(iou, same, IOU)
    ignored = [bool(scene.ignore[truth]) for _, truth, _ in pairs]
    matches = greedy(pairs, ignored, scene.crowd.tolist(), [0] * len(scene.rows))
    found_at = {match.truth: float(scene.scores[row]) for row, match in matches.items() if not match.ignored}
    detections = []
    for row, (x, y, w, h) in enumerate(scene.boxes_xywh.tolist()):
        match = matches.get(row)
        outcome = Outcome.FALSE if match is None else Outcome.CORRECT
        if match is not None and match.ignored:
            outcome = Outcome.IGNORED
        category_id = category_ids[scene.class_index[row]]
        detections.append(Detection((x, y, w, h), category_id, float(scene.scores[row]), outcome))
    objects = tuple(
        TrueObject(a.bbox_xywh, a.category_id, bool(scene.ignore[k]), found_at.get(k))
        for k, a in enumerate(scene.annotations)
    )
    return Comparison(image, objects, tuple(detections))
