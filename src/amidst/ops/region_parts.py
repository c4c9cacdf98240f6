"""Regions sorted into parts that are pooled at once (for `regions`).

Shapes: L levels, N regions, n regions of a part, B images, C channels, (H, W) a level's feature map, R = B *
H * W its cells as rows of a table (R, C), p the side of the pooled map, K taps a bin.

A tap is one cell that a bin reads. All regions of a part lie on the same level and have the same number of
taps, so a part is a few tensor operations. The number of parts does not grow with the number of regions,
only with the number of taps in all over the limit that bounds the memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TAPS = 1 << 18  # at once: 3 MB of index and weight, which stay in the cache


@dataclass(frozen=True)
class Regions:
    """Boxes in the image's pixels, where they lie in the pyramid, and the maps they are pooled from."""

    boxes_xyxy: Tensor  # (N, 4)
    image_index: Tensor  # (N,) int64
    level: Tensor  # (N,) int64, 0..L-1
    features_hw: tuple[tuple[int, int], ...]  # L
    strides: tuple[float, ...]  # L
    size: int  # p

    def __len__(self) -> int:
        return len(self.boxes_xyxy)


@dataclass(frozen=True)
class Part:
    """Regions of one level with the same number of taps."""

    level: int
    regions: Tensor  # (n,) int64, positions among the N
    count_yx: tuple[int, int]  # taps, or samples, of a bin down and across


def table_of(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B*H*W, C), a view where the features are channels-last; float32 at the least."""
    if features.dtype in (torch.float16, torch.bfloat16):
        features = features.float()
    batch, channels, height, width = features.shape
    if features.is_contiguous(memory_format=torch.channels_last):
        return features.permute(0, 2, 3, 1).reshape(-1, channels)
    table = features.new_empty(batch, height * width, channels)
    for image, rows in zip(features, table, strict=True):
        rows.copy_(image.flatten(1).t())  # three times as fast as permuting all images
    return table.view(-1, channels)


def features_of(table: Tensor, shape: torch.Size) -> Tensor:
    """(B*H*W, C) -> (B, C, H, W), channels-last: a view."""
    batch, channels, height, width = shape
    return table.view(batch, height, width, channels).permute(0, 3, 1, 2)


def make_parts(level: Tensor, count_yx: Tensor, limit: int) -> list[Part]:
    """Regions (N,), (N, 2) by level and count; in a part at most `limit` times the product of the count."""
    key = (level << 42) | (count_yx[:, 0] << 21) | count_yx[:, 1]
    order = torch.argsort(key, stable=True)
    keys, sizes = torch.unique_consecutive(key[order], return_counts=True)
    parts: list[Part] = []
    for value, members in zip(keys.tolist(), torch.split(order, sizes.tolist()), strict=True):
        count = (value >> 21) & 0x1FFFFF, value & 0x1FFFFF
        chunks = torch.split(members, max(1, limit // (count[0] * count[1])))
        parts += [Part(value >> 42, chunk, count) for chunk in chunks]
    return parts


def round_up(count: Tensor) -> Tensor:
    """Counts rounded up to 1, 2, 3, 4, 6, 8, 12, 16, 24, ..., so that there are few different ones."""
    power = torch.exp2(torch.log2(count.clamp(min=1).double()).ceil()).long()
    return torch.where(count * 4 <= power * 3, power * 3 // 4, power).clamp(min=1)


def first_rows(image_index: Tensor, feature_hw: tuple[int, int]) -> Tensor:
    """Row of the table where the map of each region's image begins, (n, 1, 1)."""
    return (image_index * (feature_hw[0] * feature_hw[1]))[:, None, None].int()
