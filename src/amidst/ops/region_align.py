"""RoIAlign as a sparse matrix product (for `regions`; thesis map F.5b). Shapes: see `region_parts`.

A bin is the mean of bilinear samples, so it is a weighted sum of cells: pooled = S @ table, with one row of
S for each bin. The weight of a cell is the product of its weights down and across, hence index and weight of
all taps are outer products of two small arrays. `embedding_bag` is this product: it reads each cell's C
numbers once and adds them up in registers. The gradient is the product with S transposed: the same taps
sorted by cell, summed by the same operation, in a fixed order. S is made again for it, which takes less than
keeping it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from amidst.ops.region_parts import (
    TAPS,
    Part,
    Regions,
    features_of,
    first_rows,
    make_parts,
    round_up,
    table_of,
)


@dataclass(frozen=True)
class Lattice:
    """Where the samples of regions lie."""

    regions: Regions
    sampling: int  # samples of a bin in each direction; 0: as many as cells, rounded up
    aligned: bool


def align(features: Sequence[Tensor], lattice: Lattice) -> Tensor:
    """Maps (B, C, H, W) of each level -> (N, p*p, C)."""
    result: Tensor = _Align.apply(lattice, *features)  # type: ignore[no-untyped-call]
    return result


class _Align(torch.autograd.Function):
    """The product with S, and with S transposed for the gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, lattice: Lattice, *features: Tensor) -> Tensor:
        ctx.lattice, ctx.shapes = lattice, [each.shape for each in features]  # type: ignore[attr-defined]
        tables = [table_of(each) for each in features]
        count, bins, channels = len(lattice.regions), lattice.regions.size**2, tables[0].shape[1]
        pooled = tables[0].new_empty((count, bins, channels))
        for part in _parts(lattice, TAPS):
            index, weight = _taps(lattice, part)
            sums = functional.embedding_bag(index, tables[part.level], per_sample_weights=weight, mode="sum")
            pooled.index_copy_(0, part.regions, sums.view(-1, bins, channels))
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        lattice: Lattice = ctx.lattice  # type: ignore[attr-defined]
        bins, channels = lattice.regions.size**2, grad.shape[2]
        shapes: list[torch.Size] = ctx.shapes  # type: ignore[attr-defined]
        rows = [shape[0] * shape[2] * shape[3] for shape in shapes]
        grad = grad.reshape(-1, channels)  # (N*p*p, C)
        grads: list[Tensor | None] = [None] * len(rows)
        for part in _parts(lattice, 4 * TAPS):
            index, weight = _taps(lattice, part)
            cells, order = index.flatten().sort(stable=True)
            starts = torch.searchsorted(
                cells, torch.arange(rows[part.level] + 1, dtype=torch.int32, device=cells.device)
            )
            bags = order // index.shape[1]  # (n*p*p*K,), bins of this part
            bags = part.regions[bags // bins] * bins + bags % bins
            sums = functional.embedding_bag(
                bags,
                grad,
                starts,
                per_sample_weights=weight.flatten()[order],
                mode="sum",
                include_last_offset=True,
            )
            before = grads[part.level]
            grads[part.level] = sums if before is None else before.add_(sums)
        filled = (grad.new_zeros(n, channels) if g is None else g for g, n in zip(grads, rows, strict=True))
        return None, *map(features_of, filled, shapes)


def _parts(lattice: Lattice, taps: int) -> list[Part]:
    regions = lattice.regions
    if lattice.sampling > 0:
        counts = torch.full_like(regions.level, lattice.sampling)[:, None].expand(-1, 2)
    else:
        strides = regions.boxes_xyxy.new_tensor(regions.strides)[regions.level]
        counts = round_up(_adaptive(_bins(lattice, regions.boxes_xyxy, strides)[1]))
    return make_parts(regions.level, counts, taps // (4 * regions.size**2))


def _bins(lattice: Lattice, boxes_xyxy: Tensor, stride: Tensor | float) -> tuple[Tensor, Tensor]:
    """Start and length of a bin in cells, each (n, 2) as y, x; boxes (n, 4), stride (n,) or one for all."""
    scale = 1 / (stride[:, None] if isinstance(stride, Tensor) else stride)
    corners = boxes_xyxy.flip(1) * scale - (0.5 if lattice.aligned else 0.0)  # y2, x2, y1, x1
    start = corners[:, 2:]
    sides = corners[:, :2] - start
    if not lattice.aligned:
        sides = sides.clamp(min=1)
    return start, sides / lattice.regions.size


def _adaptive(bin_yx: Tensor) -> Tensor:
    """Samples of a bin (n, 2) in each direction; 0 for an empty box or one that is not finite."""
    return bin_yx.nan_to_num(0, 0, 0).ceil().clamp(min=0).long()


def _taps(lattice: Lattice, part: Part) -> tuple[Tensor, Tensor]:
    """Rows of the table and their weights, each (n*p*p, K), K = 4 * samples of a bin."""
    regions = lattice.regions
    height, width = regions.features_hw[part.level]
    start, bin_yx = _bins(lattice, regions.boxes_xyxy[part.regions], regions.strides[part.level])
    samples = torch.full_like(bin_yx, lattice.sampling).long() if lattice.sampling > 0 else _adaptive(bin_yx)
    y, weight_y = _axis(start[:, 0], bin_yx[:, 0], samples[:, 0], regions.size, part.count_yx[0], height)
    x, weight_x = _axis(start[:, 1], bin_yx[:, 1], samples[:, 1], regions.size, part.count_yx[1], width)
    y = y * width + first_rows(regions.image_index[part.regions], (height, width))
    index = y[:, :, None, :, None] + x[:, None, :, None, :]  # (n, p, p, 2 * count y, 2 * count x)
    weight = weight_y[:, :, None, :, None] * weight_x[:, None, :, None, :]
    taps = 4 * part.count_yx[0] * part.count_yx[1]
    return index.view(-1, taps), weight.view(-1, taps)


def _axis(
    start: Tensor, length: Tensor, samples: Tensor, size: int, count: int, extent: int
) -> tuple[Tensor, Tensor]:
    """Cells and weights along one axis, each (n, p, 2 * count), from (n,) starts, bin lengths and samples.

    Sample k of bin b lies at start + b * length + (k + .5) * length / samples and is shared between the cells
    before and after it. From -1 to 0 and from extent - 1 to extent it takes the cell at the border; further
    out it is 0. Where a region has fewer samples than `count`, the rest have weight 0.
    """
    start, length, samples = start[:, None, None], length[:, None, None], samples[:, None, None]
    bins = torch.arange(size, device=start.device, dtype=start.dtype)[:, None]
    k = torch.arange(count, device=start.device, dtype=start.dtype)
    at = start + bins * length + (k + 0.5) * length / samples  # (n, p, count)
    counted = (at >= -1) & (at <= extent) & (k < samples)
    at = torch.where(counted, at.clamp(0, extent - 1), 0)
    low = at.floor()
    share = (at - low) * counted / samples.clamp(min=1)
    weight = torch.stack((counted / samples.clamp(min=1) - share, share), dim=-1)
    low = low.int()
    cells = torch.stack((low, (low + 1).clamp(max=extent - 1)), dim=-1)
    return cells.flatten(2), weight.flatten(2)
