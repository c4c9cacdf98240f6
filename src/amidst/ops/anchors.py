"""Anchors: the boxes that a dense head scores and refines (thesis map F.2, I.2).

Shapes: L levels, (h, w) a level's feature map, A anchors per cell, N = h * w * A.

Level l has stride 2^l and anchors of base side `base * stride`. At each of the n `octave_scales` the side is
size = base * stride * 2^(k/n), k = 0..n-1, and for an aspect r = height / width

    width = size / sqrt(r)        height = size * sqrt(r)        (area size^2)

The RPN names the sizes of each level instead, one on a pyramid and all on a single map.

Cell (i, j) has its centre at ((j + .5) * stride, (i + .5) * stride). Nothing is rounded. `Placing` says what
models of other families do instead.

Order: A runs by octave (or size), then aspect; N runs row by row, then column, then A. A head's output
(B, A*K, h, w), permuted to (B, h, w, A, K) and flattened to (B, N, K), is in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Placing:
    """How anchors stand on a map."""

    offset: float = 0.5  # of the centre within its cell, in strides
    image_hw: tuple[int, int] | None = None  # padded image: its sides // cells are the strides; None: nominal
    whole_pixels: bool = False  # sides rounded down, then corners to the nearest (ties to even)

    def stride_yx(self, feature_hw: tuple[int, int], nominal: int) -> tuple[int, int]:
        """Pixels between neighbouring centres."""
        if self.image_hw is None or 0 in feature_hw:
            return nominal, nominal
        return self.image_hw[0] // feature_hw[0], self.image_hw[1] // feature_hw[1]


OURS = Placing()


def cell_anchors(
    size: float, octave_scales: int, aspects: Sequence[float], whole_pixels: bool = False
) -> Tensor:
    """Anchors (A, 4) xyxy around the origin, A = octave_scales * len(aspects), octave-major."""
    boxes = []
    for octave in range(octave_scales):
        side = size * 2 ** (octave / octave_scales)
        side = math.floor(side) if whole_pixels else side
        for aspect in aspects:
            half_w, half_h = side / math.sqrt(aspect) / 2, side * math.sqrt(aspect) / 2
            boxes.append((-half_w, -half_h, half_w, half_h))
    found = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)  # (A, 4) also for no aspects
    return found.round() if whole_pixels else found


def place_anchors(cell: Tensor, feature_hw: tuple[int, int], stride: int, placing: Placing = OURS) -> Tensor:
    """Copies of the cell's anchors (A, 4) at the centre of every cell of a feature map -> (h*w*A, 4)."""
    height, width = feature_hw
    stride_y, stride_x = placing.stride_yx(feature_hw, stride)
    y = (torch.arange(height, dtype=torch.float32, device=cell.device) + placing.offset) * stride_y
    x = (torch.arange(width, dtype=torch.float32, device=cell.device) + placing.offset) * stride_x
    is_y = torch.tensor((0.0, 1.0, 0.0, 1.0), device=cell.device)
    # One row of cells around y = 0, then every row in one long-running addition.
    row = cell + x[:, None, None] * (1 - is_y)  # (w, A, 4)
    boxes = torch.addcmul(row.view(1, -1), y[:, None], is_y.repeat(width * len(cell)))  # (h, w*A*4)
    return boxes.view(-1, 4)  # (h, w*A*4) -> (h*w*A, 4)


def grid_anchors(
    features_hw: Sequence[tuple[int, int]],
    strides: Sequence[int],
    base: float,
    octave_scales: int,
    aspects: Sequence[float],
    device: torch.device | str | None = None,
    placing: Placing = OURS,
) -> list[Tensor]:
    """Anchors of every level, each (h*w*A, 4) xyxy in the resized image's pixels.

    A pure function of its arguments: callers may keep the result for feature maps of the same sizes.
    """
    levels = []
    for feature_hw, stride in zip(features_hw, strides, strict=True):
        cell = cell_anchors(base * stride, octave_scales, aspects, placing.whole_pixels)
        levels.append(place_anchors(cell.to(device), feature_hw, stride, placing))
    return levels


def grid_anchors_of_sizes(
    features_hw: Sequence[tuple[int, int]],
    strides: Sequence[int],
    sizes: Sequence[Sequence[float]],
    aspects: Sequence[float],
    device: torch.device | str | None = None,
    placing: Placing = OURS,
) -> list[Tensor]:
    """As `grid_anchors`, where level l has anchors of the sides `sizes[l]` in pixels: A = sizes * aspects."""
    levels = []
    for feature_hw, stride, sides in zip(features_hw, strides, sizes, strict=True):
        cell = torch.cat([cell_anchors(side, 1, aspects, placing.whole_pixels) for side in sides])
        levels.append(place_anchors(cell.to(device), feature_hw, stride, placing))
    return levels
