"""Masks as training targets: the mean of a mask over each cell of a grid laid on a square of the image.

    I(x, y)     sum of the mask over [0, x] x [0, y], for whole x and y a cumulative sum
    mean        (I(x1, y1) - I(x0, y1) - I(x1, y0) + I(x0, y0)) / area of the cell

Between whole pixels I is bilinear, because a pixel is constant: the means are exact for any square, at the
cost of (n + 1)^2 look-ups, however large the square is. Outside the image the mask is 0.

Shapes: G masks of h x w pixels, P squares, n cells each way.
"""

from __future__ import annotations

import torch
from torch import Tensor


def grid_means(masks: Tensor, mask_index: Tensor, squares_xyxy: Tensor, cells: int) -> Tensor:
    """masks (G, h, w) bool, mask_index (P,), squares (P, 4) in pixels -> means (P, n, n) float32 in 0..1."""
    if not len(squares_xyxy):
        return torch.zeros(0, cells, cells, device=masks.device)
    height, width = masks.shape[1:]
    # Whole numbers are exact in float32 up to 2^24, the pixels of a 4096 x 4096 image.
    dtype = torch.float32 if height * width <= 1 << 24 else torch.float64
    sums = torch.nn.functional.pad(masks.to(dtype).cumsum(1).cumsum(2), (1, 0, 1, 0))  # (G, h + 1, w + 1)
    steps = torch.linspace(0, 1, cells + 1, dtype=dtype, device=masks.device)
    low, high = squares_xyxy[:, :2].to(dtype), squares_xyxy[:, 2:].to(dtype)
    edges = low[:, None, :] + (high - low)[:, None, :] * steps[:, None]  # (P, n + 1, 2)
    x, y = edges[..., 0].clamp(0, width), edges[..., 1].clamp(0, height)
    values = _bilinear(sums, mask_index, x, y)  # (P, n + 1, n + 1)
    inside = values[:, 1:, 1:] - values[:, :-1, 1:] - values[:, 1:, :-1] + values[:, :-1, :-1]
    area = ((high - low).prod(dim=1) / cells**2).clamp(min=1e-9)
    return (inside / area[:, None, None]).float().clamp_(0, 1)


def _bilinear(sums: Tensor, index: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """sums (G, h + 1, w + 1) of `index` (P,) at all pairs of x and y, each (P, e): (P, e, e)."""
    left = x.floor().long().clamp(max=sums.shape[2] - 2)
    top = y.floor().long().clamp(max=sums.shape[1] - 2)
    right, down = (x - left)[:, None, :], (y - top)[:, :, None]
    at = index[:, None, None]
    rows, columns = top[:, :, None], left[:, None, :]
    upper = torch.lerp(sums[at, rows, columns], sums[at, rows, columns + 1], right.expand(-1, y.shape[1], -1))
    lower = torch.lerp(
        sums[at, rows + 1, columns], sums[at, rows + 1, columns + 1], right.expand(-1, y.shape[1], -1)
    )
    return torch.lerp(upper, lower, down.expand(-1, -1, x.shape[1]))
