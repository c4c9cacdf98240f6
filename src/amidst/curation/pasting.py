"""Masks pasted into the boxes of detections: the full box, an ellipse, or a learnt shape (spec E.5; thesis
§2.7).

A shape is a function of the category, the box and the image's size that returns the pixels of the box; this
module places them. Boxes are rounded outward to whole pixels and clipped to the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Box, Rle
from amidst.coco.results import Results
from amidst.errors import DataError

Pixels = npt.NDArray[np.bool_]

ROUNDING = 1e-6  # a box that ends this little beyond a pixel's edge ends at it


@dataclass(frozen=True)
class Placement:
    """A box on whole pixels. `size_hw` is the whole box; rows and columns [start, stop) of it are inside the
    image, whose pixel (top, left) is the first of them."""

    box_xywh: Box
    image_hw: tuple[int, int]
    size_hw: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    top: int
    left: int

    @property
    def window_hw(self) -> tuple[int, int]:
        """Height and width of the part inside the image."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]


Shape = Callable[[int, Placement], Pixels]
"""(category id, placement) -> pixels of the part inside the image, (h, w)."""


def place(box_xywh: Box, image_hw: tuple[int, int]) -> Placement:
    """Where a box lies on the pixels of an image; its window is empty if it lies outside."""
    x, y, width, height = box_xywh
    x1, y1 = math.floor(x + ROUNDING), math.floor(y + ROUNDING)
    x2 = max(math.ceil(x + width - ROUNDING), x1 + 1)
    y2 = max(math.ceil(y + height - ROUNDING), y1 + 1)
    left, top = min(max(x1, 0), image_hw[1]), min(max(y1, 0), image_hw[0])
    right, bottom = max(min(x2, image_hw[1]), left), max(min(y2, image_hw[0]), top)
    return Placement(
        box_xywh,
        image_hw,
        (y2 - y1, x2 - x1),
        (top - y1, bottom - y1),
        (left - x1, right - x1),
        top,
        left,
    )


def full_box(_category_id: int, placement: Placement) -> Pixels:
    """All pixels of the box."""
    return np.ones(placement.window_hw, bool)


def ellipse(_category_id: int, placement: Placement) -> Pixels:
    """The pixels whose centres lie in the ellipse that fills the box."""
    x, y, width, height = placement.box_xywh
    rows = np.arange(*placement.rows) - placement.rows[0] + placement.top + 0.5
    columns = np.arange(*placement.columns) - placement.columns[0] + placement.left + 0.5
    down = (rows - (y + height / 2)) / max(height / 2, ROUNDING)
    across = (columns - (x + width / 2)) / max(width / 2, ROUNDING)
    inside: Pixels = down[:, None] ** 2 + across[None, :] ** 2 <= 1
    return inside


def paste_one(shape: Shape, category_id: int, box_xywh: Box, image_hw: tuple[int, int]) -> Rle:
    """The compressed mask of one box."""
    placement = place(box_xywh, image_hw)
    height, width = placement.window_hw
    if not height or not width:
        return masks.empty(image_hw)
    strip = np.zeros(
        (width, image_hw[0]), bool
    )  # the columns that the box touches, each over its full height
    strip[:, placement.top : placement.top + height] = shape(category_id, placement).T
    pixels = np.concatenate([[False], strip.reshape(-1), [False]])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + placement.left * image_hw[0]
    counts = np.diff(np.concatenate([[0], changes, [image_hw[0] * image_hw[1]]]))
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    return masks.compress(Rle(image_hw, tuple(counts.tolist())))


def paste(dataset: CocoDataset, results: Results, shape: Shape, rows: Sequence[int] | None = None) -> Results:
    """The same detections with masks in their boxes.

    rows: only these detections. Raises DataError if they have no boxes or name an image that is not there.
    """
    if results.boxes_xywh is None:
        raise DataError("the detections have no boxes to paste masks into", rule="missing-field")
    if rows is not None:
        results = results.take(np.array(rows, np.int64))
    assert results.boxes_xywh is not None
    rles = []
    for image_id, category_id, box in zip(
        results.image_ids.tolist(), results.category_ids.tolist(), results.boxes_xywh.tolist(), strict=True
    ):
        image = dataset.image(image_id)
        rles.append(paste_one(shape, category_id, tuple(box), (image.height, image.width)))
    return replace(results, rles=tuple(rles))


def truth_as_results(dataset: CocoDataset) -> Results:
    """The boxes of all objects that count, as detections of score 1: what a perfect detector would give."""
    objects = [a for a in dataset.annotations if not (a.iscrowd or a.ignore)]
    return Results(
        np.array([a.image_id for a in objects], np.int64),
        np.array([a.category_id for a in objects], np.int64),
        np.ones(len(objects)),
        np.array([a.bbox_xywh for a in objects], np.float64).reshape(-1, 4),
    )
