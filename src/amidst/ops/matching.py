"""Assignment of anchors to objects by overlap (thesis map I.4 for RetinaNet, F.2 for RPN).

Shapes: G ground truths, N anchors.

An anchor belongs to the object it overlaps most if that IoU >= `positive`; it is background if its largest
IoU is < `negative`, and ignored between the two. `low_quality` says what happens to the anchors that overlap
some object more than any other anchor does (all ties count, overlap > 0), where that IoU is < `positive`:

    "none"       nothing (the thesis's RetinaNet)
    "detectron"  positive if IoU >= negative: the release writes background last
    "all"        positive (RPN; detectron2's RetinaNet)

Such an anchor still belongs to the object *it* overlaps most.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

BACKGROUND = -1
IGNORED = -2

LowQuality = Literal["none", "detectron", "all"]


def match(iou: Tensor, positive: float, negative: float, low_quality: LowQuality = "none") -> Tensor:
    """IoU (G, N) -> int64 (N,): index of the matched object, BACKGROUND or IGNORED."""
    num_objects, num_anchors = iou.shape
    if num_objects == 0 or num_anchors == 0:
        return torch.full((num_anchors,), BACKGROUND, dtype=torch.int64, device=iou.device)
    best_iou = iou.amax(dim=0)  # (N,)
    matched = torch.full_like(best_iou, IGNORED, dtype=torch.int64)
    matched.masked_fill_(best_iou < negative, BACKGROUND)
    owned = best_iou >= positive
    if low_quality != "none":
        claimed = _best_of_some_object(iou)
        owned |= claimed if low_quality == "all" else claimed & (best_iou >= negative)
    # Which object it is matters for few anchors; asking for all would take many times as long as the maximum.
    anchors = owned.nonzero().squeeze(1)  # (P,)
    matched[anchors] = iou[:, anchors].argmax(dim=0)
    return matched


def _best_of_some_object(iou: Tensor) -> Tensor:
    """Anchors (N,) that overlap some object of (G, N) as much as any anchor does."""
    best = iou.amax(dim=1, keepdim=True)  # (G, 1)
    # An object that no anchor touches has best IoU 0, reached by every anchor: it must claim none.
    best.masked_fill_(best <= 0, torch.inf)
    claimed = torch.zeros(iou.shape[1], dtype=torch.bool, device=iou.device)
    for overlaps, largest in zip(iou.unbind(0), best.unbind(0), strict=True):
        claimed |= overlaps == largest  # object by object: no second (G, N)
    return claimed
