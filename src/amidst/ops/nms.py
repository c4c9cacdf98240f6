"""Greedy non-maximum suppression (thesis map 0.5), exact, in tensor operations only.

Shapes: N boxes, n boxes of a block, M boxes kept of a block, C classes side by side. Boxes travel as five
columns (5, N): x1, y1, x2, y2, area.

The rule: in descending order of score (equal scores in input order), a box is kept unless its IoU with a box
kept before is strictly greater than the threshold.

The sorted boxes are taken in blocks. Inside a block, with S[i, j] = "i comes before j and overlaps it too
much", the kept set is the only solution of

    keep[j] = not any_i (keep[i] and S[i, j])

It is found by applying the right-hand side to "all" until nothing changes: after t rounds the first t boxes
are settled, and in practice all are after as many rounds as the longest chain of suppressions, a handful.
Then the kept boxes of the block suppress among all that follow, one (M, n) overlap matrix at a time, and the
next block is cut from what is left. The first block is smaller: where boxes crowd, it removes most others.

The overlaps are computed without comparisons, as the excess of the intersection over threshold * union: a
comparison costs ten times an addition on a CPU (it writes bytes from floats). They are computed in tiles that
fit the cache; memory is bounded by the tile, not by N^2.

By class, the small classes are settled side by side, one block each, padded to the same length.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LARGEST_SMALL_CLASS = 180  # boxes of a class that is settled side by side with others
_TILE = 180 * 180  # overlaps computed at once; see _sizes


def nms(boxes_xyxy: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Indices of the kept boxes of (N, 4), (N,), by descending score."""
    order = torch.argsort(scores, descending=True, stable=True)
    return order[_greedy(_columns(boxes_xyxy[order]), _threshold(iou))]


def nms_by_class(boxes_xyxy: Tensor, scores: Tensor, class_index: Tensor, iou: float) -> Tensor:
    """As `nms`, where only boxes of the same class (N,) suppress each other."""
    order = torch.argsort(scores, descending=True, stable=True)
    by_class = torch.argsort(class_index[order], stable=True)  # by class, inside a class by descending score
    columns = _columns(boxes_xyxy[order[by_class]])
    threshold = _threshold(iou)
    sizes = torch.unique_consecutive(class_index[order[by_class]], return_counts=True)[1].tolist()
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    kept = [torch.zeros(0, dtype=torch.int64, device=columns.device)]
    small = sorted(
        (size, start) for size, start in zip(sizes, starts, strict=False) if size <= _LARGEST_SMALL_CLASS
    )
    kept.extend(_settle_side_by_side(columns, group, threshold) for group in _groups(small))
    for size, start in zip(sizes, starts, strict=False):
        if size > _LARGEST_SMALL_CLASS:
            kept.append(start + _greedy(columns[:, start : start + size], threshold))
    keep = torch.zeros_like(order, dtype=torch.bool)
    keep[by_class[torch.cat(kept)]] = True
    return order[keep]


def _columns(boxes_xyxy: Tensor) -> Tensor:
    """(N, 4) -> (5, N). A box that is not finite becomes an empty one, which suppresses nothing."""
    if boxes_xyxy.dtype not in (torch.float32, torch.float64):
        boxes_xyxy = boxes_xyxy.float()
    x1, y1, x2, y2 = boxes_xyxy.unbind(1)
    columns = torch.stack((x1, y1, x2, y2, (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)))
    return columns.masked_fill_(~columns.sum(dim=0).isfinite(), 0)


def _threshold(iou: float) -> float:
    """The threshold, rounded up to float32, so that an IoU equal to it in whole pixels never exceeds it."""
    rounded = torch.tensor(iou, dtype=torch.float32)
    if float(rounded) < iou:
        rounded = torch.nextafter(rounded, torch.tensor(torch.inf))
    return float(rounded)


def _greedy(columns: Tensor, threshold: float) -> Tensor:
    """Positions kept among boxes (5, N) sorted by descending score, ascending."""
    size, largest, tile = _sizes(columns.device)
    positions = torch.arange(columns.shape[1], device=columns.device)
    alive = torch.ones_like(positions, dtype=torch.bool)
    kept = [positions[:0]]
    while len(positions):
        settled = _settle(columns[:, :size], alive[:size], threshold).nonzero().squeeze(1)  # (M,)
        kept.append(positions[settled])
        rows = columns[:, settled]  # (5, M)
        columns, positions, alive = columns[:, size:], positions[size:], alive[size:]
        size = min(2 * size, largest)
        if not len(settled) or not len(positions):
            continue  # nothing that suppresses, or nothing left to suppress
        parts = torch.split(columns, tile // len(settled), dim=1)
        suppressed = [_excess(rows, part, threshold).amax(dim=0) > 0 for part in parts]
        alive = alive & ~torch.cat(suppressed)
        if int(alive.sum()) < 0.8 * len(alive):
            left = alive.nonzero().squeeze(1)
            columns, positions, alive = columns[:, left], positions[left], alive[left]
    return torch.cat(kept)


def _sizes(device: torch.device) -> tuple[int, int, int]:
    """Boxes in the first block and in the largest, overlaps computed at once.

    The buffers shall stay in the cache. Beyond 32,767 numbers torch shares an operation among its threads,
    which on pieces this small wait for each other longer than they work, and far longer on a busy machine. An
    accelerator wants few, large steps: each one costs a launch, and each block a wait.
    """
    if device.type != "cpu":
        return 2048, 2048, 1 << 24
    return (128, 256, 1 << 16) if torch.get_num_threads() == 1 else (128, 180, _TILE)


def _groups(small: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Classes (size, start), ascending by size, in groups of similar size with at most a tile of overlaps."""
    groups: list[list[tuple[int, int]]] = []
    for size, start in small:
        last = groups[-1] if groups else []
        if last and size <= max(8, 2 * last[0][0]) and (len(last) + 1) * size * size <= _TILE:
            last.append((size, start))
        else:
            groups.append([(size, start)])
    return groups


def _settle_side_by_side(columns: Tensor, group: list[tuple[int, int]], threshold: float) -> Tensor:
    """Positions kept of C classes, each the slice (size, start) of boxes (5, N) sorted by score."""
    longest = max(size for size, _ in group)
    sizes, starts = torch.tensor(group, device=columns.device)[:, :, None].unbind(1)  # each (C, 1)
    offsets = torch.arange(longest, device=columns.device)  # (n,)
    inside = offsets < sizes  # (C, n)
    index = (starts + offsets).clamp_(max=columns.shape[1] - 1)  # (C, n)
    padded = columns[:, index].masked_fill_(~inside, 0)  # (5, C, n): an empty box overlaps nothing
    return index[_settle(padded, inside, threshold)]


def _settle(columns: Tensor, alive: Tensor, threshold: float) -> Tensor:
    """Which boxes of a block (5, ..., n), or of several side by side, are kept among the alive (..., n)."""
    suppresses = _excess(columns, columns, threshold).clamp_(min=0).triu_(diagonal=1)  # (..., n, n)
    keep = candidates = alive.to(columns.dtype)
    while True:
        blows = torch.matmul(keep[..., None, :], suppresses).squeeze(-2)  # (..., n): 0 where nothing hits
        following = candidates.masked_fill(blows > 0, 0)
        if torch.equal(following, keep):
            return keep > 0
        keep = following


def _excess(rows: Tensor, columns: Tensor, threshold: float) -> Tensor:
    """Intersection - threshold * union of boxes (5, ..., M) and (5, ..., n) -> (..., M, n).

    Positive where IoU > threshold. Only the width is clamped at zero: a negative height alone makes the
    product negative, as it should be.
    """
    ax1, ay1, ax2, ay2, a_area = rows[..., :, None]
    bx1, by1, bx2, by2, b_area = columns[..., None, :]
    inter = torch.minimum(ax2, bx2).sub_(torch.maximum(ax1, bx1)).clamp_(min=0)
    inter.mul_(torch.minimum(ay2, by2).sub_(torch.maximum(ay1, by1)))
    union = (a_area + b_area).sub_(inter)
    return inter.sub_(union.mul_(threshold))
