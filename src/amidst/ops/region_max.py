"""RoI max pooling (for `regions`; thesis map F.5b). Shapes: see `region_parts`.

The corners are rounded to cells, both inclusive, so a region is h x w whole cells, at least 1 x 1. Bin r
covers the rows floor(r * h / p) to ceil((r + 1) * h / p) of them, likewise columns, cut at the border of the
map. A bin shorter than the longest of its part reads its last cell again, which changes no maximum.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from amidst.ops.region_parts import Part, Regions, first_rows, joined, make_parts, round_up

_NUMBERS = 1 << 20  # read at once: they shall stay in the cache


def max_pool(tables: list[Tensor], regions: Regions) -> Tensor:
    """Tables (R, C) of each level -> (N, p*p, C)."""
    result: Tensor = _MaxPool.apply(regions, *tables)  # type: ignore[no-untyped-call]
    return result


class _MaxPool(torch.autograd.Function):
    """The gradient goes to the first cell that has the maximum."""

    @staticmethod
    def forward(ctx: FunctionCtx, regions: Regions, *tables: Tensor) -> Tensor:
        bins, channels = regions.size**2, tables[0].shape[1]
        parts = _parts(regions, channels)
        learn = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        pooled, cells = [], []
        for part in parts:
            index, empty = _taps(regions, part)  # (n*p*p, K), (n*p*p, 1)
            table = tables[part.level]
            read = table.index_select(0, index.flatten()).view(*index.shape, channels)
            if learn:
                values, tap = read.max(dim=1)  # each (n*p*p, C)
                cells.append(index.gather(1, tap).masked_fill_(empty, -1).view(-1, bins, channels))
            else:
                values = read.amax(dim=1)
            pooled.append(values.masked_fill_(empty, 0).view(-1, bins, channels))
        if not pooled:
            pooled = cells = [tables[0].new_zeros((0, bins, channels))]
        if learn:
            ctx.regions, ctx.rows = regions, [len(table) for table in tables]  # type: ignore[attr-defined]
            ctx.save_for_backward(joined(parts, cells, len(regions)).long())
        return joined(parts, pooled, len(regions))

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (cells,) = ctx.saved_tensors  # type: ignore[attr-defined]
        regions: Regions = ctx.regions  # type: ignore[attr-defined]
        channels = grad.shape[2]
        grad = grad.masked_fill(cells < 0, 0)
        cells = cells.clamp(min=0)
        grads = []
        for level, rows in enumerate(ctx.rows):  # type: ignore[attr-defined]
            here = (regions.level == level).nonzero()[:, 0]
            grads.append(
                grad.new_zeros(rows, channels).scatter_add_(
                    0, cells[here].view(-1, channels), grad[here].view(-1, channels)
                )
            )
        return None, *grads


def _parts(regions: Regions, channels: int) -> list[Part]:
    strides = regions.boxes_xyxy.new_tensor(regions.strides)[regions.level]
    sides = _cells(regions.boxes_xyxy, strides[:, None])[1]  # (N, 2)
    longest = round_up(-(-sides // regions.size) + 1)  # one more where a bin begins and ends inside cells
    return make_parts(regions.level, longest, _NUMBERS // (channels * regions.size**2))


def _cells(boxes_xyxy: Tensor, stride: Tensor | float) -> tuple[Tensor, Tensor]:
    """First cell and number of cells (n, 2) as y, x; .5 is rounded away from zero."""
    scaled = (boxes_xyxy.flip(1) * (1 / stride)).nan_to_num(0, 0, 0)  # y2, x2, y1, x1
    corners = (scaled.sign() * (scaled.abs() + 0.5).floor()).long()
    return corners[:, 2:], (corners[:, :2] - corners[:, 2:] + 1).clamp(min=1)


def _taps(regions: Regions, part: Part) -> tuple[Tensor, Tensor]:
    """Rows of the table (n*p*p, K) and which bins have none (n*p*p, 1)."""
    height, width = regions.features_hw[part.level]
    start, sides = _cells(regions.boxes_xyxy[part.regions], regions.strides[part.level])
    y, empty_y = _axis(start[:, 0], sides[:, 0], regions.size, part.count_yx[0], height)
    x, empty_x = _axis(start[:, 1], sides[:, 1], regions.size, part.count_yx[1], width)
    y = y * width + first_rows(regions.image_index[part.regions], (height, width))[:, None, None]
    index = y[:, :, None, :, None] + x[:, None, :, None, :]  # (n, p, p, K y, K x)
    empty = empty_y[:, :, None] | empty_x[:, None, :]
    return index.flatten(3).flatten(0, 2), empty.view(-1, 1)


def _axis(start: Tensor, side: Tensor, size: int, count: int, extent: int) -> tuple[Tensor, Tensor]:
    """Cells (n, p, count) that the bins read along one axis, and which bins (n, p) lie outside the map."""
    bins = torch.arange(size, device=start.device)
    start, side = start[:, None], side[:, None]
    first = (start + bins * side // size).clamp(0, extent)
    end = (start - (-(bins + 1) * side // size)).clamp(0, extent)
    k = torch.arange(count, device=start.device)
    cells = torch.minimum(first[:, :, None] + k, end[:, :, None] - 1)
    return cells.clamp_(0, extent - 1), end <= first
