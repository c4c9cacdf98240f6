"""From judged regions to detections (F.4, thesis section 4.4.2).

    scores   softmax over K + 1 classes; (region, class) pairs above the threshold, background aside
    boxes    the code of that class
    merge    clipped to the image inside the padding, non-maximum suppression within each class, the best
             `max_detections` of an image (`box_rules`)

One region may give several classes.

Shapes: B images, R regions of a batch, r of one image, K classes, M pairs above the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from amidst.models.box_rules import merge
from amidst.models.config_rcnn import RegionDecodeConfig
from amidst.models.fast_rcnn_head import RegionOutputs, Regions
from amidst.models.fast_rcnn_loss import CODE_WEIGHTS
from amidst.models.structures import Detections
from amidst.ops.coding import decode


@torch.no_grad()
def decode_regions(
    outputs: RegionOutputs, regions: Regions, sizes_hw: Sequence[tuple[int, int]], config: RegionDecodeConfig
) -> list[Detections]:
    """Detections of each of B images of true sizes `sizes_hw`."""
    num_classes = outputs.box_codes.shape[1]
    scores = outputs.class_logits.float().softmax(dim=1)[:, :num_classes]  # (R, K)
    counts = torch.bincount(regions.image, minlength=len(sizes_hw)).tolist()
    parts = (torch.split(part, counts) for part in (scores, outputs.box_codes, regions.boxes_xyxy))
    found = []
    for image_scores, codes, boxes, size_hw in zip(*parts, sizes_hw, strict=True):
        region, class_index = (image_scores > config.score_threshold).nonzero().unbind(dim=1)  # (M,)
        chosen = decode(codes[region, class_index].float(), boxes[region], CODE_WEIGHTS, config.boxes.clamp)
        pairs = Detections(chosen, image_scores[region, class_index], class_index)
        found.append(merge(pairs, size_hw, config))
    return found
