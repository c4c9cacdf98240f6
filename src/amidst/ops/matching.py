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
    if num_objects == 0:
        return torch.full((num_anchors,), BACKGROUND, dtype=torch.int64, device=iou.device)
    best_iou, best_object = iou.max(dim=0)  # (N,), (N,)
    matched = best_object.masked_fill(best_iou < positive, IGNORED)
    if low_quality != "none":
        best_of_object = iou.amax(dim=1, keepdim=True)  # (G, 1)
        # An object that no anchor touches has best IoU 0, reached by every anchor: it must claim none.
        claimed = ((iou == best_of_object) & (best_of_object > 0)).any(dim=0)  # (N,)
        matched = torch.where(claimed, best_object, matched)
    if low_quality == "all":
        return matched.masked_fill_((best_iou < negative) & (matched == IGNORED), BACKGROUND)
    return matched.masked_fill_(best_iou < negative, BACKGROUND)
