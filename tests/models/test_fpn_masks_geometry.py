from __future__ import annotations

import pytest
import torch

from amidst.models.fpn_masks_geometry import (
    Slot,
    cell_squares,
    match_cells,
    rows_and_columns,
    slot_of,
    slot_of_cell,
    slots_of,
)

STRIDES = (4, 8, 16, 32, 64)
SIZES = [(48, 64), (24, 32), (12, 16), (6, 8), (3, 4)]  # of an image of 192 x 256


def dual() -> list[Slot]:
    return slots_of((5, 7), STRIDES, SIZES)


def box(cx: float, cy: float, side: float, other: float | None = None) -> list[float]:
    other = side if other is None else other
    return [cx - side / 2, cy - other / 2, cx + side / 2, cy + other / 2]


def test_scales_are_half_octaves() -> None:
    scales = [slot.scale for slot in dual()]
    assert scales == pytest.approx([32 * 2 ** (q / 2) for q in range(10)])
    assert scales[-1] == pytest.approx(724.1, abs=0.1)


@pytest.mark.parametrize(("window", "first"), [(5, 32.0), (7, 45.2548)])
def test_one_network_takes_whole_octaves(window: int, first: float) -> None:
    scales = [slot.scale for slot in slots_of((window,), STRIDES, SIZES)]
    assert scales == pytest.approx([first * 2**level for level in range(5)], rel=1e-4)


def test_cells_are_counted_through_the_slots() -> None:
    slots = dual()
    assert slots[0].begin == 0
    assert [slot.begin for slot in slots[1:]] == [slot.end for slot in slots[:-1]]
    assert slots[-1].end == 2 * sum(h * w for h, w in SIZES)
    assert [(slot.level, slot.window) for slot in slots[:3]] == [(0, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("side", "level", "window"),
    [
        (4, 0, 0),
        (32, 0, 0),
        (38, 0, 0),  # below 32 * 2^(1/4) = 38.05
        (38.1, 0, 1),
        (45.3, 0, 1),
        (53.9, 1, 0),
        (64, 1, 0),
        (128, 2, 0),
        (724, 4, 1),
        (3000, 4, 1),
    ],
)
def test_an_object_goes_to_the_nearest_scale(side: float, level: int, window: int) -> None:
    slots = dual()
    found = slots[int(slot_of(torch.tensor([box(0, 0, side, side / 3)]), slots)[0])]
    assert (found.level, found.window) == (level, window)


def test_no_objects_match_no_cells() -> None:
    cells, owners = match_cells(torch.zeros(0, 4), dual())
    assert cells.shape == owners.shape == (0,)


@pytest.mark.parametrize(
    ("cx", "cy", "columns", "rows"),
    [
        (64, 64, {15, 16}, {15, 16}),  # on a corner of four cells: all lie 2 px off
        (66, 66, {15, 16, 17}, {15, 16, 17}),  # on a cell's location: its neighbours lie 4 px off
        (65, 66, {15, 16}, {15, 16, 17}),
        (1, 1, {0}, {0}),
        (255, 191, {63}, {47}),
    ],
)
def test_cells_within_one_stride_of_the_centre(cx: int, cy: int, columns: set[int], rows: set[int]) -> None:
    slots = dual()
    cells, owners = match_cells(torch.tensor([box(cx, cy, 32)]), slots)
    assert set(slot_of_cell(cells, slots).tolist()) == {0}
    row, column = rows_and_columns(cells, slots[0])
    assert set(column.tolist()) == columns
    assert set(row.tolist()) == rows
    assert len(cells) == len(columns) * len(rows)
    assert owners.tolist() == [0] * len(cells)


def test_of_two_objects_the_nearer_centre_then_the_smaller() -> None:
    slots = dual()
    large, small = box(64, 64, 33), box(64, 64, 30)
    far = box(66, 64, 31)
    cells, owners = match_cells(torch.tensor([large, small, far]), slots)
    row, column = rows_and_columns(cells, slots[0])
    of = {(c, r): o for c, r, o in zip(column.tolist(), row.tolist(), owners.tolist(), strict=True)}
    assert of[15, 15] == 1  # 62: 2 px from the first two, 4 from the third
    assert of[16, 15] == 2  # 66: on the third's centre
    assert len(cells) == len(set(cells.tolist()))
    assert cells.tolist() == sorted(cells.tolist())


def test_matching_agrees_with_its_definition() -> None:
    slots = dual()
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(12, 2, generator=generator) * torch.tensor([256.0, 192.0])
    sides = torch.exp2(torch.rand(12, 2, generator=generator) * 5 + 3)
    boxes = torch.cat((centre - sides / 2, centre + sides / 2), dim=1)
    found = dict(zip(*(values.tolist() for values in match_cells(boxes, slots)), strict=True))
    assigned = slot_of(boxes, slots).tolist()
    expected: dict[int, int] = {}
    for number, slot in enumerate(slots):
        for row in range(slot.size_hw[0]):
            for column in range(slot.size_hw[1]):
                x, y = (column + 0.5) * slot.stride, (row + 0.5) * slot.stride
                near = []
                for g, (cx, cy) in enumerate(((boxes[:, :2] + boxes[:, 2:]) / 2).tolist()):
                    if assigned[g] == number and max(abs(cx - x), abs(cy - y)) <= slot.stride:
                        near.append((((cx - x) ** 2 + (cy - y) ** 2), float(sides[g].prod()), g))
                if near:
                    expected[slot.begin + row * slot.size_hw[1] + column] = min(near)[2]
    assert found == expected


def test_squares_are_a_quarter_larger_than_the_scale() -> None:
    slots = dual()
    last = slots[-1]
    squares = cell_squares(torch.tensor([0, 65, last.begin]), slots)
    assert squares[0].tolist() == [2 - 20, 2 - 20, 2 + 20, 2 + 20]
    assert squares[1].tolist() == [6 - 20, 6 - 20, 6 + 20, 6 + 20]  # row 1, column 1 of P2
    assert (squares[2, 2:] - squares[2, :2]).tolist() == pytest.approx([905.1, 905.1], abs=0.1)
