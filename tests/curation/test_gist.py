"""The descriptor against a plain double-precision restatement of the published steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from amidst.curation.gist import LENGTH, distances, filters, gist


def plain_gist(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """One picture (32, 32, 3), one channel and one filter at a time."""
    n, pad = 32, 5
    logs = np.log(picture.astype(np.float64) + 1)
    padded = np.stack([np.pad(logs[..., c], pad, mode="symmetric") for c in range(3)])
    whole = n + 2 * pad
    frequency = np.fft.fftfreq(whole) * whole
    low = np.exp(-(frequency[None] ** 2 + frequency[:, None] ** 2) / (4 / np.sqrt(np.log(2))) ** 2)
    high = np.stack([c - np.real(np.fft.ifft2(np.fft.fft2(c) * low)) for c in padded])
    spread = np.sqrt(np.abs(np.fft.ifft2(np.fft.fft2(high.mean(axis=0) ** 2) * low)))
    flat = (high / (0.2 + spread))[:, pad:-pad, pad:-pad]
    values: list[float] = []
    frequency = np.fft.fftfreq(n) * n
    gains = []
    for scale, count in enumerate((8, 8, 4)):
        for j in range(count):
            gain = np.zeros((n, n))
            for y, fy in enumerate(frequency):
                for x, fx in enumerate(frequency):
                    theta = np.arctan2(fy, fx) + np.pi * j / count
                    theta -= 2 * np.pi * (theta > np.pi)
                    radius = np.hypot(fx, fy) / n / (0.3 / 1.85**scale)
                    gain[y, x] = np.exp(
                        -3.5 * (radius - 1) ** 2 - 2 * np.pi * 16 * count**2 / 32**2 * theta**2
                    )
            gains.append(gain)
    for channel in flat:
        for gain in gains:
            response = np.abs(np.fft.ifft2(np.fft.fft2(channel) * gain))
            cells = response.reshape(4, 8, 4, 8).mean(axis=(1, 3))
            values.extend(cells.ravel().tolist())
    return np.array(values)


def test_of_no_pictures_there_are_no_descriptors() -> None:
    assert gist(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, LENGTH)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 16, 16, 3\)"):
        gist(np.zeros((2, 16, 16, 3), np.uint8))


def test_it_equals_the_plain_implementation() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    pictures[1] = np.arange(32, dtype=np.uint8)[:, None, None] * 7
    for picture, descriptor in zip(pictures, gist(pictures), strict=True):
        np.testing.assert_allclose(descriptor, plain_gist(picture), rtol=2e-3, atol=2e-4)


def test_a_flat_picture_has_no_layout() -> None:
    assert np.abs(gist(np.full((1, 32, 32, 3), 90, np.uint8))).max() < 1e-4


def test_batches_do_not_matter() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(gist(pictures)[64:], gist(pictures[64:]), atol=1e-5)


def test_filters_are_twenty_and_at_most_one() -> None:
    bank = filters()
    assert bank.shape == (20, 32, 32)
    assert bank.min() >= 0
    assert bank.max() <= 1


def test_distances_are_euclidean() -> None:
    a, b = np.zeros((1, LENGTH), np.float32), np.zeros((1, LENGTH), np.float32)
    b[0, :2] = 3, 4
    assert distances(a, b).tolist() == [5.0]
