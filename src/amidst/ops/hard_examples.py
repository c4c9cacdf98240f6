"""Online hard example mining for dense detectors (thesis map H; thesis section 5.5.1).

The baseline that focal loss is measured against: of all anchors of an image, train on the few whose loss is
highest, and on nothing else. Two forms, both for one image:

    ohem       every anchor is ranked by its present loss; greedy non-maximum suppression on the anchor boxes,
               with the loss as score, removes those that tell the same story as a harder one beside them
               (each class, and background, by itself); of what survives, the B hardest are kept
    ohem_1_3   after the same suppression, the hardest positives, at most B / 4, and three times as many of
               the hardest negatives (as in SSD); where an image has no positive, three negatives

Shapes: N anchors, L levels, n_l anchors of a level, K classes, S selected anchors.

The greedy rule never looks down the ranking: what survives among the hardest n is how the survivors among all
begin. So the suppression runs over a head of the ranking, long enough in nearly every case, and over a longer
one only where too few survive.

Nothing here carries a gradient: which anchors are hard is a choice, not something to learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from amidst.ops.losses import softplus
from amidst.ops.matching import BACKGROUND, IGNORED
from amidst.ops.nms import nms_by_class

_HEAD, _LONGER = 8, 4  # anchors in the first head, for each one wanted; how much longer every next one is


@torch.no_grad()
def anchor_cross_entropy(logits: Sequence[Tensor], class_index: Tensor) -> Tensor:
    """Cross-entropy of one image's anchors, summed over classes: L of (n_l, K) and (N,) -> (N,) float32.

    Ignored anchors get a number too, which means nothing.
    """
    parts = []
    for level, wanted in zip(logits, torch.split(class_index, [len(level) for level in logits]), strict=True):
        loss = softplus(level.float()).sum(dim=1)  # as if all were background
        objects = (wanted >= 0).nonzero().squeeze(1)
        # softplus(-x) = softplus(x) - x makes the anchor's own class a positive.
        loss[objects] -= level[objects, wanted[objects]].float()
        parts.append(loss)
    return torch.cat(parts)


@torch.no_grad()
def ohem(
    anchors_xyxy: Tensor, losses: Tensor, class_index: Tensor, *, batch: int, nms_iou: float, preselect: int
) -> Tensor:
    """The `batch` hardest anchors of an image that survive suppression, hardest first: indices (S,).

    anchors_xyxy (N, 4), losses (N,), class_index (N,) as `ops.matching` gives it; ignored anchors are never
    selected. Fewer than `batch` come back where fewer survive among the `preselect` hardest.
    """
    counted = (class_index != IGNORED).nonzero().squeeze(1)
    return _survivors(anchors_xyxy, losses, class_index, counted, batch, nms_iou, preselect)


@torch.no_grad()
def ohem_1_3(
    anchors_xyxy: Tensor, losses: Tensor, class_index: Tensor, *, batch: int, nms_iou: float, preselect: int
) -> Tensor:
    """As `ohem`, with three negatives for each positive: positives first, each side hardest first.

    Positives: at most batch / 4. Negatives: three for each positive (for one, where there is none), as far
    as `batch` and the survivors allow. `preselect` counts for each side by itself.
    """
    objects = (class_index >= 0).nonzero().squeeze(1)
    background = (class_index == BACKGROUND).nonzero().squeeze(1)
    positives = _survivors(anchors_xyxy, losses, class_index, objects, batch // 4, nms_iou, preselect)
    room = min(3 * max(len(positives), 1), batch - len(positives))
    negatives = _survivors(anchors_xyxy, losses, class_index, background, room, nms_iou, preselect)
    return torch.cat((positives, negatives))


def _survivors(
    boxes_xyxy: Tensor,
    losses: Tensor,
    class_index: Tensor,
    candidates: Tensor,
    count: int,
    nms_iou: float,
    preselect: int,
) -> Tensor:
    """The `count` hardest of the candidates (C,) after suppression by class, hardest first."""
    hardest = torch.topk(losses[candidates], min(preselect, len(candidates))).indices
    ranked = candidates[hardest]
    length = _HEAD * max(count, 1)
    while True:
        head = ranked[:length]
        kept = head[nms_by_class(boxes_xyxy[head], losses[head], class_index[head], nms_iou)]
        if len(kept) >= count or length >= len(ranked):
            return kept[:count]
        length *= _LONGER
