"""Which cell of the pyramid proposes which object, and the square its mask fills (G, thesis section 4.6).

    scale      of an object: the longer side of its box
    slots      a window network on a level; slot q takes objects of about 32 * 2^(q / M) pixels, M networks:
               with windows of 5 and 7 cells (7 is about 5 * sqrt 2) half octaves, 32, 45, 64, ... 724
    assigned   an object goes to the slot nearest to its scale in octaves
    positive   cells whose location is within one cell of the centre of an object assigned to their slot, in x
               and in y; of several objects the one with the nearest centre, then the smaller
    square     a mask fills a square of 1.25 times the slot's scale around the cell's location

Cells are counted through all slots of an image: slots one after another, the cells of each row by row.

Shapes: Q slots, L levels, M window networks, G objects, N cells of all slots, P cells with an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

BASE_SCALE = 32.0  # pixels: the scale of 5 cells on P2
BASE_WINDOW = 5
PADDING = 1.25  # side of the square over the scale


@dataclass(frozen=True)
class Slot:
    """One window network on one pyramid level."""

    level: int  # place of the level in the pyramid, finest first
    window: int  # place of the network
    stride: int  # pixels between cells
    scale: float  # longer side of the objects it is made for, pixels
    size_hw: tuple[int, int]  # cells
    begin: int  # number of its first cell

    @property
    def end(self) -> int:
        """Number of the cell after its last."""
        return self.begin + self.size_hw[0] * self.size_hw[1]


def slots_of(
    windows: Sequence[int], strides: Sequence[int], sizes_hw: Sequence[tuple[int, int]]
) -> list[Slot]:
    """Slots (Q,) by ascending scale for levels of these strides and sizes, finest first."""
    cells = [height * width for height, width in sizes_hw]
    begins = [0, *accumulate(cells[level] for level in range(len(strides)) for _ in windows)]
    slots: list[Slot] = []
    for level, (stride, size_hw) in enumerate(zip(strides, sizes_hw, strict=True)):
        octave = BASE_SCALE * stride / strides[0]
        for window in range(len(windows)):
            # 7 stands for 5 * sqrt 2, so that the scales are exact half octaves.
            scale = (
                octave * 2 ** (window / len(windows)) if len(windows) > 1 else octave * _nominal(windows[0])
            )
            slots.append(Slot(level, window, stride, scale, size_hw, begins[len(slots)]))
    return slots


def _nominal(window: int) -> float:
    return 1.0 if window == BASE_WINDOW else 2**0.5


def slot_of(boxes_xyxy: Tensor, slots: Sequence[Slot]) -> Tensor:
    """Boxes (G, 4) -> the slot (G,) int64 nearest to each in octaves."""
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    per_octave = sum(slot.level == 0 for slot in slots)
    octaves = torch.log2(sides.amax(dim=1).clamp(min=1e-6) / slots[0].scale)
    return (octaves * per_octave).round().long().clamp(0, len(slots) - 1)


def cell_squares(cells: Tensor, slots: Sequence[Slot]) -> Tensor:
    """Cells (N,) -> the squares (N, 4) xyxy that their masks fill, in pixels; they may leave the image."""
    slot = slot_of_cell(cells, slots)
    row, column, stride = _places(cells, slot, slots)
    centre = torch.stack((column, row), dim=1) * stride[:, None] + stride[:, None] / 2  # (N, 2)
    half = PADDING / 2 * _column(slots, "scale", cells)[slot][:, None]
    return torch.cat((centre - half, centre + half), dim=1)


def slot_of_cell(cells: Tensor, slots: Sequence[Slot]) -> Tensor:
    """Cells (N,) -> the slot (N,) each belongs to."""
    ends = torch.tensor([slot.end for slot in slots], device=cells.device)
    return torch.bucketize(cells, ends, right=True)


def match_cells(boxes_xyxy: Tensor, slots: Sequence[Slot]) -> tuple[Tensor, Tensor]:
    """Objects (G, 4) -> cells with an object (P,), ascending, and the object (P,) of each."""
    device = boxes_xyxy.device
    slot = slot_of(boxes_xyxy, slots)  # (G,)
    stride = _column(slots, "stride", boxes_xyxy)[slot]
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2 / stride[:, None]  # (G, 2), in cells
    # Cell i lies at i + .5; within one cell of the centre are at most three each way.
    around = torch.tensor([-1, 0, 1], device=device)
    column = centre[:, :1].floor().long() + around  # (G, 3)
    row = centre[:, 1:].floor().long() + around
    off_x = (column + 0.5 - centre[:, :1]).abs()[:, None, :].expand(-1, 3, -1)  # (G, 3, 3)
    off_y = (row + 0.5 - centre[:, 1:]).abs()[:, :, None].expand(-1, -1, 3)
    height, width, begin = (_column(slots, name, slot)[slot] for name in ("height", "width", "begin"))
    column, row = column[:, None, :].expand(-1, 3, -1), row[:, :, None].expand(-1, -1, 3)
    near = (off_x <= 1) & (off_y <= 1)
    near &= (column >= 0) & (column < width[:, None, None]) & (row >= 0) & (row < height[:, None, None])
    cell = begin[:, None, None] + row * width[:, None, None] + column
    owner = torch.arange(len(boxes_xyxy), device=device)[:, None, None].expand_as(cell)
    distance = torch.hypot(off_x, off_y)[near] * stride[owner[near]]
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    return _first_of_each(cell[near], owner[near], distance, sides.prod(dim=1))


def _first_of_each(cell: Tensor, owner: Tensor, distance: Tensor, area: Tensor) -> tuple[Tensor, Tensor]:
    """Of the pairs (cell, owner) of each cell the one of least distance, then of the smallest owner."""
    order = torch.argsort(area[owner], stable=True)
    order = order[torch.argsort(distance[order], stable=True)]
    order = order[torch.argsort(cell[order], stable=True)]
    cell, owner = cell[order], owner[order]
    first = torch.ones_like(cell, dtype=torch.bool)
    first[1:] = cell[1:] != cell[:-1]
    return cell[first], owner[first]


def _places(cells: Tensor, slot: Tensor, slots: Sequence[Slot]) -> tuple[Tensor, Tensor, Tensor]:
    """Row, column and stride (N,) of cells whose slots are known."""
    width, begin = _column(slots, "width", cells)[slot], _column(slots, "begin", cells)[slot]
    inside = cells - begin
    return inside // width, inside % width, _column(slots, "stride", cells)[slot]


def _column(slots: Sequence[Slot], name: str, like: Tensor) -> Tensor:
    """One number of every slot (Q,), on the device of `like`."""
    values = {
        "stride": [slot.stride for slot in slots],
        "begin": [slot.begin for slot in slots],
        "height": [slot.size_hw[0] for slot in slots],
        "width": [slot.size_hw[1] for slot in slots],
        "scale": [slot.scale for slot in slots],
    }
    return torch.tensor(values[name], device=like.device)


def rows_and_columns(cells: Tensor, slot: Slot) -> tuple[Tensor, Tensor]:
    """Cells (N,) of one slot -> their rows and columns (N,) on its level."""
    inside = cells - slot.begin
    return inside // slot.size_hw[1], inside % slot.size_hw[1]
