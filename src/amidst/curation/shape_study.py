"""The comparison of Fig. 2.9: learnt shapes beside the full box and the ellipse, in detected boxes and in the
objects' own boxes (the oracle, an upper bound of what a shape can do)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.curation.pasting import Shape, paste, truth_as_results
from amidst.evaluation.segmentation import (
    IOU,
    Segmentation,
    correct_detections,
    mask_ious,
    summarise,
)

DETECTED, ORACLE = "detected", "oracle"


@dataclass(frozen=True)
class Row:
    """One shape in one kind of boxes."""

    shape: str
    boxes: str
    quality: Segmentation


def compare_shapes(
    dataset: CocoDataset,
    results: Results,
    shapes: Mapping[str, Shape],
    *,
    iou: float = IOU,
    min_score: float | None = None,
) -> list[Row]:
    """Mask IoU of every shape, in the boxes of the correct detections and in the objects' own boxes.

    All shapes are compared on the same detections. Raises DataError for detections that do not fit.
    """
    rows = []
    for boxes, found in ((DETECTED, results), (ORACLE, truth_as_results(dataset))):
        threshold = min_score if boxes == DETECTED else None
        correct = correct_detections(dataset, found, iou=iou, min_score=threshold)
        for name, shape in shapes.items():
            pasted = paste(dataset, found, shape, [c.row for c in correct])
            values = mask_ious(dataset, correct, pasted.rles or ())
            rows.append(Row(name, boxes, summarise(dataset, correct, values)))
    return rows
