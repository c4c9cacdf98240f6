"""Boxes as tensors: areas, overlaps, clipping, flipping, formats.

Shapes: G ground truths, N boxes. A box is (x1, y1, x2, y2) in continuous pixels of the resized image: the
pixel column j covers [j, j + 1), so width is x2 - x1 without the "+ 1" of older code (thesis map 0.1).

    IoU(a, b)  = |a ∩ b| / |a ∪ b|                       0 where the boxes do not overlap (0.2)
    GIoU(a, b) = IoU - (|c| - |a ∪ b|) / |c|              c: smallest box around both

A degenerate box (a side of zero or less) has area 0 and overlaps nothing; no function returns NaN for it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def area(boxes_xyxy: Tensor) -> Tensor:
    """Area of each box (..., 4) -> (...), 0 for degenerate boxes."""
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    return (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)


def pairwise_iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """IoU of every box of `a` (G, 4) with every box of `b` (N, 4) -> (G, N)."""
    # Column by column: (G, N, 2) intermediates would double the memory traffic, which is the whole cost here.
    ax1, ay1, ax2, ay2 = (column[:, None] for column in a_xyxy.unbind(-1))  # each (G, 1)
    bx1, by1, bx2, by2 = b_xyxy.t().contiguous().unbind(0)  # each (N,)
    inter = torch.minimum(ax2, bx2).sub_(torch.maximum(ax1, bx1)).clamp_(min=0)  # (G, N)
    inter.mul_(torch.minimum(ay2, by2).sub_(torch.maximum(ay1, by1)).clamp_(min=0))
    union = (area(a_xyxy)[:, None] + area(b_xyxy)).sub_(inter)
    return inter.div_(_positive(union))


def paired_iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """IoU of a[i] with b[i]: (N, 4), (N, 4) -> (N,)."""
    inter, union = _paired_overlap(a_xyxy, b_xyxy)
    return inter / _positive(union)


def paired_giou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Generalised IoU of a[i] with b[i], in [-1, 1]: (N, 4), (N, 4) -> (N,)."""
    inter, union = _paired_overlap(a_xyxy, b_xyxy)
    low = torch.minimum(a_xyxy[..., :2], b_xyxy[..., :2])
    high = torch.maximum(a_xyxy[..., 2:], b_xyxy[..., 2:])
    hull = (high - low).clamp(min=0).prod(-1)
    return inter / _positive(union) - (hull - union) / _positive(hull)


def _paired_overlap(a_xyxy: Tensor, b_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(a_xyxy[..., :2], b_xyxy[..., :2])
    high = torch.minimum(a_xyxy[..., 2:], b_xyxy[..., 2:])
    inter = (high - low).clamp(min=0).prod(-1)
    return inter, area(a_xyxy) + area(b_xyxy) - inter


def _positive(denominator: Tensor) -> Tensor:
    """The denominator, away from zero: 0 / tiny = 0 is what two empty boxes should give."""
    return denominator.clamp(min=torch.finfo(denominator.dtype).tiny)


def clip(boxes_xyxy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) cut to the image [0, w] x [0, h]."""
    height, width = size_hw
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    return torch.stack(
        (x1.clamp(0, width), y1.clamp(0, height), x2.clamp(0, width), y2.clamp(0, height)), dim=-1
    )


def flip(boxes_xyxy: Tensor, width: float) -> Tensor:
    """Boxes (..., 4) of the horizontally mirrored image: x1' = width - x2, x2' = width - x1."""
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    return torch.stack((width - x2, y1, width - x1, y2), dim=-1)


def xywh_to_xyxy(boxes_xywh: Tensor) -> Tensor:
    """(x, y, w, h) -> (x1, y1, x2, y2) for boxes (..., 4)."""
    return torch.cat((boxes_xywh[..., :2], boxes_xywh[..., :2] + boxes_xywh[..., 2:]), dim=-1)


def xyxy_to_xywh(boxes_xyxy: Tensor) -> Tensor:
    """(x1, y1, x2, y2) -> (x, y, w, h) for boxes (..., 4)."""
    return torch.cat((boxes_xyxy[..., :2], boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]), dim=-1)
