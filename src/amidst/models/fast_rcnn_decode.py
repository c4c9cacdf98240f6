"""From judged regions to detections (F.4, thesis section 4.4.2).

    scores   softmax over K + 1 classes; (region, class) pairs above the threshold, background aside
    boxes    the code of that class, clipped to the image inside the padding
    merge    non-maximum suppression within each class, the best `max_detections` of an image

One region may give several classes.

Shapes: B images, R regions of a batch, r of one image, K classes, M pairs above the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from amidst.models.config_rcnn import RegionDecodeConfig
from amidst.models.fast_rcnn_head import RegionOutputs, Regions
from amidst.models.fast_rcnn_loss import CODE_WEIGHTS
from amidst.models.structures import Detections
from amidst.ops.boxes import clip
from amidst.ops.coding import decode
from amidst.ops.nms import nms_by_class


@torch.no_grad()
def decode_regions(
    outputs: RegionOutputs, regions: Regions, sizes_hw: Sequence[tuple[int, int]], config: RegionDecodeConfig
) -> list[Detections]:
    """Detections of each of B images of true sizes `sizes_hw`."""
    scores = outputs.class_logits.float().softmax(dim=1)[:, :-1]  # (R, K)
    counts = torch.bincount(regions.image, minlength=len(sizes_hw)).tolist()
    parts = (torch.split(part, counts) for part in (scores, outputs.box_codes, regions.boxes_xyxy))
    found = []
    for image_scores, codes, boxes, size_hw in zip(*parts, sizes_hw, strict=True):
        region, class_index = (image_scores > config.score_threshold).nonzero().unbind(dim=1)  # (M,)
        chosen = decode(codes[region, class_index].float(), boxes[region], CODE_WEIGHTS)
        chosen = clip(chosen, size_hw)
        inside = ((chosen[:, 2:] - chosen[:, :2]) > 0).all(dim=1)
        chosen, class_index = chosen[inside], class_index[inside]
        values = image_scores[region[inside], class_index]
        kept = nms_by_class(chosen, values, class_index, config.nms_iou)[: config.max_detections]
        found.append(Detections(chosen[kept], values[kept], class_index[kept]))
    return found
