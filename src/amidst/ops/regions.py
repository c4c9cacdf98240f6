"""Features of regions: a p x p map for each box (thesis map F.3, F.5b; sections 4.4.2, 4.5.2).

Shapes: B images, C channels, N boxes, p = `size`. Boxes are xyxy in the pixels of the network's input and are
constants: the gradient goes to the features alone. `image_index` (N,) says which of the B images a box is of.

Results have dtype and device of the features and the strides of a channels-last tensor. Sums are in float32
(float64 where the features are). Features that are channels-last are read in place, others are copied once.

Boxes that are not finite pool to 0 (RoIAlign).

Memory beside features and result: taps are made for at most 2^18 at a time (3 MB; four times as many in the
backward pass), however many boxes, and pooled values of that part; more only if a single box needs more, as
one of thousands of cells with `sampling=0`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from amidst.ops.region_align import Lattice, align
from amidst.ops.region_max import max_pool
from amidst.ops.region_parts import Regions


def level_of(
    boxes_xyxy: Tensor,
    min_level: int = 2,
    max_level: int = 5,
    canonical_level: int = 4,
    canonical_size: float = 224.0,
) -> Tensor:
    """Pyramid level (N,) int64 of boxes (N, 4) in input pixels (Eq. 4.1):

        k = floor(4 + log2(sqrt(w * h) / 224 + 1e-6)), clamped to [min_level, max_level]

    A box without area, or with one that is no number, goes to `min_level`.
    """
    boxes = boxes_xyxy.detach()
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0)
    scale = sides.prod(dim=1).sqrt() / canonical_size
    level = torch.floor(canonical_level + torch.log2(scale + 1e-6))
    return level.nan_to_num(min_level).clamp(min_level, max_level).long()


def roi_align(
    features: Tensor,
    boxes_xyxy: Tensor,
    image_index: Tensor,
    *,
    size: int,
    stride: float,
    sampling: int = 2,
    aligned: bool = True,
) -> Tensor:
    """(B, C, H, W), (N, 4), (N,) -> (N, C, p, p): each bin the mean of bilinear samples (thesis map F.5b).

    A box is divided by the stride and shifted by half a cell, so that cell i has its centre at i; its sides
    are cut into p bins, and a bin into `sampling` x `sampling` pieces with one sample in the middle of each.
    With `sampling=0` a bin takes ceil(its length in cells) samples each way. Samples more than one cell
    outside the map are 0, those within one cell take the nearest border.

    `aligned=False` is the form of the first Mask R-CNN code: no shift, and sides of at least one cell.
    """
    level = torch.zeros_like(image_index)
    regions = _regions([features], boxes_xyxy, image_index, level, size, [stride])
    pooled = align([features], Lattice(regions, sampling, aligned))
    return _maps(pooled, features)


def roi_max_pool(
    features: Tensor, boxes_xyxy: Tensor, image_index: Tensor, *, size: int, stride: float
) -> Tensor:
    """(B, C, H, W), (N, 4), (N,) -> (N, C, p, p): each bin the maximum of its cells, 0 if it has none.

    Corners are rounded to cells (inclusive), so a region has at least one; bins overlap where the sides are
    no multiples of p (thesis map F.5b). Among equal maxima the first receives the gradient.
    """
    level = torch.zeros_like(image_index)
    regions = _regions([features], boxes_xyxy, image_index, level, size, [stride])
    return _maps(max_pool([features], regions), features)


def pool_pyramid(
    features: Sequence[Tensor],
    boxes_xyxy: Tensor,
    image_index: Tensor,
    *,
    size: int,
    strides: Sequence[float],
    levels: Sequence[int],
    kind: Literal["align", "align_legacy", "max"] = "align",
    sampling: int = 2,
    canonical_size: float = 224.0,
) -> Tensor:
    """Each box pooled from the level that `level_of` gives: (N, C, p, p) in the order of the boxes.

    `features` are the maps (B, C, h, w) of the levels from the first to the last of `levels`, such as
    `range(2, 6)` or (2, 5), with their `strides`. A single map takes all boxes: `levels=(4, 4)`. `kind` is
    `roi_align`, its legacy form, or `roi_max_pool`.
    """
    first, last = levels[0], levels[-1]
    if not len(features) == len(strides) == last - first + 1:
        raise ValueError(
            f"levels {first} to {last} need as many maps and strides, got {len(features)} and {len(strides)}"
        )
    level = level_of(boxes_xyxy, first, last, canonical_size=canonical_size) - first
    regions = _regions(features, boxes_xyxy, image_index, level, size, strides)
    if kind == "max":
        pooled = max_pool(features, regions)
    else:
        pooled = align(features, Lattice(regions, sampling, aligned=kind == "align"))
    return _maps(pooled, features[0])


def _regions(
    features: Sequence[Tensor],
    boxes_xyxy: Tensor,
    image_index: Tensor,
    level: Tensor,
    size: int,
    strides: Sequence[float],
) -> Regions:
    """Boxes computed with as precisely as the features are summed."""
    dtype = torch.float64 if features[0].dtype == torch.float64 else torch.float32
    hw = tuple((feature.shape[2], feature.shape[3]) for feature in features)
    return Regions(boxes_xyxy.detach().to(dtype), image_index, level, hw, tuple(strides), size)


def _maps(pooled: Tensor, features: Tensor) -> Tensor:
    """(N, p*p, C) -> (N, C, p, p)."""
    count, bins, channels = pooled.shape
    size = round(bins**0.5)
    return pooled.view(count, size, size, channels).permute(0, 3, 1, 2).to(features.dtype)
