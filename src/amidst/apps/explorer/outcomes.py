"""Which objects were found and which detections are right, over a whole dataset.

COCO's greedy matching at IoU .5 goes by descending score, so that a detection's match does not depend on
lower ones: matched once over all detections, an object is found at any least score up to that of its
detection. Nothing is computed before someone asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.evaluation.matching import greedy, overlapping, scenes

MATCH_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Outcomes:
    """found_at: score of each object's detection, -inf for one that was missed, NaN where nothing is said
    (crowds, ignored objects). right: of each detection 1 a hit, 0 a false alarm, -1 ignored."""

    found_at: npt.NDArray[np.float64]  # (annotations,)
    right: npt.NDArray[np.int64]  # (detections,)


def match_all(dataset: CocoDataset, results: Results | None) -> Outcomes:
    """The outcomes of one split; without results nothing is said of any object."""
    found_at = np.full(len(dataset.annotations), np.nan)
    if results is None:
        return Outcomes(found_at, np.zeros(0, np.int64))
    place = {annotation.id: n for n, annotation in enumerate(dataset.annotations)}
    right = np.zeros(len(results), np.int64)
    for scene in scenes(dataset, _with_boxes(results), max_detections=None):
        same = scene.class_index[:, None] == scene.truth_class_index[None, :]
        pairs = overlapping(masks.box_iou(scene.boxes_xywh, scene.truth_xywh, scene.crowd), same, MATCH_IOU)
        ignored = [bool(scene.ignore[g]) for _, g, _ in pairs]
        matches = greedy(pairs, ignored, scene.crowd.tolist(), scene.class_index.tolist())
        places = [place[a.id] for a in scene.annotations]
        for g in np.flatnonzero(~scene.ignore).tolist():
            found_at[places[g]] = -np.inf
        for d, match in matches.items():
            right[scene.rows[d]] = -1 if match.ignored else 1
            if not match.ignored:
                found_at[places[match.truth]] = scene.scores[d]
    return Outcomes(found_at, right)


def _with_boxes(results: Results) -> Results:
    if results.boxes_xywh is not None:
        return results
    return Results(
        results.image_ids, results.category_ids, results.scores, masks.boxes(results.rles or ()), results.rles
    )
