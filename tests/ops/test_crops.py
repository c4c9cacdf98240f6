"""Square views: hand-worked places, and parity with torch's resampling."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from amidst.ops.crops import cut, view


def numbers(height: int, width: int) -> torch.Tensor:
    """0, 1, 2, ... row by row."""
    return torch.arange(height * width, dtype=torch.uint8).view(1, height, width)


def test_views_beside_the_image_are_empty() -> None:
    image = numbers(3, 4)
    for top, left in ((-9, 0), (0, -9), (9, 0), (0, 9), (-9, 9)):
        assert cut(image, top, left, 4, 200).tolist() == torch.full((1, 4, 4), 200).tolist()
        assert view(image, top, left, 4.0, 2).tolist() == torch.zeros(1, 2, 2).tolist()


@pytest.mark.parametrize(
    ("top", "left", "expected"),
    [
        (0, 1, [[1, 2], [5, 6]]),
        (-1, 0, [[99, 99], [0, 1]]),
        (2, 3, [[11, 99], [99, 99]]),
        (-1, -1, [[99, 99], [99, 0]]),
    ],
)
def test_a_cut_is_made_of_whole_pixels(top: int, left: int, expected: list[list[int]]) -> None:
    assert cut(numbers(3, 4), top, left, 2, 99)[0].tolist() == expected


def test_a_cut_larger_than_the_image_holds_it() -> None:
    found = cut(numbers(3, 4), -1, -2, 9, 99)
    assert found.shape == (1, 9, 9)
    assert torch.equal(found[:, 1:4, 2:6], numbers(3, 4))
    assert int((found == 99).sum()) == 81 - 12


def test_a_view_of_the_same_size_is_a_cut() -> None:
    image = torch.rand(2, 7, 9)
    assert torch.allclose(view(image, 2.0, 3.0, 4.0, 4), image[:, 2:6, 3:7])


def test_a_view_at_half_a_pixel_is_the_mean_of_neighbours() -> None:
    image = torch.tensor([[[0.0, 10.0, 30.0]]]).expand(1, 3, 3)
    assert view(image, 0.0, 0.5, 2.0, 2)[0].tolist() == [[5.0, 20.0], [5.0, 20.0]]


@pytest.mark.parametrize("size", [3, 5, 8, 13, 40])
def test_equals_torch_inside_the_image(size: int) -> None:
    """torch repeats the border pixel where a triangle leaves the view; away from it both are the same."""
    torch.manual_seed(0)
    image = torch.rand(3, 40, 40)
    found = view(image, 0.0, 0.0, 40.0, size)
    expected = F.interpolate(image[None], size=(size, size), mode="bilinear", antialias=True)[0]
    assert torch.allclose(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-5)


@pytest.mark.parametrize(("side", "size"), [(3.7, 16), (16.0, 5), (200.0, 7)])
def test_a_view_keeps_constants_and_area(side: float, size: int) -> None:
    image = torch.ones(1, 300, 300)
    assert torch.allclose(view(image, 30.3, 41.7, side, size), torch.ones(1, size, size))
    spot = torch.zeros(1, 300, 300)
    spot[:, 60:80, 90:100] = 1
    assert float(view(spot, -10.0, -10.0, 320.0, 40).sum()) * 8 * 8 == pytest.approx(200, rel=1e-3)
