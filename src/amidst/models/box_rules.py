"""Where anchors stand, and what happens to boxes around non-maximum suppression, as a configuration says.

The defaults are ours; other families of detectors differ in small ways that their weights have been scored
with (docs/weights.md).

Shapes: M candidate boxes of an image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from amidst.models.config_parts import GridConfig
from amidst.models.config_rcnn import RegionDecodeConfig
from amidst.models.config_retinanet import DecodeConfig
from amidst.models.structures import Detections
from amidst.ops.anchors import Placing
from amidst.ops.boxes import clip
from amidst.ops.nms import nms_by_class

SMALLEST = torch.finfo(torch.float32).tiny  # no positive side is smaller


def padded_hw(pixels: Tensor) -> tuple[int, int]:
    """Height and width of a padded batch (B, 3, H, W)."""
    return int(pixels.shape[-2]), int(pixels.shape[-1])


def placing(grid: GridConfig, image_hw: tuple[int, int]) -> Placing:
    """How anchors stand on the maps of padded images of `image_hw`."""
    return Placing(
        offset=0.0 if grid.centre == "corner" else 0.5,
        image_hw=image_hw if grid.stride == "fitted" else None,
        whole_pixels=grid.whole_pixels,
    )


def not_empty(boxes_xyxy: Tensor, min_side: float) -> Tensor:
    """Which of the boxes (M, 4) have an area, and no side below `min_side` pixels: bool (M,)."""
    return ((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) >= max(min_side, SMALLEST)).all(dim=1)


def merge(
    candidates: Detections, size_hw: tuple[int, int], config: DecodeConfig | RegionDecodeConfig
) -> Detections:
    """The best of M decoded candidates in any order, those that overlap a better one of their class aside."""
    rules, found = config.boxes, candidates
    if rules.clip == "before_nms":
        found = Detections(clip(found.boxes_xyxy, size_hw), found.scores, found.class_index)
    if rules.drop_empty == "before_nms":  # such as those wholly in the padding
        found = _select(found, not_empty(found.boxes_xyxy, rules.min_side))
    kept = nms_by_class(found.boxes_xyxy, found.scores, found.class_index, config.nms_iou)
    found = _select(found, kept[: config.max_detections])
    if rules.clip == "after_nms":
        found = Detections(clip(found.boxes_xyxy, size_hw), found.scores, found.class_index)
    if rules.drop_empty == "after_nms":
        found = _select(found, not_empty(found.boxes_xyxy, rules.min_side))
    return found


def _select(found: Detections, which: Tensor) -> Detections:
    return Detections(found.boxes_xyxy[which], found.scores[which], found.class_index[which])
