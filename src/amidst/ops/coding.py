"""The box regression code: an object relative to an anchor or region (thesis map 0.3).

Shapes: N boxes. With centre (x, y) and size (w, h), anchor a and target g, and weights (wx, wy, ww, wh):

    tx = wx (xg - xa) / wa     ty = wy (yg - ya) / ha     tw = ww ln(wg / wa)     th = wh ln(hg / ha)

Decoding divides by the weights and clamps tw, th from above at ln(1000/16), so that an untrained network
cannot overflow exp; some families clamp at its negative from below too. Weights are (1, 1, 1, 1) for RPN and
RetinaNet, (10, 10, 5, 5) for the Fast R-CNN head.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Weights = tuple[float, float, float, float]

MAX_LOG_SCALE = math.log(1000 / 16)
_SMALLEST_SIDE = 1e-3  # pixels; keeps ln finite for degenerate boxes


def encode(boxes_xyxy: Tensor, anchors_xyxy: Tensor, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """Code of boxes (..., 4) relative to anchors (..., 4) -> (..., 4)."""
    xa, ya, wa, ha = _centre_size(anchors_xyxy)
    xg, yg, wg, hg = _centre_size(boxes_xyxy)
    wa, ha, wg, hg = (side.clamp(min=_SMALLEST_SIDE) for side in (wa, ha, wg, hg))
    wx, wy, ww, wh = weights
    code = (wx * (xg - xa) / wa, wy * (yg - ya) / ha, ww * (wg / wa).log(), wh * (hg / ha).log())
    return torch.stack(code, dim=-1)


def decode(
    deltas: Tensor,
    anchors_xyxy: Tensor,
    weights: Weights = (1.0, 1.0, 1.0, 1.0),
    clamp: Literal["above", "both"] = "above",
) -> Tensor:
    """Boxes xyxy of codes (..., 4) relative to anchors (..., 4) -> (..., 4), not clipped to any image."""
    xa, ya, wa, ha = _centre_size(anchors_xyxy)
    tx, ty, tw, th = deltas.unbind(-1)
    wx, wy, ww, wh = weights
    x, y = xa + tx * wa / wx, ya + ty * ha / wy
    least = -MAX_LOG_SCALE if clamp == "both" else None
    half_w = (tw / ww).clamp(min=least, max=MAX_LOG_SCALE).exp() * (wa / 2)
    half_h = (th / wh).clamp(min=least, max=MAX_LOG_SCALE).exp() * (ha / 2)
    return torch.stack((x - half_w, y - half_h, x + half_w, y + half_h), dim=-1)


def _centre_size(boxes_xyxy: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
