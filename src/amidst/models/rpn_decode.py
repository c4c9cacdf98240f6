"""From objectness to proposals (F.2, thesis section 4.4.1).

    per map   the best `candidates` anchors by score, decoded, clipped to the image inside the padding
    drop      sides below `min_side` and boxes without area; what lies outside has none left after clipping
    suppress  within each map, IoU > .7
    merge     all maps by score, the best `count`

Shapes: B images, n anchors of a map, M candidates of a map, D proposals of an image.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from amidst.models.box_rules import not_empty
from amidst.models.config_parts import Clamp
from amidst.models.config_rcnn import RPNDecodeConfig
from amidst.models.structures import DenseOutputs, Detections
from amidst.ops.boxes import clip
from amidst.ops.coding import decode
from amidst.ops.nms import nms_by_class

SINGLE_MAP = 6  # times as many candidates on a single map: 12,000 and 6,000


@torch.no_grad()
def decode_proposals(
    outputs: DenseOutputs, sizes_hw: Sequence[tuple[int, int]], config: RPNDecodeConfig, *, for_training: bool
) -> list[Detections]:
    """Proposals of each of B images of true sizes `sizes_hw`, by descending score, of class 0.

    Training takes more of them than testing does.
    """
    if for_training:
        candidates, count = config.train_candidates, config.train_count
    else:
        candidates, count = config.test_candidates, config.test_count
    if len(outputs.anchors_xyxy) == 1:
        candidates *= SINGLE_MAP
    return [
        _decode_image(outputs, index, size_hw, config, candidates, count)
        for index, size_hw in enumerate(sizes_hw)
    ]


def _decode_image(
    outputs: DenseOutputs,
    index: int,
    size_hw: tuple[int, int],
    config: RPNDecodeConfig,
    candidates: int,
    count: int,
) -> Detections:
    parts = [
        _best(logits[index, :, 0], codes[index], anchors, candidates, config.clamp)
        for logits, codes, anchors in zip(
            outputs.class_logits, outputs.box_codes, outputs.anchors_xyxy, strict=True
        )
    ]
    boxes, logits = (torch.cat(part) for part in zip(*parts, strict=True))
    level = torch.repeat_interleave(
        torch.arange(len(parts), device=boxes.device),
        torch.tensor([len(scores) for _, scores in parts], device=boxes.device),
    )
    boxes = clip(boxes, size_hw)
    large = not_empty(boxes, config.min_side)
    boxes, logits, level = boxes[large], logits[large], level[large]
    kept = nms_by_class(boxes, logits, level, config.nms_iou)[:count]
    class_index = torch.zeros_like(kept)
    return Detections(boxes[kept], logits[kept].sigmoid(), class_index)


def _best(
    logits: Tensor, codes: Tensor, anchors: Tensor, candidates: int, clamp: Clamp
) -> tuple[Tensor, Tensor]:
    """Logits (n,), codes (n, 4), anchors (n, 4) of one map -> boxes (M, 4) and logits (M,) of the best."""
    values, chosen = logits.float().topk(min(candidates, len(logits)))
    return decode(codes[chosen].float(), anchors[chosen], clamp=clamp), values
