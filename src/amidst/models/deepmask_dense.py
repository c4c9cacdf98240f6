"""All patches of an image at once: scales, the best patches, their windows (C.6).

    scale    the image resized by 2^e, W/2 of grey around it, and what more of grey the stride asks for
    patch    (i, j) of a scale is centred at row stride * i, column stride * j of the scaled image
    window   of a patch: W over the scale on each side, in the pixels of the image

The grey is 0.5 before normalising, as beside the patches of training. Further grey at the bottom and right
makes both sides multiples of the stride, so that every convolution meets the patches as in training; it adds
no patches: there are ceil(H / stride) + 1 rows of them either way.

Shapes: H x W image, h x w scaled image, R x C patches of a scale, N proposals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from amidst.models.config import PixelConfig
from amidst.models.deepmask_geometry import Geometry

GREY = 127.5  # 0.5 of a pixel's range


@dataclass(frozen=True, slots=True)
class DenseScale:
    """What the network says about all patches of one scale."""

    scale_yx: tuple[float, float]  # scaled image over image, after rounding to whole pixels
    scores: Tensor  # (R, C) logits
    codes: Tensor  # (512, R, C)
    skips: tuple[Tensor, ...] = ()  # of a SharpMask: (k, rows, columns) for each level, coarsest first


@dataclass(frozen=True, slots=True)
class Patches:
    """N patches of the scales of one image, by descending score."""

    scores: Tensor  # (N,) logits
    scale: Tensor  # (N,) index of the scale
    row: Tensor  # (N,)
    column: Tensor  # (N,)


def scaled_canvas(
    image: Tensor, scale: float, sizes: Geometry, pixels: PixelConfig
) -> tuple[Tensor, tuple[float, float]]:
    """A normalised image (3, H, W) at one scale amid grey (1, 3, h', w'), and its true scale (y, x)."""
    height, width = image.shape[1:]
    size_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    scaled = image[None]
    if size_hw != (height, width):
        scaled = F.interpolate(scaled, size=size_hw, mode="bilinear", antialias=True)
    border, stride = sizes.patch // 2, sizes.stride
    around_hw = [-(-(side + sizes.patch) // stride) * stride for side in size_hw]
    grey = [(GREY * pixels.scale - mean) / std for mean, std in zip(pixels.mean, pixels.std, strict=True)]
    canvas = image.new_tensor(grey).expand(1, *around_hw, 3).contiguous().permute(0, 3, 1, 2)
    canvas[:, :, border : border + size_hw[0], border : border + size_hw[1]] = scaled
    return canvas, (size_hw[0] / height, size_hw[1] / width)


def best_patches(scales: Sequence[DenseScale], number: int) -> Patches:
    """The `number` patches of the highest scores over all scales together, or all that there are."""
    scores = torch.cat([scale.scores.float().flatten() for scale in scales])
    values, chosen = scores.topk(min(number, len(scores)))
    counts = scores.new_tensor([scale.scores.numel() for scale in scales], dtype=torch.int64)
    ends = counts.cumsum(0)
    of_scale = torch.bucketize(chosen, ends, right=True)
    place = chosen - (ends - counts)[of_scale]
    columns = counts.new_tensor([scale.scores.shape[1] for scale in scales])[of_scale]
    return Patches(values, of_scale, place // columns, place % columns)


def windows(patches: Patches, scales: Sequence[DenseScale], sizes: Geometry) -> Tensor:
    """Windows (N, 4) of the patches, x1 y1 x2 y2 in pixels of the image; they may leave it."""
    device = patches.scores.device
    scale_yx = torch.tensor([scale.scale_yx for scale in scales], dtype=torch.float64, device=device)
    by_patch = scale_yx[patches.scale]  # (N, 2)
    centre_yx = torch.stack((patches.row, patches.column), dim=1) * sizes.stride
    top_left = (centre_yx - sizes.patch / 2) / by_patch
    bottom_right = (centre_yx + sizes.patch / 2) / by_patch
    return torch.cat((top_left.flip(1), bottom_right.flip(1)), dim=1).float()
