"""Mask proposals drawn on photographs (Fig. 3.4).

    with truth      for each object the proposal that overlaps it most; objects that none overlaps by more
                    than half are missed: their own outline, in red
    without         the masks of highest score, most certain on top, each in a colour of its own; of several
                    that overlap by more than half, which are of one object, the best

Masks are run-length masks of the size of the picture; N proposals, G objects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amidst.apps.report.colours import MISSED, category_colour
from amidst.apps.report.drawing import Mark, Pixels, draw
from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.evaluation.proposals import MISSED_IOU

SHOWN = 12  # masks of a picture without truth
LOOKED_AT = 200  # best masks, among which those of different objects are found


def draw_best(
    image: Pixels, rles: Sequence[Rle], scores: NDArray[np.floating], *, shown: int = SHOWN
) -> Pixels:
    """The image with the `shown` masks of highest score that overlap no better one by more than half."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")[:LOOKED_AT].tolist()
    order = [order[n] for n in _different([rles[n] for n in order])[:shown]]
    chosen = [rles[n] for n in order]
    marks = _marks(chosen, [f"{scores[n]:.2f}" for n in order], image.shape[:2])
    return draw(image, marks)


def draw_matches(image: Pixels, truth: Sequence[Rle], rles: Sequence[Rle]) -> tuple[Pixels, int]:
    """The image with the best proposal for each of G objects, and how many objects were missed."""
    best, overlap = best_matches(truth, rles)
    found = [g for g in range(len(truth)) if overlap[g] > MISSED_IOU]
    lost = [g for g in range(len(truth)) if overlap[g] <= MISSED_IOU]
    size_hw = image.shape[:2]
    marks = _marks([rles[best[g]] for g in found], [f"{overlap[g]:.2f}" for g in found], size_hw)
    boxes = masks.boxes([truth[g] for g in lost])
    outlines = masks.decode([truth[g] for g in lost], (size_hw[0], size_hw[1])).astype(bool)
    for (x, y, width, height), outline in zip(boxes.tolist(), outlines, strict=True):
        marks.append(Mark((x, y, x + width, y + height), "missed", MISSED, mask=outline))
    return draw(image, marks), len(lost)


def best_matches(truth: Sequence[Rle], rles: Sequence[Rle]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of G objects the proposal that overlaps it most (G,), and its IoU (G,), 0 where none does."""
    if not truth or not rles:
        return np.zeros(len(truth), np.int64), np.zeros(len(truth))
    iou = masks.iou(rles, truth)  # (N, G)
    best: NDArray[np.int64] = iou.argmax(axis=0)
    return best, iou[best, np.arange(len(truth))]


def _different(rles: Sequence[Rle]) -> list[int]:
    """Places of masks that overlap none before them in the list, and kept, by more than half."""
    overlap = masks.iou(rles, rles)  # (N, N)
    kept: list[int] = []
    for n in range(len(rles)):
        if not (overlap[n, kept] > MISSED_IOU).any():
            kept.append(n)
    return kept


def _marks(rles: Sequence[Rle], captions: Sequence[str], size_hw: Sequence[int]) -> list[Mark]:
    """Masks with captions and without boxes: the chip sits at the mask's tight box."""
    filled = masks.decode(rles, (size_hw[0], size_hw[1])).astype(bool)
    return [
        Mark((x, y, x + width, y + height), caption, category_colour(n + 1), mask=mask, frame=False)
        for n, ((x, y, width, height), caption, mask) in enumerate(
            zip(masks.boxes(rles).tolist(), captions, filled, strict=True)
        )
    ]
