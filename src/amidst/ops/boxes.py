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

_TILE = 1 << 14  # overlaps computed at once: see amidst.ops.nms


def area(boxes_xyxy: Tensor) -> Tensor:
    """Area of each box (..., 4) -> (...), 0 for degenerate boxes."""
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    return (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)


@torch.no_grad()
def pairwise_iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """IoU of every box of `a` (G, 4) with every box of `b` (N, 4) -> (G, N), without gradient."""
    overlaps = torch.empty(len(a_xyxy), len(b_xyxy), dtype=a_xyxy.dtype, device=a_xyxy.device)
    a = torch.cat((a_xyxy, area(a_xyxy)[:, None]), dim=1)  # (G, 5)
    b = torch.cat((b_xyxy.t(), area(b_xyxy)[None]))  # (5, N)
    # The cost is memory traffic: pieces that stay in the cache are ten times as fast as whole (G, N) passes.
    piece = _TILE // max(1, len(a)) + 1 if a.device.type == "cpu" else max(1, len(b_xyxy))
    for start in range(0, len(b_xyxy), piece):
        _overlap(a, b[:, start : start + piece], overlaps[:, start : start + piece])
    return overlaps


def _overlap(a: Tensor, b: Tensor, out: Tensor) -> None:
    """IoU of (G, 5) and (5, n), coordinates and areas, into out (G, n)."""
    ax1, ay1, ax2, ay2, a_area = a.t()[:, :, None].unbind(0)  # each (G, 1)
    bx1, by1, bx2, by2, b_area = b.unbind(0)  # each (n,)
    torch.minimum(ax2, bx2, out=out).sub_(torch.maximum(ax1, bx1)).clamp_(min=0)
    out.mul_(torch.minimum(ay2, by2).sub_(torch.maximum(ay1, by1)).clamp_(min=0))
    union = (a_area + b_area).sub_(out)
    out.div_(union.clamp_(min=torch.finfo(out.dtype).tiny))


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
