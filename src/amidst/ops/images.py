"""Images as network input: the size rule, resizing, normalising and padding to a batch (thesis map J.1).

Shapes: B images, (h, w) size of one image after resizing, (H, W) size of the padded batch.

    resized size   s = short / min(h, w), and s = long / max(h, w) where the first would make the longer side
                   exceed `long`; (h, w) -> (round(h s), round(w s))
    resampling     "antialias" is Pillow's bilinear filter and ours; other families take the two nearest
                   pixels a side whatever the scale, rounded to uint8 or not
    normalising    (pixels in channel `order` * scale - mean) / std
    padding        zeros, right and below, after normalising: a padded cell looks like the mean colour

A batch is stored channels-last, the layout in which convolutions run fastest and from which the outputs of
the heads can be read per anchor without a copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Resample = Literal["antialias", "bilinear", "bilinear_unrounded"]

_PIECE = 1 << 15  # numbers normalised at once


@dataclass(frozen=True)
class ImageBatch:
    """Normalised, padded images and the size each one has inside the padding.

    `proposals_xyxy` is given to networks that judge proposals from elsewhere (Fast R-CNN): for each image
    boxes (P, 4) in its pixels, by descending score; P may be 0.
    """

    pixels: Tensor  # (B, 3, H, W) float32, channels-last
    sizes_hw: tuple[tuple[int, int], ...]  # B true sizes, each (h, w) with h <= H and w <= W
    proposals_xyxy: tuple[Tensor, ...] | None = None  # B of (P, 4) float32

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ImageBatch:
        """The same batch on another device."""
        proposals = self.proposals_xyxy
        if proposals is not None:
            proposals = tuple(boxes.to(device, non_blocking=non_blocking) for boxes in proposals)
        return ImageBatch(self.pixels.to(device, non_blocking=non_blocking), self.sizes_hw, proposals)

    def pin_memory(self) -> ImageBatch:
        """The same batch in page-locked memory (called by torch's DataLoader)."""
        proposals = self.proposals_xyxy
        if proposals is not None:
            proposals = tuple(boxes.pin_memory() for boxes in proposals)
        return ImageBatch(self.pixels.pin_memory(), self.sizes_hw, proposals)


def resized_hw(
    size_hw: tuple[int, int], short: int, long: int, rounding: Literal["nearest", "down"] = "nearest"
) -> tuple[int, int]:
    """Size with the shorter side scaled to `short`, or the longer to `long` where that is smaller.

    "down" is torchvision's rule to the digit, where a side of 800 may come out as 799.
    """
    height, width = size_hw
    if rounding == "down":
        scale = min(short / min(size_hw), long / max(size_hw))
        return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))
    scale = short / min(height, width)
    if _round(scale * max(height, width)) > long:
        scale = long / max(height, width)
    return max(1, _round(height * scale)), max(1, _round(width * scale))


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def resize(image: Tensor, size_hw: tuple[int, int], resample: Resample = "antialias") -> Tensor:
    """uint8 (3, H, W) -> uint8 (3, h, w), bilinear; the image itself at the same size.

    "bilinear_unrounded" gives float32, still of the range 0..255.
    """
    if tuple(image.shape[-2:]) == tuple(size_hw):
        return image
    batch = image[None]
    if resample != "antialias":
        exact = F.interpolate(batch.float(), size=size_hw, mode="bilinear", align_corners=False)[0]
        return exact if resample == "bilinear_unrounded" else exact.add_(0.5).floor_().to(torch.uint8)
    if image.device.type == "cpu":
        # The CPU kernel for uint8 is vectorised for channels-last images only.
        batch = batch.contiguous(memory_format=torch.channels_last)
        return F.interpolate(batch, size=size_hw, mode="bilinear", antialias=True)[0]
    scaled = F.interpolate(batch.float(), size=size_hw, mode="bilinear", antialias=True)[0]
    return scaled.round_().clamp_(0, 255).to(torch.uint8)


def make_batch(
    images: Sequence[Tensor],
    *,
    order: Literal["rgb", "bgr"],
    scale: float,
    mean: Sequence[float],
    std: Sequence[float],
    divisor: int,
) -> ImageBatch:
    """Normalise RGB images (3, h, w) of 0..255, each on its device, and pad them to one batch.

    `mean` and `std` are in `order`. H and W are the largest h and w rounded up to a multiple of `divisor`
    (the coarsest stride of the network). No images give a batch of none.
    """
    sizes_hw = tuple((int(image.shape[-2]), int(image.shape[-1])) for image in images)
    if not sizes_hw:
        return ImageBatch(torch.zeros(0, 3, 0, 0), ())
    height = _round_up(max(h for h, _ in sizes_hw), divisor)
    width = _round_up(max(w for _, w in sizes_hw), divisor)
    device = images[0].device
    pixels = torch.zeros(len(images), height, width, 3, device=device)  # channels-last in memory
    gain = torch.tensor([scale / s for s in std], device=device).repeat(width)  # (W * 3,)
    offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device).repeat(width)
    for image, out, (h, w) in zip(images, pixels.view(-1, height, width * 3), sizes_hw, strict=True):
        red, green, blue = image.unbind(0)
        planes = (red, green, blue) if order == "rgb" else (blue, green, red)
        rows = torch.stack(planes, dim=-1).view(h, w * 3)  # (h, w, 3) -> (h, w * 3)
        _normalise(rows, gain[: w * 3], offset[: w * 3], out[:h, : w * 3])
    return ImageBatch(pixels.permute(0, 3, 1, 2), sizes_hw)


def _normalise(rows: Tensor, gain: Tensor, offset: Tensor, out: Tensor) -> None:
    """Rows (h, 3 w) * gain + offset into out, some rows at a time: the passes meet in the cache."""
    step = max(1, _PIECE // rows.shape[1]) if rows.device.type == "cpu" else max(1, len(rows))
    for start in range(0, len(rows), step):
        part = out[start : start + step]
        part.copy_(rows[start : start + step])
        torch.addcmul(offset, part, gain, out=part)


def _round_up(value: int, divisor: int) -> int:
    return -(-value // divisor) * divisor
