"""Which detections are right, which are false alarms, and which objects were missed, at one IoU threshold.

`evaluate` gives curves over all thresholds and scores; this gives the single decisions behind one point of
them, as arrays. The matching is COCO's (`matching.greedy`): by descending score within an image and
category, each detection takes the free object it overlaps most; crowds take any number, and what matches a
crowd or an ignored object counts neither way.

N detections, in the order of the results; Q annotations, in the order of the dataset; D and G those of one
image.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.evaluation.matching import MAX_DETECTIONS, greedy, overlapping, scenes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Outcome(IntEnum):
    """What became of a detection. LEFT_OUT: of too low a score, or beyond the most allowed per image."""

    FALSE = 0
    TRUE = 1
    IGNORED = 2
    LEFT_OUT = 3


@dataclass(frozen=True, eq=False)
class Matches:
    """The decisions, read-only.

    outcome (N,): `Outcome` of each detection. truth (N,): index of its object, or -1. iou (N,): with it.
    missed (Q,): objects that count and that no detection found.
    """

    outcome: Ints
    truth: Ints
    iou: Floats
    missed: Flags

    def __post_init__(self) -> None:
        for array in (self.outcome, self.truth, self.iou, self.missed):
            array.flags.writeable = False

    @property
    def true_positives(self) -> int:
        """Detections that found an object."""
        return int((self.outcome == Outcome.TRUE).sum())

    @property
    def false_positives(self) -> int:
        """Detections that found none."""
        return int((self.outcome == Outcome.FALSE).sum())

    @property
    def misses(self) -> int:
        """Objects not found."""
        return int(self.missed.sum())


def match_image(
    overlap: Floats,
    scores: npt.ArrayLike,
    class_index: npt.ArrayLike,
    truth_class_index: npt.ArrayLike,
    *,
    iou: float = 0.5,
    crowd: npt.ArrayLike | None = None,
    ignore: npt.ArrayLike | None = None,
) -> Matches:
    """Matches the detections of one image to its objects.

    overlap: (D, G), as from `masks.iou` or `masks.box_iou` with the same `crowd`. scores, class_index:
    (D,), in any order. truth_class_index: (G,). crowd, ignore: (G,), none by default.
    """
    found, given = np.asarray(class_index), np.asarray(truth_class_index)
    crowds = np.zeros(len(given), bool) if crowd is None else np.asarray(crowd, bool)
    ignored = crowds if ignore is None else crowds | np.asarray(ignore, bool)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    same = found[order][:, None] == given[None, :]
    pairs = overlapping(np.asarray(overlap, np.float64).reshape(len(found), len(given))[order], same, iou)
    pair_ignored = [bool(ignored[g]) for _, g, _ in pairs]
    matched = greedy(pairs, pair_ignored, crowds.tolist(), found[order].tolist())
    outcome, truth, ious = np.zeros(len(found), np.int64), np.full(len(found), -1), np.zeros(len(found))
    missed = ~ignored
    for row, match in matched.items():
        detection = order[row]
        outcome[detection] = Outcome.IGNORED if match.ignored else Outcome.TRUE
        truth[detection], ious[detection] = match.truth, match.iou
        missed[match.truth] = False
    return Matches(outcome, truth, ious, missed)


def match_dataset(
    dataset: CocoDataset,
    results: Results,
    *,
    iou: float = 0.5,
    score_threshold: float = 0.0,
    max_detections: int | None = MAX_DETECTIONS,
) -> Matches:
    """Matches all detections by box; those of lower score are left out beforehand, as an application does.

    Raises DataError for detections of unknown images or categories, or without boxes.
    """
    outcome = np.full(len(results), int(Outcome.LEFT_OUT))
    truth, ious = np.full(len(results), -1), np.zeros(len(results))
    missed = np.zeros(len(dataset.annotations), bool)
    place = {annotation.id: index for index, annotation in enumerate(dataset.annotations)}
    for scene in scenes(dataset, results, max_detections=max_detections):
        kept = scene.scores >= score_threshold
        part = match_image(
            masks.box_iou(scene.boxes_xywh[kept], scene.truth_xywh, scene.crowd),
            scene.scores[kept],
            scene.class_index[kept],
            scene.truth_class_index,
            iou=iou,
            crowd=scene.crowd,
            ignore=scene.ignore,
        )
        objects = np.array([place[a.id] for a in scene.annotations] + [-1])  # truth -1 stays -1
        rows = scene.rows[kept]
        outcome[rows], truth[rows], ious[rows] = part.outcome, objects[part.truth], part.iou
        missed[objects[:-1]] = part.missed
    return Matches(outcome, truth, ious, missed)
