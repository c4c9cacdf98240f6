"""The settings of COCO's metric, each default written once.

T thresholds of IoU, R of recall, A ranges of area, M limits on the detections per image (and category).

Source: Params of pycocotools/cocoeval.py. The thresholds have to be the values of `linspace`: sums such as
0.5 + 0.05 i differ from them in the last bit, and a recall of exactly 0.7 then falls on the other side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amidst.errors import UsageError

AreaRange = tuple[str, float, float]
"""Name and bounds in square pixels, both inclusive."""

IOU_THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALL_THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.0, 1.0, 101).tolist())
AREA_RANGES: tuple[AreaRange, ...] = (
    ("all", 0.0, 1e10),
    ("small", 0.0, 32.0**2),
    ("medium", 32.0**2, 96.0**2),
    ("large", 96.0**2, 1e10),
)
MAX_DETS: tuple[int, ...] = (1, 10, 100)


@dataclass(frozen=True)
class Params:
    """Settings of one evaluation. Raises UsageError, when made, for values that make no sense.

    class_agnostic: categories are not compared; all objects are of one kind (proposals).
    """

    iou_thresholds: tuple[float, ...] = IOU_THRESHOLDS
    recall_thresholds: tuple[float, ...] = RECALL_THRESHOLDS
    area_ranges: tuple[AreaRange, ...] = AREA_RANGES
    max_dets: tuple[int, ...] = MAX_DETS
    class_agnostic: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "iou_thresholds", _fractions("IoU", self.iou_thresholds))
        put(self, "recall_thresholds", _fractions("recall", self.recall_thresholds))
        put(self, "max_dets", tuple(sorted(int(limit) for limit in self.max_dets)))
        put(self, "area_ranges", tuple((str(n), float(lo), float(hi)) for n, lo, hi in self.area_ranges))
        if not self.max_dets or self.max_dets[0] < 1:
            raise UsageError(f"max_dets must be positive, got {self.max_dets}")
        if not self.area_ranges or not all(0 <= lo <= hi < math.inf for _, lo, hi in self.area_ranges):
            raise UsageError(f"area ranges must satisfy 0 <= low <= high, got {self.area_ranges}")
        if len(set(self.area_names)) != len(self.area_names):
            raise UsageError(f"area ranges need different names, got {self.area_names}")

    @property
    def area_names(self) -> tuple[str, ...]:
        """Names of the area ranges, in order of A."""
        return tuple(name for name, _, _ in self.area_ranges)


def _fractions(name: str, values: Sequence[float]) -> tuple[float, ...]:
    found = tuple(float(value) for value in values)
    if not found or not all(0 <= value <= 1 for value in found):
        raise UsageError(f"{name} thresholds must lie in 0..1, got {found}")
    return found
