"""COCO's metrics over more detections than memory holds: the images come in parts, the curves at the end.

Matching never looks beyond one image. Each part is matched by itself, and of each detection only its
category, its score and what became of it is kept: 8 bytes, and 2 bits for each IoU threshold and area range.
Accumulating then orders the detections of a category by score, equal scores by image and rank in the image,
as COCOeval does, so that the summary is the one of `evaluate` to the last bit.

D detections of one category, T thresholds of IoU, R of recall, A areas, M limits.

Source: COCOeval.accumulate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal

import numpy as np
import numpy.typing as npt

from amidst.coco import engine
from amidst.coco.bulk import collection_paused
from amidst.coco.dataset import CocoDataset
from amidst.coco.engine import Curves, Outcomes
from amidst.coco.results import Results
from amidst.evaluation.detection import detection_records, truth_records
from amidst.evaluation.params import Params
from amidst.evaluation.proposal_matching import find_pairs, join
from amidst.evaluation.proposals import AT, WORTH_KEEPING_IOU, ProposalSummary, summarize_pairs
from amidst.evaluation.summary import Summary, summarize

Kind = Literal["bbox", "segm"]
Parts = Iterable[tuple[Sequence[int], Results]]
"""Image ids and the detections in them. All images of the dataset, each once, in ascending order of id."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def evaluate_parts(dataset: CocoDataset, parts: Parts, kind: Kind) -> Summary:
    """As `evaluate`, of detections that come in parts. Raises DataError as `evaluate`."""
    params = Params()
    kept = _Kept(params)
    for image_ids, found in parts:
        part = _part(dataset, image_ids)
        found.check_against(part, categories=False)
        with collection_paused():
            truth, detections = truth_records(part, kind), detection_records(part, found, kind)
            kept.add(
                engine.outcomes(
                    truth,
                    detections,
                    kind=kind,
                    iou_thresholds=params.iou_thresholds,
                    area_ranges=[(low, high) for _, low, high in params.area_ranges],
                    max_dets=params.max_dets[-1],
                )
            )
    categories = dataset.class_map().categories
    curves, objects = kept.curves(len(categories))
    rows = [(c.id, c.name, number) for c, number in zip(categories, objects.tolist(), strict=True)]
    return summarize(kind, curves, params, rows)


def score_proposal_parts(
    dataset: CocoDataset, parts: Parts, kind: Kind, at: Sequence[int] = AT
) -> ProposalSummary:
    """As `score_proposals`, of proposals that come in parts."""
    params = Params(max_dets=tuple(sorted(set(at))), class_agnostic=True)
    pairs, images, proposals = [], 0, 0
    for image_ids, found in parts:
        pairs.append(find_pairs(_part(dataset, image_ids), found, kind, WORTH_KEEPING_IOU))
        images, proposals = images + len(image_ids), proposals + len(found)
    return summarize_pairs(join(pairs), kind, params, images, proposals)


def _part(dataset: CocoDataset, image_ids: Sequence[int]) -> CocoDataset:
    images = tuple(dataset.image(image_id) for image_id in image_ids)
    annotations = tuple(chain.from_iterable(map(dataset.annotations_of, image_ids)))
    return CocoDataset(images, annotations, dataset.categories)


class _Kept:
    """Outcomes of all parts so far, flags packed along T."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._class_index: list[npt.NDArray[np.int32]] = []
        self._rank: list[npt.NDArray[np.int16]] = []
        self._scores: list[Floats] = []
        self._hits: list[npt.NDArray[np.uint8]] = []
        self._counted: list[npt.NDArray[np.uint8]] = []
        self._objects: npt.NDArray[np.int64] | None = None

    def add(self, found: Outcomes) -> None:
        """The outcomes of one more part."""
        self._class_index.append(found.class_index.astype(np.int32))
        self._rank.append(_ranks(found).astype(np.int16))
        self._scores.append(found.scores)
        self._hits.append(np.packbits(found.hits, axis=2))
        self._counted.append(np.packbits(found.counted, axis=2))
        self._objects = found.objects if self._objects is None else self._objects + found.objects

    def curves(self, categories: int) -> tuple[Curves, npt.NDArray[np.int64]]:
        """The curves, and how many objects of each category there are over the first area range."""
        p = self._params
        t, a, m = len(p.iou_thresholds), len(p.area_ranges), len(p.max_dets)
        precision = np.full((t, len(p.recall_thresholds), categories, a, m), -1.0)
        scores, recall = precision.copy(), np.full((t, categories, a, m), -1.0)
        if self._objects is None:
            return Curves(precision, recall, scores), np.zeros(categories, np.int64)
        class_index = np.concatenate(self._class_index)
        by_class = np.argsort(class_index, kind="stable")
        bounds = np.searchsorted(class_index[by_class], np.arange(categories + 1))
        rank, score = np.concatenate(self._rank), np.concatenate(self._scores)
        hits, counted = np.concatenate(self._hits, axis=1), np.concatenate(self._counted, axis=1)
        for k in range(categories):
            rows = by_class[bounds[k] : bounds[k + 1]]
            rows = rows[np.argsort(-score[rows], kind="stable")]
            for area in np.flatnonzero(self._objects[:, k]).tolist():
                hit = np.unpackbits(hits[area, rows], axis=1, count=t).astype(bool)
                count = np.unpackbits(counted[area, rows], axis=1, count=t).astype(bool)
                for limit, most in enumerate(p.max_dets):
                    within = rank[rows] < most
                    (
                        precision[:, :, k, area, limit],
                        recall[:, k, area, limit],
                        scores[:, :, k, area, limit],
                    ) = _curve(
                        hit[within], count[within], score[rows][within], int(self._objects[area, k]), p
                    )
        return Curves(precision, recall, scores), self._objects[0]


def _ranks(found: Outcomes) -> npt.NDArray[np.int64]:
    """Place of each detection by score among those of its category and image, from 0."""
    new = (np.diff(found.class_index, prepend=-1) != 0) | (np.diff(found.image_ids, prepend=0) != 0)
    begins = np.flatnonzero(new)
    number = np.arange(len(new))
    return number - np.repeat(begins, np.diff(np.append(begins, len(new))))


def _curve(
    hit: Flags, counted: Flags, score: Floats, objects: int, params: Params
) -> tuple[Floats, Floats, Floats]:
    """Precision (T, R), highest recall (T,) and scores (T, R) of detections (D, T) in order of score."""
    thresholds = np.array(params.recall_thresholds)
    t, r = hit.shape[1], len(thresholds)
    precision, at = np.zeros((t, r)), np.zeros((t, r))
    if not len(hit):
        return precision, np.zeros(t), at
    found = np.cumsum(hit, axis=0).astype(np.float64)
    wrong = np.cumsum(counted & ~hit, axis=0).astype(np.float64)
    recall = found / objects
    purity = found / (wrong + found + np.spacing(1))
    purity = np.maximum.accumulate(purity[::-1], axis=0)[::-1]
    for i in range(t):
        place = np.searchsorted(recall[:, i], thresholds, side="left")
        reached = place < len(hit)
        precision[i, reached] = purity[place[reached], i]
        at[i, reached] = score[place[reached]]
    return precision, recall[-1], at
