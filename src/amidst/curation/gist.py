"""The GIST descriptor: 960 numbers that say how a picture is laid out, blind to its fine detail.

Thesis section 2.6 compares images by it to keep near-duplicates out of different splits. Two pictures whose
descriptors lie closer than a threshold in Euclidean distance are near-duplicates.

    1. The picture is 32 x 32 pixels (`hashing.thumbnail`), channels 0..255, and v = ln(v + 1).
    2. Prefilter: subtract the low frequencies of each channel, then divide all channels by the local contrast
       0.2 + sqrt(|lowpass(mean of channels squared)|). The low-pass is exp(-(fx^2 + fy^2) / s^2) with integer
       frequencies and s = 4 / sqrt(ln 2), on the picture padded by 5 mirrored pixels.
    3. 20 Gabor filters, 8, 8 and 4 orientations at three scales, on each channel, in the frequency domain.
    4. The magnitude of each response is averaged over a 4 x 4 grid: 3 channels x 20 filters x 16 cells.

The numbers are those of the public reference implementation of the method (INRIA's lear_gist 1.1).

Legend: B pictures, C = 3 channels, F = 20 filters, S = 32 pixels a side.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

SIDE = 32
LENGTH = 960
ORIENTATIONS = (8, 8, 4)
GRID = 4
_PADDING = 5
_CUTOFF = 4.0
_BATCH = 64  # pictures at once: 64 x 60 complex responses of 32 x 32 are 31 MB

Floats = npt.NDArray[np.float32]


def gist(thumbnails: npt.NDArray[np.uint8]) -> Floats:
    """Descriptors (B, 960) of thumbnails (B, 32, 32, 3) uint8 RGB. B may be 0."""
    if thumbnails.ndim != 4 or thumbnails.shape[1:] != (SIDE, SIDE, 3):
        raise ValueError(f"expected thumbnails of shape (B, 32, 32, 3), not {thumbnails.shape}")
    descriptors = np.empty((len(thumbnails), LENGTH), dtype=np.float32)
    for start in range(0, len(thumbnails), _BATCH):
        channels = np.moveaxis(thumbnails[start : start + _BATCH], 3, 1)  # (B, C, S, S)
        descriptors[start : start + _BATCH] = _pooled(_prefilter(channels.astype(np.float32)))
    return descriptors


def distances(a: Floats, b: Floats) -> Floats:
    """Euclidean distances (P,) of descriptors in corresponding rows of (P, 960) arrays."""
    difference = a - b
    apart: Floats = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return apart


@cache
def filters(side: int = SIDE) -> Floats:
    """The Gabor filters (F, side, side) in the frequency domain, zero frequency first."""
    fx, fy = _frequencies(side)
    radius, angle = np.hypot(fx, fy), np.arctan2(fy, fx)
    bank = []
    for scale, count in enumerate(ORIENTATIONS):
        centre, width = 0.3 / 1.85**scale, 16.0 * count**2 / 32.0**2
        for orientation in range(count):
            turned = angle + np.pi * orientation / count
            turned = np.where(turned > np.pi, turned - 2 * np.pi, turned)
            bank.append(np.exp(-3.5 * (radius / side / centre - 1) ** 2 - 2 * np.pi * width * turned**2))
    return np.fft.ifftshift(np.stack(bank), axes=(1, 2)).astype(np.float32)


def _frequencies(side: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Integer frequencies (side, side) along x and y, zero in the middle."""
    axis = np.arange(side, dtype=np.float64) - side // 2
    fx, fy = np.meshgrid(axis, axis)
    return fx, fy


@cache
def _lowpass(side: int) -> Floats:
    fx, fy = _frequencies(side)
    gain = np.exp(-(fx**2 + fy**2) * np.log(2) / _CUTOFF**2)
    return np.fft.ifftshift(gain).astype(np.float32)


def _prefilter(channels: Floats) -> Floats:
    """(B, C, S, S) 0..255 to the same shape: high frequencies, divided by the local contrast."""
    edge = (_PADDING, _PADDING)
    padded = np.pad(np.log(channels + 1), ((0, 0), (0, 0), edge, edge), mode="symmetric")
    gain = _lowpass(padded.shape[-1])
    padded -= np.fft.ifft2(np.fft.fft2(padded) * gain).real
    mean = padded.mean(axis=1)  # (B, S + 10, S + 10)
    contrast = np.sqrt(np.abs(np.fft.ifft2(np.fft.fft2(mean**2) * gain)))
    padded /= 0.2 + contrast[:, None]
    return padded[:, :, _PADDING:-_PADDING, _PADDING:-_PADDING]


def _pooled(channels: Floats) -> Floats:
    """(B, C, S, S) to (B, 960): channel, filter, grid row, grid column."""
    spectra = np.fft.fft2(channels)[:, :, None]  # (B, C, 1, S, S)
    responses = np.abs(np.fft.ifft2(spectra * filters()))  # (B, C, F, S, S)
    cell = SIDE // GRID
    blocks = responses.reshape(*responses.shape[:3], GRID, cell, GRID, cell)
    pooled: Floats = blocks.mean(axis=(4, 6)).reshape(len(channels), LENGTH)
    return pooled
