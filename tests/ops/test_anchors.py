"""Anchors: sizes, centres, and the order that has to match a head's output."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from amidst.ops.anchors import Placing, cell_anchors, grid_anchors, grid_anchors_of_sizes, place_anchors
from amidst.ops.boxes import area

ASPECTS = (0.5, 1.0, 2.0)


def test_an_empty_map_has_no_anchors() -> None:
    assert [level.shape for level in grid_anchors([(0, 3), (0, 0)], [8, 16], 4.0, 3, ASPECTS)] == [(0, 4)] * 2
    assert grid_anchors([], [], 4.0, 3, ASPECTS) == []
    assert cell_anchors(32, 3, ()).shape == (0, 4)


def test_cell_is_octave_major_then_aspect_and_not_rounded() -> None:
    cell = cell_anchors(32, 3, ASPECTS).double()
    width, height = cell[:, 2] - cell[:, 0], cell[:, 3] - cell[:, 1]
    sides = torch.tensor([32, 32 * 2 ** (1 / 3), 32 * 2 ** (2 / 3)], dtype=torch.float64)
    torch.testing.assert_close((width * height).sqrt(), sides.repeat_interleave(3), atol=1e-4, rtol=0)
    ratios = torch.tensor(ASPECTS, dtype=torch.float64).repeat(3)
    torch.testing.assert_close(height / width, ratios, atol=1e-6, rtol=0)
    assert (cell[:, :2] + cell[:, 2:]).abs().max() == 0
    assert cell_anchors(32, 1, (1.0,)).tolist() == [[-16, -16, 16, 16]]


def test_levels_hold_the_sizes_of_the_thesis() -> None:
    """I.2: 32 ... 512, the largest 812.7."""
    levels = grid_anchors([(1, 1)] * 5, [8, 16, 32, 64, 128], 4.0, 3, (1.0,))
    sides = torch.cat(levels).double()
    sides = sides[:, 2] - sides[:, 0]
    assert sides[::3].tolist() == [32, 64, 128, 256, 512]
    assert [round(float(side), 1) for side in sides[[1, 2, -2, -1]]] == [40.3, 50.8, 645.1, 812.7]


def test_centres_lie_in_the_middle_of_their_cells() -> None:
    (level,) = grid_anchors([(2, 3)], [8], 4.0, 1, (1.0,))
    centres = (level[:, :2] + level[:, 2:]) / 2
    assert centres.tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]


def test_placing_is_the_plain_loop() -> None:
    cell = cell_anchors(20, 2, ASPECTS)
    expected = [
        [(j + 0.5) * 16, (i + 0.5) * 16, (j + 0.5) * 16, (i + 0.5) * 16]
        for i in range(3)
        for j in range(5)
        for _ in range(6)
    ]
    torch.testing.assert_close(
        place_anchors(cell, (3, 5), 16), torch.tensor(expected) + cell.repeat(15, 1), atol=0, rtol=0
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_order_is_that_of_a_convolution(layout: torch.memory_format) -> None:
    """A 1x1 convolution that writes each anchor's own corners at K = 4 "classes" reproduces the grid."""
    height, width, stride = 3, 5, 8
    cell = cell_anchors(32, 3, ASPECTS)  # (A, 4)
    x = (torch.arange(width) + 0.5) * stride
    y = (torch.arange(height) + 0.5) * stride
    features = torch.stack((x.expand(height, width), y[:, None].expand(height, width)))[None]  # (1, 2, h, w)
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(2 * len(cell), 1)[
        :, :, None, None
    ]  # (A*4, 2, 1, 1)
    output = F.conv2d(features.contiguous(memory_format=layout), weight, cell.reshape(-1))  # (1, A*4, h, w)
    flat = output.permute(0, 2, 3, 1).reshape(1, -1, 4)  # (1, h, w, A*4) -> (1, h*w*A, 4)
    (level,) = grid_anchors([(height, width)], [stride], 4.0, 3, ASPECTS)
    torch.testing.assert_close(flat[0], level)


def test_counts_of_a_600_pixel_image_are_about_one_hundred_thousand() -> None:
    features = [(-(-600 // s), -(-1000 // s)) for s in (8, 16, 32, 64, 128)]
    levels = grid_anchors(features, [8, 16, 32, 64, 128], 4.0, 3, ASPECTS)
    assert [len(level) for level in levels] == [9 * h * w for h, w in features]
    assert 100_000 < sum(len(level) for level in levels) < 120_000
    assert all((area(level) > 0).all() for level in levels)


SIZES = (32.0, 64.0, 128.0, 256.0, 512.0)


def test_sizes_of_a_level_run_before_aspects() -> None:
    (level,) = grid_anchors_of_sizes([(1, 2)], [16], [(32.0, 64.0)], (0.5, 2.0))
    sides = level[:, 2:] - level[:, :2]
    expected = [(32 * 2**0.5, 32 / 2**0.5), (32 / 2**0.5, 32 * 2**0.5)]
    expected += [(2 * w, 2 * h) for w, h in expected]
    torch.testing.assert_close(sides, torch.tensor(expected * 2))
    assert ((level[:, :2] + level[:, 2:]) / 2)[::4].tolist() == [[8, 8], [24, 8]]
    assert grid_anchors_of_sizes([(0, 0)], [16], [SIZES], ASPECTS)[0].shape == (0, 4)


@pytest.mark.parametrize(
    ("strides", "sizes", "about"),
    [
        ((4, 8, 16, 32, 64), [(size,) for size in SIZES], 200_000),
        ((4,), [SIZES], 750_000),
        ((16,), [SIZES], 47_000),
        ((32,), [SIZES], 12_000),
    ],
    ids=["FPN", "P2", "C4", "C5"],
)
def test_counts_of_table_4_1(strides: tuple[int, ...], sizes: list[tuple[float, ...]], about: int) -> None:
    """For an image of 800 x 1000: 3 a cell on a pyramid, 15 on a single map."""
    features = [(-(-800 // stride), -(-1000 // stride)) for stride in strides]
    levels = grid_anchors_of_sizes(features, strides, sizes, ASPECTS)
    assert sum(len(level) for level in levels) == pytest.approx(about, rel=0.01)


def test_other_families_place_anchors_at_corners_in_whole_pixels_and_fit_strides() -> None:
    whole = Placing(offset=0.0, image_hw=(64, 100), whole_pixels=True)
    (level,) = grid_anchors([(4, 3)], [16], 4.0, 3, (1.0,), placing=whole)
    sides = level[:3, 2] - level[:3, 0]
    assert sides.tolist() == [64, 80, 100]  # 64, 80.6 and 101.6 rounded down, 101 / 2 = 50.5 to even
    centres = (level[::3, :2] + level[::3, 2:]) / 2
    assert centres[:4].tolist() == [[0, 0], [33, 0], [66, 0], [0, 16]]  # 100 // 3, 64 // 4
    assert Placing(image_hw=(64, 64)).stride_yx((0, 3), 16) == (16, 16)
