"""Targets and losses of the region proposal network (F.2, thesis section 4.4.1).

    assignment  positive: IoU >= .7 with an object, or an object's best anchors (ties too); negative: IoU < .3
                with all; the rest is ignored. Anchors across the image border take part.
    sampling    256 anchors of an image, at most half of them positive
    objectness  sigmoid cross-entropy, summed over the sample / 256
    boxes       smooth L1 of the codes of the positives, summed / number of sampled anchors

Both are averaged over images. Everything is computed in float32 whatever the precision of the network.

Shapes: B images, L maps, n_l anchors of map l, N of all, G objects of an image, P positives and
Q negatives of its sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from amidst.models.config_rcnn import RPNLossConfig
from amidst.models.structures import DenseOutputs, Target
from amidst.ops.boxes import pairwise_iou
from amidst.ops.coding import encode
from amidst.ops.losses import smooth_l1
from amidst.ops.matching import match
from amidst.ops.sampling import sample

RPN_LOSSES = ("rpn_class_loss", "rpn_box_loss")


def rpn_losses(outputs: DenseOutputs, targets: Sequence[Target], config: RPNLossConfig) -> dict[str, Tensor]:
    """{"rpn_class_loss": scalar, "rpn_box_loss": scalar}, weighted: their sum is to be minimised."""
    with torch.autocast(outputs.box_codes[0].device.type, enabled=False):
        anchors = torch.cat(outputs.anchors_xyxy)  # (N, 4)
        logits = torch.cat(outputs.class_logits, dim=1)[..., 0]  # (B, N)
        codes = torch.cat(outputs.box_codes, dim=1)  # (B, N, 4)
        class_losses, box_losses = [], []
        for index, target in enumerate(targets):
            positives, negatives, boxes = anchor_targets(anchors, target, config)
            sampled = torch.cat((positives, negatives))
            wanted = torch.zeros(len(sampled), device=anchors.device)
            wanted[: len(positives)] = 1
            class_loss = F.binary_cross_entropy_with_logits(
                logits[index, sampled].float(), wanted, reduction="sum"
            )
            code = encode(boxes, anchors[positives])  # (P, 4)
            box_loss = smooth_l1(codes[index, positives].float(), code, config.beta).sum()
            class_losses.append(class_loss / config.sampled)
            box_losses.append(box_loss / max(len(sampled), 1) * config.box_weight)
        values = (torch.stack(class_losses).mean(), torch.stack(box_losses).mean())
        return dict(zip(RPN_LOSSES, values, strict=True))


@torch.no_grad()
def anchor_targets(anchors: Tensor, target: Target, config: RPNLossConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Anchors (N, 4) of one image -> sampled positives (P,), negatives (Q,), boxes of positives (P, 4)."""
    iou = pairwise_iou(target.boxes_xyxy, anchors)  # (G, N)
    matched = match(iou, config.positive_iou, config.negative_iou, "all")  # (N,)
    generator = torch.Generator().manual_seed(target.seed)
    positives, negatives = sample(matched, config.sampled, config.positive_share, generator)
    return positives, negatives, target.boxes_xyxy[matched[positives]]
