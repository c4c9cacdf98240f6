"""Resizing by area and by bilinear weights, against sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.curation.resampling import area_average, bilinear_window


def test_area_average_by_hand() -> None:
    assert area_average([[1, 2, 3]], (1, 2)).tolist() == [
        pytest.approx([(1 + 0.5 * 2) / 1.5, (0.5 * 2 + 3) / 1.5])
    ]
    assert area_average([[1.0]], (2, 3)).tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("size_hw", [(1, 1), (5, 7), (13, 4), (40, 33)])
def test_area_average_keeps_the_mean(size_hw: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((13, 8))
    assert area_average(picture, size_hw).mean() == pytest.approx(picture.mean(), rel=1e-5)


def test_bilinear_by_hand() -> None:
    row = bilinear_window(np.array([[0.0, 1.0]], np.float32), (1, 4), (0, 1), (0, 4))
    assert row.tolist() == [pytest.approx([0, 0.25, 0.75, 1])]


def test_a_window_is_a_part_of_the_whole() -> None:
    picture = np.random.default_rng(1).random((9, 6)).astype(np.float32)
    whole = bilinear_window(picture, (30, 20), (0, 30), (0, 20))
    np.testing.assert_allclose(
        bilinear_window(picture, (30, 20), (4, 11), (3, 9)), whole[4:11, 3:9], atol=1e-6
    )


def test_a_flat_picture_stays_flat_at_any_size() -> None:
    for size_hw in ((1, 1), (3, 100), (200, 7)):
        flat = bilinear_window(np.ones((48, 31), np.float32), size_hw, (0, size_hw[0]), (0, size_hw[1]))
        np.testing.assert_allclose(flat, 1, atol=1e-5)
