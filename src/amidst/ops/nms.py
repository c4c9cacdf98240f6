"""Greedy non-maximum suppression (thesis map 0.5), exact, in tensor operations only.

Shapes: N boxes, n boxes of a block, M boxes already kept.

The rule: in descending order of score (equal scores in input order), a box is kept unless its IoU with a box
kept before is strictly greater than the threshold.

The sorted boxes are taken in blocks. A block first loses the boxes that the ones kept so far suppress: one
(M, n) overlap matrix. Inside the block, with S[i, j] = "i comes before j and overlaps it too much", the kept
set is the only solution of

    keep[j] = not any_i (keep[i] and S[i, j])

found by applying the right-hand side until nothing changes: after t rounds the first t boxes are certainly
settled, in practice all are after as many rounds as the longest chain of suppressions, a handful.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 256
_COLUMNS = 1024


def nms(boxes_xyxy: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Indices of the kept boxes of (N, 4), (N,), by descending score."""
    order = torch.argsort(scores, descending=True, stable=True)
    kept = _greedy(_columns(boxes_xyxy[order]), iou)
    return order[kept]


def nms_by_class(boxes_xyxy: Tensor, scores: Tensor, class_index: Tensor, iou: float) -> Tensor:
    """As `nms`, where only boxes of the same class (N,) suppress each other."""
    order = torch.argsort(scores, descending=True, stable=True)
    by_class = torch.argsort(class_index[order], stable=True)
    columns = _columns(boxes_xyxy[order[by_class]])
    counts = torch.unique_consecutive(class_index[order[by_class]], return_counts=True)[1].tolist()
    kept, start = [], 0
    for count in counts:
        kept.append(start + _greedy(columns[:, start : start + count], iou))
        start += count
    if not kept:
        return order
    return order[torch.sort(by_class[torch.cat(kept)]).values]


def _columns(boxes_xyxy: Tensor) -> Tensor:
    """(N, 4) -> (5, N): x1, y1, x2, y2, area."""
    x1, y1, x2, y2 = boxes_xyxy.t().float() if boxes_xyxy.dtype == torch.float16 else boxes_xyxy.t()
    return torch.stack((x1, y1, x2, y2, (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)))


def _greedy(columns: Tensor, iou: float) -> Tensor:
    """Positions kept among boxes (5, N) sorted by descending score, ascending."""
    total = columns.shape[1]
    kept = torch.zeros(0, dtype=torch.int64, device=columns.device)
    positions = torch.arange(total, device=columns.device)
    for start in range(0, total, _BLOCK):
        block = positions[start : start + _BLOCK]
        for first in range(0, len(kept), _COLUMNS):
            rows = columns[:, kept[first : first + _COLUMNS]]
            block = block[~_suppresses(rows, columns[:, block], iou).any(dim=0)]
        kept = torch.cat((kept, block[_settle(columns[:, block], iou)]))
    return kept


def _settle(columns: Tensor, iou: float) -> Tensor:
    """Which (n,) boxes of a block (5, n) are kept, the block alone considered."""
    suppresses = _suppresses(columns, columns, iou).triu_(diagonal=1).to(torch.float32)  # (n, n)
    keep = torch.ones(columns.shape[1], device=columns.device)
    while True:
        following = torch.mv(suppresses.t(), keep).eq(0).to(torch.float32)
        if torch.equal(following, keep):
            break
        keep = following
    return keep > 0


def _suppresses(rows: Tensor, columns: Tensor, iou: float) -> Tensor:
    """Where IoU > threshold, between boxes (5, M) and (5, n) -> bool (M, n).

    intersection > threshold * union, without a division: exact for every IoU that is a tie in whole pixels.
    """
    ax1, ay1, ax2, ay2, a_area = (row[:, None] for row in rows)  # each (M, 1)
    bx1, by1, bx2, by2, b_area = columns  # each (n,)
    inter = torch.minimum(ax2, bx2).sub_(torch.maximum(ax1, bx1)).clamp_(min=0)  # (M, n)
    inter.mul_(torch.minimum(ay2, by2).sub_(torch.maximum(ay1, by1)).clamp_(min=0))
    union = (a_area + b_area).sub_(inter)
    return inter > union.mul_(iou)
