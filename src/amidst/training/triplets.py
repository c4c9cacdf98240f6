"""Patches for DeepMask and SharpMask: picture, mask and whether there is an object (C.2, section 3.3.3).

A batch teaches either the mask or the score; which, chance decides for each batch. Every patch is a square of
whole pixels of the original image, resampled to W + 32 pixels and mirrored half of the time; beyond the image
it is grey.

    mask patch    an object, of the right size up to a quarter octave and at the centre up to 16 px of the
                  patch; target: its mask in the central W pixels, +1 and -1 at `target_side` pixels
    score patch   +1: such an object; -1: a square of any size and place that is not the patch of any object

Right size: the larger side of the object's box is `Geometry.object_side` pixels of the patch. A negative is
an octave or more away from the right size, or 32 W / 224 pixels or more off the centre, for every object. If
100 draws of one image hold none, the patch is left out.

Objects with less than 100 pixels or a side below 5 are nothing to learn from, but no background either.

What of the thesis is kept of "a category, then an object of it, uniformly": images come once an epoch as for
the detectors, so that resuming and several processes are what they are there, and an image is decoded once
for its several patches; within it objects are drawn uniformly. Frequent categories are thus seen more often
than in the thesis.

All draws for a patch are a function of the seed, the number of the batch and the place of the image in it.

Shapes: G objects of an image, W side of a patch, g side of a mask that is learnt, T tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.errors import ConfigError
from amidst.models.config import DeepMaskConfig, SharpMaskConfig
from amidst.models.deepmask_geometry import CONTEXT, Geometry, geometry
from amidst.models.structures import PatchTarget
from amidst.ops.crops import cut, view
from amidst.ops.images import ImageBatch, make_batch, resize
from amidst.training.config import DataConfig, PatchConfig
from amidst.training.samples import Sample, Samples

MIN_AREA = 100  # pixels of an object's mask
MIN_SIDE = 5.0  # of its box
MIN_CROP = 10.0  # pixels of the image that a patch shows at least
GREY = 128
TRIES = 100
NEGATIVE_EXPONENTS = np.arange(-3.0, 2.01, 0.25)  # of the scales 2^e at which negatives are looked for
BATCH_STREAM, IMAGE_STREAM = 1, 2  # apart from each other and from the draws of `transforms`

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Square:
    """Where a patch with its context is, in pixels of the image."""

    top: int
    left: int
    side: int


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one image."""

    centre_yx: Floats  # (G, 2)
    side: Floats  # (G,) the larger side of the box
    usable: npt.NDArray[np.int64]  # places in 0..G-1 of those that can be learnt


def teaches_score(config: DeepMaskConfig, patches: PatchConfig, seed: int, batch: int) -> bool:
    """Whether batch number `batch` teaches the score. A SharpMask learns masks alone (D.4)."""
    if isinstance(config, SharpMaskConfig):
        return False
    share = np.random.default_rng((seed, batch, 0, BATCH_STREAM)).random()
    return bool(share < patches.score_share)


def make_patches(
    samples: Sequence[Sample],
    config: DeepMaskConfig,
    patches: PatchConfig,
    seed: int,
    batch: int,
    places: Sequence[int],
) -> tuple[ImageBatch, list[PatchTarget]]:
    """Up to `patches.per_image` patches of each sample; `places` are theirs in batch number `batch`.

    There are fewer patches, or none, of images that have no object to learn a mask from.
    """
    score = teaches_score(config, patches, seed, batch)
    sizes = geometry(config)
    pictures: list[Tensor] = []
    targets: list[PatchTarget] = []
    for sample, place in zip(samples, places, strict=True):
        generator = np.random.default_rng((seed, batch, place, IMAGE_STREAM))
        objects = objects_of(sample)
        draw = _score_patch if score else _mask_patch
        for _ in range(patches.per_image):
            drawn = draw(sample, objects, config, patches, generator)
            if drawn is not None:
                square, target = drawn
                picture = cut(sample.image, square.top, square.left, square.side, GREY)
                picture = resize(picture, (sizes.crop, sizes.crop))
                flip = generator.random() < patches.flip
                pictures.append(picture.flip(2) if flip else picture)
                targets.append(_mirrored(target) if flip else target)
    pixels = config.pixels
    images = make_batch(
        pictures, order=pixels.order, scale=pixels.scale, mean=pixels.mean, std=pixels.std, divisor=1
    )
    return images, targets


def objects_of(sample: Sample) -> Objects:
    """Centres and sizes of the sample's objects, and which of them can be learnt."""
    boxes = sample.boxes_xyxy.cpu().numpy().astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    learnt = usable(sides, masks.area(sample.rles or ()))
    return Objects((boxes[:, :2] + sides / 2)[:, ::-1], sides.max(axis=1, initial=0), np.flatnonzero(learnt))


def usable(sides: Floats, areas: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which objects are large enough to be learnt: sides (G, 2) of their boxes and pixels (G,) -> (G,)."""
    large: npt.NDArray[np.bool_] = (areas >= MIN_AREA) & (sides >= MIN_SIDE).all(axis=1)
    return large


def check_data(data: DataConfig) -> None:
    """Raises ConfigError for changes to whole images, which patches do not know: they have their own."""
    default = DataConfig()
    for key in ("flip", "train_short_sides", "colour_jitter", "crop_scale"):
        if getattr(data, key) != getattr(default, key):
            raise ConfigError(f"data.{key} is not for networks that learn from patches; see data.patches")


def left_out(dataset: CocoDataset, samples: Samples) -> str | None:
    """A line for the log if there are objects or regions of `dataset` from which nothing can be learnt."""
    crowds = sum(bool(annotation.iscrowd) for annotation in dataset.annotations)
    objects = [samples.objects(index)[0] for index in range(len(samples))]
    rles = [rle for index in range(len(samples)) for rle in samples.rles(index)]
    boxes = torch.cat(objects).numpy().astype(np.float64)
    small = len(rles) - int(usable(boxes[:, 2:] - boxes[:, :2], masks.area(rles)).sum())
    if not (small or crowds):
        return None
    return (
        f"{samples.num_objects} objects to learn from; left out: {small} of them with less than {MIN_AREA} "
        f"pixels or a side below {MIN_SIDE:g}, and {crowds} crowd regions"
    )


Drawn = tuple[Square, PatchTarget]


def _mask_patch(
    sample: Sample,
    objects: Objects,
    config: DeepMaskConfig,
    patches: PatchConfig,
    generator: np.random.Generator,
) -> Drawn | None:
    """A patch of a random object and its mask; None where the image has no object."""
    if not len(objects.usable):
        return None
    sizes = geometry(config)
    chosen = int(generator.choice(objects.usable))
    square = jittered(objects, chosen, sizes, patches, generator)
    return square, PatchTarget(mask=_mask(sample, chosen, square, sizes, config.target_side))


def _score_patch(
    sample: Sample,
    objects: Objects,
    config: DeepMaskConfig,
    patches: PatchConfig,
    generator: np.random.Generator,
) -> Drawn | None:
    """A patch with or without an object; None where none was found without."""
    sizes = geometry(config)
    if len(objects.usable) and generator.random() < patches.positive_share:
        if patches.jitter_scores:
            square = jittered(objects, int(generator.choice(objects.usable)), sizes, patches, generator)
        else:
            square = of_released_scale(objects, sizes, generator)
        return square, PatchTarget(label=1)
    height, width = sample.image.shape[1:]
    found = negative(objects, (height, width), sizes, generator)
    return None if found is None else (found, PatchTarget(label=-1))


def jittered(
    objects: Objects, chosen: int, sizes: Geometry, patches: PatchConfig, generator: np.random.Generator
) -> Square:
    """The patch of an object, off its size and centre by chance."""
    octaves = generator.uniform(-patches.octaves, patches.octaves)
    factor = objects.side[chosen] / sizes.object_side * 2.0**octaves  # pixels of the image per patch pixel
    shift = generator.uniform(-patches.shift, patches.shift, 2)
    return _square(objects.centre_yx[chosen] + shift * factor, factor * sizes.crop)


def of_released_scale(objects: Objects, sizes: Geometry, generator: np.random.Generator) -> Square:
    """The release's positive: one of the quarter octaves that have objects, one of these, at its centre.

    The object is larger than the right size, by less than a quarter octave.
    """
    sides = objects.side[objects.usable]
    quarters = np.floor(4 * np.log2(sizes.object_side / sides)) + 1  # of the scale
    quarter = generator.choice(np.unique(quarters))
    chosen = objects.usable[generator.choice(np.flatnonzero(quarters == quarter))]
    return _square(objects.centre_yx[chosen], 2.0 ** (-quarter / 4) * sizes.crop)


def negative(
    objects: Objects, size_hw: tuple[int, int], sizes: Geometry, generator: np.random.Generator
) -> Square | None:
    """A patch that is not that of any object, or None if chance finds none."""
    scale = 2.0 ** generator.choice(NEGATIVE_EXPONENTS, TRIES)  # (T,)
    centre_yx = generator.random((TRIES, 2)) * size_hw  # (T, 2)
    octaves = np.log2(np.maximum(objects.side, 1e-9) * scale[:, None] / sizes.object_side)  # (T, G)
    away = np.abs(centre_yx[:, None] - objects.centre_yx).max(axis=2) * scale[:, None]  # (T, G)
    clear = ((np.abs(octaves) >= 1) | (away >= sizes.clearance)).all(axis=1)  # (T,)
    if not clear.any():
        return None
    first = int(clear.argmax())
    return _square(centre_yx[first], max(sizes.crop / scale[first], MIN_CROP))


def _square(centre_yx: Floats, side: float) -> Square:
    """The square of whole pixels nearest to one of any side and centre."""
    whole = max(1, round(float(side)))
    top, left = np.floor(centre_yx - whole / 2 + 0.5).astype(int).tolist()
    return Square(top, left, whole)


def _mask(sample: Sample, chosen: int, square: Square, sizes: Geometry, side: int) -> Tensor:
    """Mask int8 (g, g) of one object in the central W pixels of its patch; other objects are background."""
    assert sample.rles is not None
    whole = torch.from_numpy(masks.decode([sample.rles[chosen]])).to(sample.image.device)  # (1, H, W)
    margin = square.side * CONTEXT / sizes.crop
    share = view(whole, square.top + margin, square.left + margin, square.side - 2 * margin, side)[0]
    return (share > 0.5).to(torch.int8) * 2 - 1


def _mirrored(target: PatchTarget) -> PatchTarget:
    return target if target.mask is None else PatchTarget(mask=target.mask.flip(1))
