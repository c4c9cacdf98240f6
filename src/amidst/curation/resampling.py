"""Resizing small float pictures exactly, as products with two matrices of weights.

Pixel j of n covers [j/n, (j+1)/n) of the side. Two kinds of weights, each (n_out, n_in) with rows that sum
to 1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def area_average(picture: npt.ArrayLike, size_hw: tuple[int, int]) -> Floats:
    """(H, W) to `size_hw`; each new pixel is the mean of what it covers. The mean of the picture is kept."""
    source = np.asarray(picture, np.float32)
    rows = _area_weights(source.shape[0], size_hw[0])
    columns = _area_weights(source.shape[1], size_hw[1])
    return np.asarray(rows @ source @ columns.T, np.float32)


def bilinear_window(
    picture: Floats, size_hw: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> Floats:
    """The part [rows) x [columns) of the picture (H, W) resized to `size_hw`.

    Bilinear between pixel centres, constant beyond the outer ones; widened to the pixel pitch on shrinking,
    so that every pixel of the picture counts.
    """
    down = _bilinear_weights(picture.shape[0], size_hw[0], *rows)
    across = _bilinear_weights(picture.shape[1], size_hw[1], *columns)
    return np.asarray(down @ picture @ across.T, np.float32)


@lru_cache(maxsize=1024)
def _area_weights(n_in: int, n_out: int) -> Floats:
    edges_in, edges_out = np.arange(n_in + 1) / n_in, np.arange(n_out + 1) / n_out
    low = np.maximum(edges_out[:-1, None], edges_in[None, :-1])
    high = np.minimum(edges_out[1:, None], edges_in[None, 1:])
    return np.asarray(np.clip(high - low, 0, None) * n_out, np.float32)


def _bilinear_weights(n_in: int, n_out: int, start: int, stop: int) -> Floats:
    centres = (np.arange(start, stop) + 0.5) * n_in / n_out - 0.5
    reach = max(1.0, n_in / n_out)
    distance = np.abs(np.clip(centres, 0, n_in - 1)[:, None] - np.arange(n_in)[None, :])
    weights = np.clip(1 - distance / reach, 0, None)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
