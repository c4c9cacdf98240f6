"""Augmentation (J.1): parameters are drawn from an explicit generator, then applied on the device.

A draw is plain data and depends on (seed, batch, place in the batch) alone, so that neither the number of
workers nor of processes changes what the network sees. Drawing and applying are separate; a picture is
changed in this order: zoom (crop or canvas), resize, flip, colour.

Boxes of objects, boxes of proposals and masks go through the same geometry.

Shape legend: G ground truths of one image, P proposals, H x W its original size, h x w its size in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from amidst.coco import masks as mask_codec
from amidst.models.config import PixelConfig
from amidst.models.structures import Target
from amidst.ops import boxes as box_ops
from amidst.ops.images import ImageBatch, make_batch, resize, resized_hw
from amidst.training.config import DataConfig, ResizeConfig
from amidst.training.samples import MIN_SIDE, Sample

KEPT_SHARE = 0.3  # an object cut by a crop stays if this share of its area is inside
GREY = (0.299, 0.587, 0.114)  # luma of red, green, blue


@dataclass(frozen=True, slots=True)
class Draw:
    """What happens to one image. The default changes nothing."""

    flip: bool = False
    view: float = 1.0  # side of the view over the side of the image: below 1 a crop, above 1 a canvas
    place: tuple[float, float] = (0.0, 0.0)  # of a crop, as shares of the room left (down, right)
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    seed: int = 0  # of what a loss draws at random in this image


def draw(config: DataConfig, seed: int, batch: int, place: int) -> Draw:
    """The draw for image `place` of the global batch number `batch`."""
    generator = np.random.default_rng((seed, batch, place))
    flip, down, right, *colour = generator.random(6).tolist()
    low, high = config.crop_scale or (1.0, 1.0)
    strength = config.colour_jitter
    brightness, contrast, saturation = (1.0 + strength * (2.0 * value - 1.0) for value in colour)
    return Draw(
        flip=flip < config.flip,
        view=float(np.exp(generator.uniform(np.log(low), np.log(high)))),  # halving is as likely as doubling
        place=(down, right),
        brightness=brightness,
        contrast=contrast,
        saturation=saturation,
        seed=int(generator.integers(2**63)),
    )


def draw_resize(config: DataConfig, seed: int, batch: int) -> ResizeConfig:
    """Resize rule of one batch: a drawn short side, the long side in proportion."""
    if not config.train_short_sides:
        return config.resize
    short = int(np.random.default_rng((seed, batch)).choice(config.train_short_sides))
    return ResizeConfig(short=short, long=round(short * config.resize.long / config.resize.short))


def output_hw(size_hw: tuple[int, int], change: Draw, rule: ResizeConfig) -> tuple[int, int]:
    """Size that `apply` gives an image of `size_hw`, without looking at it."""
    height, width = resized_hw(size_hw, rule.short, rule.long)
    shrink = max(change.view, 1.0)  # a crop is enlarged; the rest of a canvas is the padding of the batch
    return max(1, round(height / shrink)), max(1, round(width / shrink))


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed picture and everything on it in its pixels, on the sample's device."""

    image: Tensor  # uint8 (3, h, w)
    target: Target
    proposals_xyxy: Tensor | None  # (P, 4)


@dataclass(frozen=True, slots=True)
class _Geometry:
    """A view of the original picture, resized and perhaps mirrored."""

    top: int
    left: int
    view_hw: tuple[int, int]
    size_hw: tuple[int, int]
    flip: bool

    def pixels(self, image: Tensor) -> Tensor:
        """(..., H, W) -> the view (..., view h, view w), not yet resized."""
        height, width = self.view_hw
        return image[..., self.top : self.top + height, self.left : self.left + width]

    def boxes(self, boxes_xyxy: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes (N, 4) cut to the view, in pixels of the result, and the share (N,) of each that is left."""
        moved = boxes_xyxy - boxes_xyxy.new_tensor([self.left, self.top, self.left, self.top])
        cut = box_ops.clip(moved, self.view_hw)
        share = box_ops.area(cut) / box_ops.area(moved).clamp(min=1e-6)
        scale_y, scale_x = (now / before for now, before in zip(self.size_hw, self.view_hw, strict=True))
        scaled = cut * cut.new_tensor([scale_x, scale_y, scale_x, scale_y])
        return box_ops.flip(scaled, self.size_hw[1]) if self.flip else scaled, share


def apply(sample: Sample, change: Draw, rule: ResizeConfig) -> Changed:
    """The changed picture with its objects; objects of which little is left are dropped."""
    geometry = _geometry(sample, change, rule)
    image = resize(geometry.pixels(sample.image), geometry.size_hw)
    boxes_xyxy, share = geometry.boxes(sample.boxes_xyxy)
    kept = _large_enough(boxes_xyxy) & (share > KEPT_SHARE)
    proposals = None
    if sample.proposals_xyxy is not None:
        proposals, _ = geometry.boxes(sample.proposals_xyxy)
        proposals = proposals[_large_enough(proposals)]
    masks = _masks(sample, geometry, kept) if sample.rles is not None else None
    target = Target(boxes_xyxy[kept], sample.class_index[kept], masks, change.seed)
    image = image.flip(2) if geometry.flip else image
    return Changed(jitter_colour(image, change), target, proposals)


def _geometry(sample: Sample, change: Draw, rule: ResizeConfig) -> _Geometry:
    """Below 1, `change.view` is the side of the view over that of the picture."""
    height, width = sample.image.shape[1:]
    size_hw = output_hw((height, width), change, rule)
    if change.view >= 1.0:
        return _Geometry(0, 0, (height, width), size_hw, change.flip)
    view_hw = (max(1, round(height * change.view)), max(1, round(width * change.view)))
    top, left = (
        round((side - view) * place)
        for side, view, place in zip((height, width), view_hw, change.place, strict=True)
    )
    return _Geometry(top, left, view_hw, size_hw, change.flip)


def _large_enough(boxes_xyxy: Tensor) -> Tensor:
    return ((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) > MIN_SIDE).all(dim=1)


def _masks(sample: Sample, geometry: _Geometry, kept: Tensor) -> Tensor:
    """Masks (G, h, w) bool of the kept objects: a pixel is on the object if most of what it shows is."""
    assert sample.rles is not None
    rles = [rle for rle, keep in zip(sample.rles, kept.tolist(), strict=True) if keep]
    if not rles:
        return torch.zeros(0, *geometry.size_hw, dtype=torch.bool, device=sample.image.device)
    masks = torch.from_numpy(mask_codec.decode(rles)).to(sample.image.device)  # (G, H, W)
    view = geometry.pixels(masks)[:, None].float()
    scaled = torch.nn.functional.interpolate(view, geometry.size_hw, mode="bilinear", antialias=True)[:, 0]
    return (scaled.flip(2) if geometry.flip else scaled) > 0.5


def jitter_colour(image: Tensor, change: Draw) -> Tensor:
    """Saturation, contrast about the mean grey, and brightness as one affine map of RGB, in uint8."""
    saturation, contrast, brightness = change.saturation, change.contrast, change.brightness
    if saturation == contrast == brightness == 1.0:
        return image
    pixels = image.reshape(3, -1).to(torch.float32)  # (3, h*w)
    grey = pixels.new_tensor(GREY)
    matrix = (
        brightness * contrast * (saturation * torch.eye(3, device=image.device) + (1 - saturation) * grey)
    )
    offset = brightness * (1 - contrast) * (grey @ pixels.mean(dim=1))
    changed = torch.addmm(offset, matrix, pixels)
    return changed.clamp_(0, 255).round_().to(torch.uint8).reshape(image.shape)


def make_inputs(
    samples: Sequence[Sample],
    draws: Sequence[Draw],
    rule: ResizeConfig,
    pixels: PixelConfig,
    divisor: int,
    at_least_hw: tuple[int, int] = (0, 0),
) -> tuple[ImageBatch, list[Target]]:
    """What the network takes, from samples that are already on its device.

    Padding goes to the largest image or to `at_least_hw`, and to multiples of `divisor`.
    """
    changed = [apply(sample, change, rule) for sample, change in zip(samples, draws, strict=True)]
    images = make_batch(
        [one.image for one in changed],
        order=pixels.order,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        divisor=divisor,
    )
    images = _pad_to(images, at_least_hw, divisor)
    proposals = tuple(one.proposals_xyxy for one in changed if one.proposals_xyxy is not None)
    if proposals:
        images = ImageBatch(images.pixels, images.sizes_hw, proposals)
    return images, [one.target for one in changed]


def _pad_to(images: ImageBatch, at_least_hw: tuple[int, int], divisor: int) -> ImageBatch:
    height, width = images.pixels.shape[2:]
    below, right = (
        max(-(-wanted // divisor) * divisor - present, 0)
        for wanted, present in zip(at_least_hw, (height, width), strict=True)
    )
    if below == right == 0:
        return images
    return ImageBatch(torch.nn.functional.pad(images.pixels, (0, right, 0, below)), images.sizes_hw)
