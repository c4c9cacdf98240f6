"""Augmentation (J.1): parameters are drawn from an explicit generator, then applied on the device.

A draw is plain data and depends on (seed, batch, place in the batch) alone, so that neither the number of
workers nor of processes changes what the network sees. Drawing and applying are separate; a picture is
changed in this order: zoom (crop or canvas), resize, flip, colour.

Shape legend: G ground truths of one image, H x W its original size, h x w its size in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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


def apply(sample: Sample, change: Draw, rule: ResizeConfig) -> tuple[Tensor, Target]:
    """The changed picture, uint8 (3, h, w), and its objects in its pixels, on the sample's device."""
    image, boxes_xyxy, class_index = sample.image, sample.boxes_xyxy, sample.class_index
    size_hw = output_hw((image.shape[1], image.shape[2]), change, rule)
    if change.view < 1.0:
        image, boxes_xyxy, class_index = _crop(image, boxes_xyxy, class_index, change)
    scale = (size_hw[1] / image.shape[2], size_hw[0] / image.shape[1])
    image = resize(image, size_hw)
    boxes_xyxy = boxes_xyxy * boxes_xyxy.new_tensor([*scale, *scale])
    if change.flip:
        image, boxes_xyxy = image.flip(2), box_ops.flip(boxes_xyxy, size_hw[1])
    kept = ((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) > MIN_SIDE).all(dim=1)
    return jitter_colour(image, change), Target(boxes_xyxy[kept], class_index[kept])


def _crop(
    image: Tensor, boxes_xyxy: Tensor, class_index: Tensor, change: Draw
) -> tuple[Tensor, Tensor, Tensor]:
    """A view of `change.view` times each side; objects are cut to it, small rests are dropped."""
    height, width = image.shape[1:]
    crop_h, crop_w = max(1, round(height * change.view)), max(1, round(width * change.view))
    top, left = round((height - crop_h) * change.place[0]), round((width - crop_w) * change.place[1])
    image = image[:, top : top + crop_h, left : left + crop_w]
    moved = boxes_xyxy - boxes_xyxy.new_tensor([left, top, left, top])
    cut = box_ops.clip(moved, (crop_h, crop_w))
    kept = box_ops.area(cut) > KEPT_SHARE * box_ops.area(moved)
    return image, cut[kept], class_index[kept]


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
        [image for image, _ in changed],
        order=pixels.order,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        divisor=divisor,
    )
    return _pad_to(images, at_least_hw, divisor), [target for _, target in changed]


def _pad_to(images: ImageBatch, at_least_hw: tuple[int, int], divisor: int) -> ImageBatch:
    height, width = images.pixels.shape[2:]
    below, right = (
        max(-(-wanted // divisor) * divisor - present, 0)
        for wanted, present in zip(at_least_hw, (height, width), strict=True)
    )
    if below == right == 0:
        return images
    return ImageBatch(torch.nn.functional.pad(images.pixels, (0, right, 0, below)), images.sizes_hw)
