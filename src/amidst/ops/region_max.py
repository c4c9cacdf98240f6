"""RoI max pooling (for `regions`; thesis map F.5b). Shapes: see `region_parts`.

The corners are rounded to cells, both inclusive, so a region is h x w whole cells, at least 1 x 1. Bin r
covers the rows floor(r * h / p) to ceil((r + 1) * h / p) of them, likewise columns, cut at the border of the
map. A bin shorter than the longest of its part reads its last cell again, which changes no maximum.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

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


def max_pool(features: Sequence[Tensor], regions: Regions) -> Tensor:
    """Maps (B, C, H, W) of each level -> (N, p*p, C)."""
    result: Tensor = _MaxPool.apply(regions, *features)  # type: ignore[no-untyped-call]
    return result


class _MaxPool(torch.autograd.Function):
    """The gradient goes to the cell that has the maximum, which is remembered if there will be one."""

    @staticmethod
    def forward(ctx: FunctionCtx, regions: Regions, *features: Tensor) -> Tensor:
        tables = [table_of(each) for each in features]
        shape = len(regions), regions.size**2, tables[0].shape[1]
        learn = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        pooled = tables[0].new_empty(shape)
        cells = torch.empty(shape if learn else 0, dtype=torch.int64, device=pooled.device)
        for part in make_parts(regions.level, _longest(regions), TAPS // shape[1]):
            index, empty = _taps(regions, part)  # (n*p*p, K), (n*p*p, 1)
            values, chosen = _maxima(tables[part.level], index, learn)  # each (n*p*p, C)
            pooled.index_copy_(0, part.regions, values.masked_fill_(empty, 0).view(-1, *shape[1:]))
            if learn:
                cells.index_copy_(0, part.regions, chosen.masked_fill_(empty, -1).view(-1, *shape[1:]))
        ctx.save_for_backward(cells, regions.level)
        ctx.shapes = [each.shape for each in features]  # type: ignore[attr-defined]
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        cells, level = ctx.saved_tensors  # type: ignore[attr-defined]
        channels = grad.shape[2]
        grad = grad.masked_fill(cells < 0, 0)
        cells = cells.clamp(min=0)
        grads = []
        for number, shape in enumerate(ctx.shapes):  # type: ignore[attr-defined]
            here = (level == number).nonzero()[:, 0]
            into, values = cells[here].view(-1, channels), grad[here].view(-1, channels)
            table = grad.new_zeros(shape[0] * shape[2] * shape[3], channels)
            grads.append(features_of(table.scatter_add_(0, into, values), shape))
        return None, *grads


def _maxima(table: Tensor, index: Tensor, learn: bool) -> tuple[Tensor, Tensor]:
    """Of rows (M, K) of a table (R, C): the maxima (M, C), and the rows that have them (M, C) to learn."""
    (count, taps), channels = index.shape, table.shape[1]
    numbers = 1 << (20 if table.device.type == "cpu" else 26)  # read at once: 4 MB stay in the cache
    step = max(1, numbers // (taps * channels))
    values = table.new_empty(count, channels)
    chosen = torch.empty(values.shape if learn else 0, dtype=torch.int64, device=table.device)
    buffer = table.new_empty(min(step, count) * taps, channels)
    for at in range(0, count, step):
        rows = index[at : at + step]
        read = torch.index_select(table, 0, rows.flatten(), out=buffer[: rows.numel()]).view(
            -1, taps, channels
        )
        if learn:
            values[at : at + step], tap = read.max(dim=1)
            chosen[at : at + step] = rows.gather(1, tap)
        else:
            torch.amax(read, dim=1, out=values[at : at + step])
    return values, chosen


def _longest(regions: Regions) -> Tensor:
    """Cells of a region's longest bin, down and across, rounded up: (N, 2)."""
    strides = regions.boxes_xyxy.new_tensor(regions.strides)[regions.level]
    extents = torch.tensor(regions.features_hw, device=regions.level.device)[regions.level]  # (N, 2)
    start, sides = _cells(regions.boxes_xyxy, strides[:, None])
    first, end = _bounds(start.flatten(), sides.flatten(), regions.size, extents.flatten()[:, None])
    return round_up((end - first).amax(dim=1).view(-1, 2))


def _cells(boxes_xyxy: Tensor, stride: Tensor | float) -> tuple[Tensor, Tensor]:
    """First cell and number of cells (n, 2) as y, x; .5 is rounded away from zero."""
    scaled = (boxes_xyxy.flip(1) * (1 / stride)).nan_to_num(0).clamp(-1e9, 1e9)  # y2, x2, y1, x1
    corners = (scaled.sign() * (scaled.abs() + 0.5).floor()).long()
    return corners[:, 2:], (corners[:, :2] - corners[:, 2:] + 1).clamp(min=1)


def _bounds(start: Tensor, side: Tensor, size: int, extent: int | Tensor) -> tuple[Tensor, Tensor]:
    """First cell of each bin along one axis and the one after its last, (n, p), cut at the border."""
    bins = torch.arange(size, device=start.device)
    start, side = start[:, None], side[:, None]
    first = start + bins * side // size
    end = start - (-(bins + 1) * side // size)
    return first.clamp(min=0).clamp(max=extent), end.clamp(min=0).clamp(max=extent)


def _taps(regions: Regions, part: Part) -> tuple[Tensor, Tensor]:
    """Rows of the table (n*p*p, K) and which bins have none (n*p*p, 1)."""
    height, width = regions.features_hw[part.level]
    start, sides = _cells(regions.boxes_xyxy[part.regions], regions.strides[part.level])
    y, empty_y = _axis(start[:, 0], sides[:, 0], regions.size, part.count_yx[0], height)
    x, empty_x = _axis(start[:, 1], sides[:, 1], regions.size, part.count_yx[1], width)
    y = y * width + first_rows(regions.image_index[part.regions], (height, width))
    index = y[:, :, None, :, None] + x[:, None, :, None, :]  # (n, p, p, K y, K x)
    empty = empty_y[:, :, None] | empty_x[:, None, :]
    return index.flatten(3).flatten(0, 2), empty.view(-1, 1)


def _axis(start: Tensor, side: Tensor, size: int, count: int, extent: int) -> tuple[Tensor, Tensor]:
    """Cells (n, p, count) that the bins read along one axis, and which bins (n, p) lie outside the map."""
    first, end = _bounds(start, side, size, extent)
    cells = torch.minimum(first[:, :, None] + torch.arange(count, device=first.device), end[:, :, None] - 1)
    return cells.clamp_(0, extent - 1).int(), end <= first
