"""Which proposal finds each object: COCO's matching without categories, solved from the objects' side.

COCO lets the proposals of an image, by descending score, each take the free object that they overlap most
(spec B.1). Of equal scores the smaller category id comes first, then the earlier record; of equal overlaps
the later object is taken, objects being sorted likewise. Recall asks only for the rank, from 0, of the
proposal that takes an object. Three facts make that cheap:

- A proposal that can have an object that counts never takes an ignored one (a crowd, one out of the area
  range), so ignored objects change nothing for those that count and are left out.
- What a proposal takes depends on better proposals alone. An object is therefore found by the N best if and
  only if the rank of its proposal, matched among all, is below N: one matching serves every N.
- All objects prefer proposals in the same order, so there is exactly one stable matching, and the one by
  score is it. It comes out as well when each object asks its best proposal, is refused where the proposal
  has a better object, and asks its next one (deferred acceptance). Hundreds of thousands of objects do so at
  once, and few are ever refused: only where one proposal overlaps two objects.

G objects that count, in order of image; P pairs of an object and a proposal that overlaps it enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import image_order
from amidst.coco.records import Annotation
from amidst.coco.results import Results
from amidst.evaluation.segmentation import object_mask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEVER = np.iinfo(np.int64).max
"""The rank of an object that no proposal finds."""

_ALMOST_ONE = 1 - 1e-10  # COCO's allowance for rounding at a threshold of 1


@dataclass(frozen=True, eq=False)
class Pairs:
    """Objects that count and the proposals that overlap them, sorted by object and then by rank.

    area (G,): of the objects, in square pixels. truth (P,): index of the object. rank (P,): place of the
    proposal by score in its image, from 0. proposal (P,): which one it is, a number below P. iou (P,).
    """

    area: Floats
    truth: Ints
    rank: Ints
    proposal: Ints
    iou: Floats


def find_pairs(
    dataset: CocoDataset, results: Results, kind: Literal["bbox", "segm"], min_iou: float
) -> Pairs:
    """All pairs of an IoU of at least min_iou, image by image.

    kind: "bbox" takes the boxes of the proposals or, of masks alone, their tight boxes; "segm" the masks.
    Raises DataError for a proposal in an unknown image, for objects without masks, and for masks of another
    size than their image.
    """
    results.check_against(dataset, categories=False)
    image_ids = sorted(image.id for image in dataset.images)
    order, offsets = image_order(results, np.array(image_ids, np.int64))
    boxes = results.boxes_xywh
    if kind == "bbox" and boxes is None:
        boxes = masks.boxes(results.rles or ())
    floor, begun = min(min_iou, _ALMOST_ONE), 0
    areas: list[float] = []
    parts: list[tuple[Ints, Ints, Ints, Floats]] = []
    for image_id, start, stop in zip(image_ids, offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        objects = counting_objects(dataset, image_id)
        if objects and stop > start:
            rows = order[start:stop]
            if kind == "bbox" and boxes is not None:
                truth_xywh = [annotation.bbox_xywh for annotation in objects]
                truth, rank, iou = _pairs_above(masks.box_iou(boxes[rows], truth_xywh), floor)
            else:
                truth, rank, iou = _mask_pairs(dataset, results, rows, objects, floor)
            parts.append((truth + begun, rank, start + rank, iou))
        areas += [annotation.area for annotation in objects]
        begun += len(objects)
    parts = parts or [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    truths, ranks, proposals, ious = (np.concatenate(column) for column in zip(*parts, strict=True))
    numbered = np.unique(proposals, return_inverse=True)[1]
    return Pairs(np.array(areas, np.float64), truths, ranks, numbered, ious)


def join(parts: Sequence[Pairs]) -> Pairs:
    """The pairs of several parts of a dataset, each of whole images, as of one."""
    objects = np.cumsum([0, *(len(part.area) for part in parts)])
    proposals = np.cumsum([0, *(part.proposal.max(initial=-1) + 1 for part in parts)])
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Pairs(np.zeros(0), nothing, nothing, nothing, np.zeros(0))
    return Pairs(
        np.concatenate([part.area for part in parts]),
        np.concatenate([part.truth + begun for part, begun in zip(parts, objects[:-1], strict=True)]),
        np.concatenate([part.rank for part in parts]),
        np.concatenate([part.proposal + begun for part, begun in zip(parts, proposals[:-1], strict=True)]),
        np.concatenate([part.iou for part in parts]),
    )


def counting_objects(dataset: CocoDataset, image_id: int) -> list[Annotation]:
    """The objects of an image that are not ignored, in COCO's order: by category, then as in the file."""
    counting = (a for a in dataset.annotations_of(image_id) if not (a.iscrowd or a.ignore))
    return sorted(counting, key=lambda annotation: annotation.category_id)


def _pairs_above(iou: Floats, floor: float) -> tuple[Ints, Ints, Floats]:
    """Object, rank and IoU of the cells (D, G) that reach the floor, by object and rank."""
    enough = iou >= floor
    truth, rank = np.nonzero(enough.T)
    return truth, rank, iou[rank, truth]


def _mask_pairs(
    dataset: CocoDataset, results: Results, rows: Ints, objects: Sequence[Annotation], floor: float
) -> tuple[Ints, Ints, Floats]:
    """The same of masks."""
    rles = results.rles or ()
    found = [rles[row] for row in rows.tolist()]
    return _pairs_above(masks.iou(found, [object_mask(dataset, a) for a in objects]), floor)


def ranks_of_finders(pairs: Pairs, wanted: Flags, threshold: float) -> Ints:
    """The rank of the proposal that takes each object (G,), or NEVER.

    wanted (G,): the objects that count; the others are as if ignored. Only pairs of at least `threshold`
    count, so it must not lie below the `min_iou` of the pairs.
    """
    kept = np.flatnonzero((pairs.iou >= min(threshold, _ALMOST_ONE)) & wanted[pairs.truth])
    truth, rank, proposal, iou = pairs.truth[kept], pairs.rank[kept], pairs.proposal[kept], pairs.iou[kept]
    number = len(wanted)
    asks = np.searchsorted(truth, np.arange(number), side="left")  # the pair an object stands at
    end = np.searchsorted(truth, np.arange(number), side="right")
    has = np.full(len(pairs.truth), -1)  # the object that a proposal would take so far
    asking = np.flatnonzero(asks < end)
    while asking.size:
        holding = has[proposal[asks[asking]]]
        rivals = np.concatenate((asking, np.unique(holding[holding >= 0])))
        asked, overlap = proposal[asks[rivals]], iou[asks[rivals]]
        by_proposal = np.lexsort((rivals, overlap, asked))
        is_best = np.append(asked[by_proposal][1:] != asked[by_proposal][:-1], True)
        accepted, refused = rivals[by_proposal[is_best]], rivals[by_proposal[~is_best]]
        has[proposal[asks[accepted]]] = accepted
        asks[refused] += 1
        asking = refused[asks[refused] < end[refused]]
    found = np.full(number, NEVER)
    lucky = np.flatnonzero(asks < end)
    found[lucky] = rank[asks[lucky]]
    return found


def best_overlaps(pairs: Pairs) -> Floats:
    """The largest IoU of any proposal with each object (G,); 0 where no pair was kept."""
    best = np.zeros(len(pairs.area))
    first = np.flatnonzero(np.diff(pairs.truth, prepend=-1))
    if first.size:
        best[pairs.truth[first]] = np.maximum.reduceat(pairs.iou, first)
    return best
