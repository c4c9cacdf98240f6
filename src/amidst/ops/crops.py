"""Square views of an image, of any place and size; they may leave it.

    cut     whole pixels as they are
    view    any square, resampled to n pixels: bilinear with pixel centres at half pixels, antialiased when
            shrinking. An output pixel is the mean of the input pixels under a triangle centred on it, one
            input pixel wide on each side, or one output pixel where that is wider. Zero outside the image.

Resampling is separate in both directions: rows (n, h) @ image (h, w) @ columns (w, n).

Shapes: C channels, H x W image, n pixels along a view, T input pixels that an output pixel may depend on.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cut(image: Tensor, top: int, left: int, side: int, fill: int) -> Tensor:
    """The square from (`top`, `left`) of an image (C, H, W) -> (C, side, side), `fill` outside the image."""
    inside = image[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    if inside.shape[1:] == (side, side):
        return inside
    square = image.new_full((side, side, image.shape[0]), fill).permute(2, 0, 1)  # channels-last
    y, x = min(max(-top, 0), side), min(max(-left, 0), side)
    square[:, y : y + inside.shape[1], x : x + inside.shape[2]] = inside
    return square


def view(image: Tensor, top: float, left: float, side: float, size: int) -> Tensor:
    """The square from (`top`, `left`) of an image (C, H, W) of any type -> float32 (C, size, size)."""
    (first_row, rows), (first_column, columns) = (
        _weights(start, side / size, size, length)
        for start, length in zip((top, left), image.shape[1:], strict=True)
    )
    part = image[
        :, first_row : first_row + rows.shape[1], first_column : first_column + columns.shape[1]
    ].float()
    return rows.to(part) @ part @ columns.to(part).t()


def _weights(start: float, factor: float, size: int, length: int) -> tuple[int, Tensor]:
    """First pixel of a row of `length` that counts, and weights (size, pixels) of it and the next ones."""
    reach = max(1.0, factor)
    centres = start + factor * (torch.arange(size, dtype=torch.float64) + 0.5)
    taps = math.ceil(2 * reach) + 1
    pixels = (centres - reach - 0.5).ceil().long()[:, None] + torch.arange(taps)  # (n, T)
    weights = (1 - (pixels + 0.5 - centres[:, None]).abs() / reach).clamp(min=0)
    weights /= weights.sum(dim=1, keepdim=True)  # of the whole triangle, also where it leaves the image
    inside = (pixels >= 0) & (pixels < length)
    first = min(max(int(pixels[0, 0]), 0), length)
    last = max(min(int(pixels[-1, -1]) + 1, length), first)
    dense = torch.zeros(size, last - first + 1, dtype=torch.float64)  # one more column, for what is outside
    dense.scatter_add_(1, torch.where(inside, pixels - first, last - first), weights)
    return first, dense[:, :-1].float()
