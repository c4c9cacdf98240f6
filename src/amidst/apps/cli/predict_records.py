"""What `amidst predict` works with, and what it says about an image: JSON records, the words of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from amidst.apps.cli.pictures import Draw
from amidst.apps.report.drawing import draw_detections
from amidst.coco.results import Results
from amidst.inference.predict import Prediction
from amidst.inference.tiles import Tiling
from amidst.models.weights import ModelInfo

SHOWN_OBJECTS = 5  # objects of an image in the table


@dataclass(frozen=True)
class Work:
    """What predicts, and how; what is less than `threshold` is not listed."""

    model: nn.Module
    info: ModelInfo
    category_ids: npt.NDArray[np.int64]  # (K,)
    threshold: float
    batch_size: int
    workers: int
    tiling: Tiling | None = None

    @property
    def category_names(self) -> dict[int, str]:
        """Name of each category id."""
        names = (str(category["name"]) for category in self.info.categories)
        return dict(zip(self.category_ids.tolist(), names, strict=True))


def listed(part: Results, threshold: float) -> list[int]:
    """Indices of the detections of an image that reach the threshold, by descending score."""
    order = np.argsort(-part.scores, kind="stable")
    return [int(index) for index in order if part.scores[index] >= threshold]


def detection_records(work: Work, part: Results, indices: list[int]) -> list[dict[str, Any]]:
    """These detections of an image; boxes are xywh in its pixels."""
    names, boxes = work.category_names, part.boxes_xywh
    return [
        {
            "category_id": int(part.category_ids[index]),
            "category": names[int(part.category_ids[index])],
            "score": round(float(part.scores[index]), 6),
            "bbox": [round(float(value), 3) for value in boxes[index]] if boxes is not None else None,
        }
        for index in indices
    ]


def drawing(work: Work, prediction: Prediction, part: Results) -> Draw:
    """What draws the detections on their photograph."""
    return partial(
        draw_detections,
        boxes_xyxy=prediction.detections.boxes_xyxy.numpy(),
        category_ids=part.category_ids,
        scores=part.scores,
        names=work.category_names,
        min_score=work.threshold,
    )


def best_words(work: Work, part: Results, indices: list[int]) -> str:
    """The first of these detections: "person 0.93, dog 0.61, and 3 more"."""
    names = work.category_names
    words = [f"{names[int(part.category_ids[i])]} {part.scores[i]:.2f}" for i in indices[:SHOWN_OBJECTS]]
    if len(indices) > SHOWN_OBJECTS:
        words.append(f"and {len(indices) - SHOWN_OBJECTS} more")
    return ", ".join(words)
