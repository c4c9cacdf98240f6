"""PASCAL VOC's average precision (spec B.2), by which the chapter compares PASCAL and COCO (thesis §2.7).

A detection belongs to the object of its category that it overlaps most, and only to that one: it is a hit if
IoU >= 0.5 and no better-scored detection has hit the object, and a false alarm otherwise; a second hit on one
object is a false alarm. Objects marked difficult (`ignore`) count neither way. Crowd regions, which VOC does
not have, are treated as difficult: a detection that hits no object and lies in a crowd by half is left out.

AP is the exact area under the precision-recall curve made monotone (VOC 2010 and later) or the mean at eleven
recalls (VOC 2007). Boxes are continuous; the VOC kit counts both end pixels, which moves IoU a little.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.evaluation.matching import Flags, Floats, Scene, scenes

Area = Literal["exact", "11-point"]
IOU = 0.5


@dataclass(frozen=True)
class CategoryAP:
    """ap is None for a category without objects that count. recall: the share of objects that were hit."""

    category_id: int
    name: str
    objects: int
    detections: int
    ap: float | None
    recall: float | None


@dataclass(frozen=True)
class PascalAP:
    """All categories in order of id; `mean` is over those with objects, None without any."""

    categories: tuple[CategoryAP, ...]
    mean: float | None


def pascal_ap(dataset: CocoDataset, results: Results, *, iou: float = IOU, area: Area = "exact") -> PascalAP:
    """AP of every category and their mean. Raises DataError for detections that do not fit the dataset."""
    scores: defaultdict[int, list[float]] = defaultdict(list)
    hits: defaultdict[int, list[bool]] = defaultdict(list)
    objects = np.zeros(dataset.class_map().num_classes, np.int64)
    for scene in scenes(dataset, results, max_detections=None):
        objects += np.bincount(scene.truth_class_index[~scene.ignore], minlength=len(objects))
        for k, score, hit in _outcomes(scene, iou):
            scores[k].append(score)
            hits[k].append(hit)
    rows = []
    for k, category in enumerate(dataset.class_map().categories):
        order = np.argsort(-np.array(scores[k]), kind="stable")
        of_category: Flags = np.array(hits[k], bool)[order]
        count = int(objects[k])
        ap = average_precision(of_category, count, area)
        recall = None if count == 0 else float(of_category.sum()) / count
        rows.append(CategoryAP(category.id, category.name, count, len(order), ap, recall))
    known = [row.ap for row in rows if row.ap is not None]
    return PascalAP(tuple(rows), float(np.mean(known)) if known else None)


def average_precision(hits: Flags, objects: int, area: Area = "exact") -> float | None:
    """AP of detections in descending order of score, hit or false alarm (N,); None without objects."""
    if objects == 0:
        return None
    found = np.cumsum(hits)
    recall = found / objects
    precision = found / np.arange(1, len(hits) + 1)
    highest: Floats = np.maximum.accumulate(precision[::-1])[::-1]  # best precision at this recall or more
    if area == "exact":
        return float((np.diff(recall, prepend=0.0) * highest).sum())
    # as the kit compares: recall >= threshold up to rounding of k / objects
    at = np.searchsorted(recall, np.linspace(0, 1, 11) - 1e-12, side="left")
    return float(np.append(highest, 0.0)[at].mean())


def _outcomes(scene: Scene, threshold: float) -> list[tuple[int, float, bool]]:
    """(class index, score, hit) of the detections that count."""
    if not len(scene.rows):
        return []
    same = scene.class_index[:, None] == scene.truth_class_index[None, :]
    single = np.where(
        same & ~scene.crowd, masks.box_iou(scene.boxes_xywh, scene.truth_xywh, scene.crowd), -1.0
    )
    crowds = np.where(
        same & scene.crowd, masks.box_iou(scene.boxes_xywh, scene.truth_xywh, scene.crowd), -1.0
    )
    none = np.full((len(scene.rows), 1), -1.0)  # so that there is a column without objects
    single, crowds = np.concatenate([single, none], 1), np.concatenate([crowds, none], 1)
    nearest, in_crowd = single.argmax(1), crowds.max(1) >= threshold
    taken: set[int] = set()
    outcomes = []
    for d, (k, score) in enumerate(zip(scene.class_index.tolist(), scene.scores.tolist(), strict=True)):
        g = int(nearest[d])
        if single[d, g] >= threshold:
            if scene.ignore[g]:
                continue
            outcomes.append((k, score, g not in taken))
            taken.add(g)
        elif not in_crowd[d]:
            outcomes.append((k, score, False))
    return outcomes
