"""Detections and ground truth brought together image by image, and COCO's greedy matching (spec B.1).

The engine behind `evaluate` gives curves; the analysis of section 2.7 (segmentation of correct detections,
error types, PASCAL's AP) needs to know which detection matched which object. Boxes are (x, y, width, height)
in image pixels. D detections and G objects of one image, P pairs of them that overlap enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation
from amidst.coco.results import Results
from amidst.errors import DataError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAX_DETECTIONS = 100
"""Of one category in one image, as in COCO's metric."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One image: its detections by descending score (equal scores in file order) and its objects.

    rows (D,): where each detection stands in the results. Class indices are those of the dataset's class map.
    crowd, ignore (G,): crowd regions; objects that are neither hit nor miss (crowds among them).
    """

    image_id: int
    rows: Ints
    boxes_xywh: Floats  # (D, 4)
    scores: Floats  # (D,)
    class_index: Ints  # (D,)
    annotations: tuple[Annotation, ...]
    truth_xywh: Floats  # (G, 4)
    truth_class_index: Ints  # (G,)
    truth_area: Floats  # (G,)
    crowd: Flags
    ignore: Flags


@dataclass(frozen=True)
class Match:
    """The object a detection was given; `ignored`: it counts neither as hit nor as false alarm."""

    truth: int
    iou: float
    ignored: bool


def scenes(
    dataset: CocoDataset, results: Results, *, max_detections: int | None = MAX_DETECTIONS
) -> Iterator[Scene]:
    """All images in ascending order of id, those without detections or objects too.

    Of one category in one image the first `max_detections` are kept. Raises DataError for a detection
    of an unknown image or category, or results without boxes.
    """
    if results.boxes_xywh is None:
        raise DataError("the detections have no boxes", rule="missing-field")
    results.check_against(dataset)
    classes = dataset.class_map()
    index_of = {category_id: k for k, category_id in enumerate(classes.category_ids)}
    class_index = np.array([index_of[c] for c in results.category_ids.tolist()], np.int64)
    order = np.lexsort((-results.scores, results.image_ids))  # stable: file order among equal scores
    ids = sorted(image.id for image in dataset.images)
    first = np.searchsorted(results.image_ids[order], ids, side="left")
    last = np.searchsorted(results.image_ids[order], ids, side="right")
    for image_id, start, stop in zip(ids, first.tolist(), last.tolist(), strict=True):
        rows = order[start:stop]
        if max_detections is not None:
            rows = rows[rank_in_group(class_index[rows]) < max_detections]
        objects = dataset.annotations_of(image_id)
        crowd = np.array([a.iscrowd for a in objects], bool)
        yield Scene(
            image_id,
            rows,
            results.boxes_xywh[rows],
            results.scores[rows],
            class_index[rows],
            objects,
            np.array([a.bbox_xywh for a in objects], np.float64).reshape(-1, 4),
            np.array([index_of[a.category_id] for a in objects], np.int64),
            np.array([a.area for a in objects], np.float64),
            crowd,
            crowd | np.array([a.ignore for a in objects], bool),
        )


def rank_in_group(groups: Ints) -> Ints:
    """How many earlier elements are of the same group: (N,) -> (N,)."""
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    begins = np.searchsorted(sorted_groups, sorted_groups, side="left")
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - begins
    return ranks


def overlapping(iou: Floats, allowed: Flags, threshold: float) -> list[tuple[int, int, float]]:
    """Pairs (detection, object, IoU) that are allowed (D, G) and reach the threshold, detections in order."""
    detection, truth = np.nonzero(allowed & (iou >= min(threshold, 1 - 1e-10)))
    values = iou[detection, truth]
    return list(zip(detection.tolist(), truth.tolist(), values.tolist(), strict=True))


def greedy(
    pairs: Sequence[tuple[int, int, float]],
    ignored: Sequence[bool],
    crowd: Sequence[bool],
    group: Sequence[int],
) -> dict[int, Match]:
    """COCO's matching: each detection, in order, takes the free object that it overlaps most.

    pairs: (P,) as from `overlapping`. ignored: (P,) whether the object is ignored for that detection.
    crowd: (G,) a crowd takes any number of detections. group: (D,) detections of different groups do not
    compete. An object that counts comes before an ignored one, whatever their IoU; of equal IoU the later
    object wins, as in the reference. Returns the match of each detection that has one.
    """
    matches: dict[int, Match] = {}
    taken: set[tuple[int, int]] = set()
    for detection, candidates in groupby(zip(pairs, ignored, strict=True), key=lambda item: item[0][0]):
        best: Match | None = None
        for (_, truth, iou), is_ignored in candidates:
            if (group[detection], truth) in taken and not crowd[truth]:
                continue
            if best is None or (is_ignored, -iou) <= (best.ignored, -best.iou):
                best = Match(truth, iou, is_ignored)
        if best is not None:
            matches[detection] = best
            taken.add((group[detection], best.truth))
    return matches
