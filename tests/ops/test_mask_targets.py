from __future__ import annotations

import pytest
import torch
from torch import Tensor

from amidst.ops.mask_targets import grid_means


def slow(mask: Tensor, square: list[float], cells: int, parts: int = 40) -> Tensor:
    """The same by many points in each cell."""
    x0, y0, x1, y1 = square
    steps = (torch.arange(cells * parts) + 0.5) / (cells * parts)
    columns, rows = (x0 + (x1 - x0) * steps).floor().long(), (y0 + (y1 - y0) * steps).floor().long()
    height, width = mask.shape
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    values = mask[rows.clamp(0, height - 1)][:, columns.clamp(0, width - 1)] & inside
    return values.float().view(cells, parts, cells, parts).mean(dim=(1, 3))


def test_no_squares() -> None:
    masks = torch.zeros(0, 4, 5, dtype=torch.bool)
    found = grid_means(masks, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), 14)
    assert found.shape == (0, 14, 14)


@pytest.mark.parametrize(
    ("square", "expected"),
    [
        ([0.0, 0.0, 4.0, 4.0], [[1.0, 0.0], [0.0, 0.0]]),
        ([1.0, 1.0, 3.0, 3.0], [[1.0, 0.0], [0.0, 0.0]]),
        ([0.5, 0.5, 3.5, 3.5], [[1.0, 0.0], [0.0, 0.0]]),
        ([1.0, 0.0, 5.0, 4.0], [[0.5, 0.0], [0.0, 0.0]]),
        ([-2.0, -2.0, 2.0, 2.0], [[0.0, 0.0], [0.0, 1.0]]),
        ([-9.0, -9.0, -1.0, -1.0], [[0.0, 0.0], [0.0, 0.0]]),
        ([1.5, 1.5, 2.5, 2.5], [[1.0, 0.0], [0.0, 0.0]]),
    ],
    ids=["whole", "inner", "fractions", "shifted", "over the corner", "outside", "inside a pixel"],
)
def test_a_filled_quarter(square: list[float], expected: list[list[float]]) -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2, :2] = True
    found = grid_means(mask, torch.tensor([0]), torch.tensor([square]), 2)
    torch.testing.assert_close(found[0], torch.tensor(expected))


@pytest.mark.parametrize("cells", [1, 7, 14])
def test_it_is_the_mean_over_each_cell(cells: int) -> None:
    generator = torch.Generator().manual_seed(3)
    masks = torch.rand(3, 37, 53, generator=generator) > 0.6
    index = torch.tensor([2, 0, 1, 1])
    squares = [
        [3.3, 4.1, 30.7, 31.5],
        [-8.2, 10.0, 20.3, 38.5],
        [40.0, 20.0, 70.0, 50.0],
        [10.2, 10.4, 11.0, 11.2],
    ]
    found = grid_means(masks, index, torch.tensor(squares), cells)
    for means, mask, square in zip(found, masks[index], squares, strict=True):
        torch.testing.assert_close(means, slow(mask, square, cells), atol=0.06, rtol=0)


def test_a_large_mask_is_counted_exactly() -> None:
    mask = torch.ones(1, 3000, 4000, dtype=torch.bool)
    found = grid_means(mask, torch.tensor([0]), torch.tensor([[2000.0, 1000.0, 2007.0, 1007.0]]), 7)
    torch.testing.assert_close(found[0], torch.ones(7, 7))
