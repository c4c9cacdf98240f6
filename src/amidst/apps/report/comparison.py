"""Truth against detections, photograph by photograph: what was found, missed, and falsely reported.

Detections are matched as the COCO metric does at one IoU: within an image and category the most certain
detection takes the free object it overlaps most, at least by the IoU; one that only reaches a crowd or
ignored object counts neither way. A decision never depends on less certain detections, so an outcome holds at
every score threshold: above it a detection stays what it is, and an object is found if the score of its
detection is not below it.

Shapes: N detections, G true objects of one image and category. Boxes are xywh in pixels of the image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Box, Image
from amidst.coco.results import Results

Floats = NDArray[np.float64]

IOU = 0.5
LIMIT = 100  # detections of an image that count, the most certain ones


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


def compare(
    truth: CocoDataset, results: Results, category_ids: Collection[int] | None = None
) -> list[Comparison]:
    """A comparison for every image of the dataset, in its order; `category_ids` None means all categories.

    Detections of unknown images are passed over. `results` must have boxes; without, everything is missed.
    """
    wanted = {c.id for c in truth.categories} if category_ids is None else set(category_ids)
    by_image: defaultdict[int, list[int]] = defaultdict(list)
    boxes = results.boxes_xywh
    for index in np.argsort(-results.scores, kind="stable").tolist() if boxes is not None else []:
        rows = by_image[int(results.image_ids[index])]
        if len(rows) < LIMIT and int(results.category_ids[index]) in wanted:
            rows.append(index)
    comparisons = []
    for image in truth.images:
        annotations = [a for a in truth.annotations_of(image.id) if a.category_id in wanted]
        comparisons.append(_compare_image(image, annotations, results, by_image.get(image.id, [])))
    return comparisons


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


def _compare_image(
    image: Image, annotations: Sequence[Annotation], results: Results, rows: Sequence[int]
) -> Comparison:
    """`rows`: the image's detections, in descending order of score."""
    boxes = np.zeros((0, 4)) if results.boxes_xywh is None else results.boxes_xywh
    found_at: dict[int, float] = {}
    outcomes: dict[int, Outcome] = {}
    for category_id in {int(results.category_ids[row]) for row in rows}:
        own = [row for row in rows if int(results.category_ids[row]) == category_id]
        there = [k for k, a in enumerate(annotations) if a.category_id == category_id]
        ignored = np.array([annotations[k].iscrowd or annotations[k].ignore for k in there], np.bool_)
        crowd = np.array([annotations[k].iscrowd for k in there], np.bool_)
        truth_boxes = np.array([annotations[k].bbox_xywh for k in there], np.float64).reshape(-1, 4)
        matches = match(overlaps(boxes[own], truth_boxes, crowd), ignored, crowd)
        for row, g in zip(own, matches, strict=True):
            if g is None:
                outcomes[row] = Outcome.FALSE
            elif ignored[g]:
                outcomes[row] = Outcome.IGNORED
            else:
                outcomes[row] = Outcome.CORRECT
                found_at[there[g]] = float(results.scores[row])
    return Comparison(
        image,
        tuple(
            TrueObject(a.bbox_xywh, a.category_id, a.iscrowd or a.ignore, found_at.get(k))
            for k, a in enumerate(annotations)
        ),
        tuple(
            Detection(
                _box(boxes[row]), int(results.category_ids[row]), float(results.scores[row]), outcomes[row]
            )
            for row in rows
        ),
    )


def overlaps(boxes_xywh: Floats, truth_xywh: Floats, crowd: NDArray[np.bool_]) -> Floats:
    """IoU of boxes (N, 4) with true boxes (G, 4): (N, G); for a crowd, the share of the box inside it."""
    low = np.maximum(boxes_xywh[:, None, :2], truth_xywh[None, :, :2])
    high = np.minimum(
        (boxes_xywh[:, :2] + boxes_xywh[:, 2:])[:, None], (truth_xywh[:, :2] + truth_xywh[:, 2:])[None]
    )
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area, truth_area = boxes_xywh[:, 2:].prod(axis=1), truth_xywh[:, 2:].prod(axis=1)
    either = np.where(crowd[None], area[:, None], area[:, None] + truth_area[None] - shared)
    ratio: Floats = shared / np.maximum(either, 1e-12)
    return ratio


def match(overlap: Floats, ignored: NDArray[np.bool_], crowd: NDArray[np.bool_]) -> list[int | None]:
    """The object each detection takes, or None: overlap (N, G), detections in descending order of score.

    A free object that counts is preferred to an ignored one, whatever the overlap; a crowd is never used up.
    Of equal overlaps the last object wins, as in the reference evaluator.
    """
    used = np.zeros(overlap.shape[1], np.bool_)
    taken: list[int | None] = []
    for row in overlap:
        chosen: int | None = None
        for candidates in (~ignored & ~used, ignored & (~used | crowd)):
            reach = np.where(candidates, row, -1.0)
            if chosen is None and reach.size and reach.max() >= IOU:
                chosen = int(reach.size - 1 - np.argmax(reach[::-1]))
        if chosen is not None:
            used[chosen] = True
        taken.append(chosen)
    return taken


def _box(row: Floats) -> Box:
    x, y, w, h = row.tolist()
    return x, y, w, h
