"""Patches: where they are drawn, what they show, what is left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from amidst.coco import masks
from amidst.errors import ConfigError
from amidst.models.config import BackboneConfig, DeepMaskConfig, PixelConfig, SharpMaskConfig
from amidst.models.deepmask_geometry import geometry
from amidst.training.config import DataConfig, PatchConfig
from amidst.training.samples import Sample
from amidst.training.triplets import (
    Objects,
    Square,
    check_data,
    jittered,
    make_patches,
    negative,
    objects_of,
    of_released_scale,
    teaches_score,
    usable,
)

PLAIN = PixelConfig(scale=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
TINY = BackboneConfig(name="tiny")
CONFIG = DeepMaskConfig(pixels=PLAIN, backbone=TINY, trunk="W160-P4-D3", padding="zeros", target_side=160)
SIZES = geometry(CONFIG)
MASKS_ONLY, SCORES_ONLY = PatchConfig(score_share=0.0), PatchConfig(score_share=1.0)


def scene(boxes: list[tuple[int, int, int, int]], size_hw: tuple[int, int] = (200, 300)) -> Sample:
    """White ellipses on black in these boxes x1, y1, x2, y2."""
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    stack = np.zeros((len(boxes), *size_hw), dtype=bool)
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        across, down = (2 * columns - x1 - x2) / (x2 - x1), (2 * rows - y1 - y2) / (y2 - y1)
        stack[index] = across**2 + down**2 <= 1
    picture = torch.from_numpy(stack.any(axis=0).astype(np.uint8) * 255)
    return Sample(
        image_id=7,
        image=picture.expand(3, -1, -1).contiguous(),
        boxes_xyxy=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        class_index=torch.zeros(len(boxes), dtype=torch.int64),
        rles=tuple(masks.encode(stack)),
    )


def test_no_images() -> None:
    images, targets = make_patches([], CONFIG, PatchConfig(), 0, 0, [])
    assert images.sizes_hw == ()
    assert targets == []


def test_an_image_without_objects_shows_what_no_object_is() -> None:
    images, targets = make_patches([scene([])], CONFIG, SCORES_ONLY, 0, 0, [0])
    assert [target.label for target in targets] == [-1] * 4
    assert images.pixels.shape == (4, 3, 192, 192)
    assert make_patches([scene([])], CONFIG, MASKS_ONLY, 0, 0, [0])[1] == []


@pytest.mark.parametrize(
    ("side", "area", "expected"),
    [
        ((5.0, 20.0), 100, True),
        ((4.9, 50.0), 200, False),
        ((50.0, 4.9), 200, False),
        ((9.0, 11.0), 99, False),
    ],
)
def test_small_objects_are_left_out(side: tuple[float, float], area: int, expected: bool) -> None:
    assert usable(np.array([side]), np.array([area])).tolist() == [expected]


def test_an_image_with_small_objects_alone_teaches_no_mask_but_they_are_no_background() -> None:
    sample = scene([(100, 50, 104, 54)])
    assert objects_of(sample).usable.tolist() == []
    assert make_patches([sample], CONFIG, MASKS_ONLY, 0, 0, [0])[1] == []
    assert objects_of(sample).side.tolist() == [4.0]


def test_changes_to_whole_images_are_refused() -> None:
    check_data(DataConfig(batch_size=3, patches=PatchConfig(flip=0.0)))
    for data in (DataConfig(flip=0.0), DataConfig(crop_scale=(0.5, 1.0)), DataConfig(colour_jitter=0.1)):
        with pytest.raises(ConfigError, match=r"see data\.patches"):
            check_data(data)


def drawn_objects() -> Objects:
    return objects_of(scene([(10, 20, 90, 60), (150, 30, 180, 130), (200, 150, 215, 165)]))


def patch_pixels(square: Square, yx: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Place of a point of the image in the patch, from its centre, in patch pixels."""
    centre = np.array([square.top, square.left]) + square.side / 2
    return (yx - centre) * SIZES.crop / square.side


def test_an_object_is_about_centred_of_the_right_size_and_whole() -> None:
    generator, objects = np.random.default_rng(0), drawn_objects()
    octaves, shifts = [], []
    for _ in range(600):
        chosen = int(generator.integers(3))
        square = jittered(objects, chosen, SIZES, PatchConfig(), generator)
        pixel = SIZES.crop / square.side  # a side is rounded to whole pixels
        side = objects.side[chosen] * pixel
        octaves.append(np.log2(side / SIZES.object_side))
        shift = patch_pixels(square, objects.centre_yx[chosen])
        shifts.append(shift)
        assert abs(octaves[-1]) <= 0.25 + np.log2(1 + 0.5 / (square.side - 0.5))
        assert np.abs(shift).max() <= 16 * 1.02 + pixel
        assert np.abs(shift).max() + side / 2 <= SIZES.patch / 2
    assert np.abs(np.mean(octaves)) < 0.03
    assert np.std(octaves) == pytest.approx(0.5 / 12**0.5, rel=0.1)  # uniform over half an octave
    assert np.abs(np.mean(shifts, axis=0)).max() < 1.5
    assert np.std(shifts) == pytest.approx(32 / 12**0.5, rel=0.1)


def test_the_release_puts_the_object_at_the_centre_within_a_quarter_octave() -> None:
    generator, objects = np.random.default_rng(0), drawn_objects()
    seen = set()
    for _ in range(100):
        square = of_released_scale(objects, SIZES, generator)
        away = [np.abs(patch_pixels(square, yx)).max() for yx in objects.centre_yx]
        chosen = int(np.argmin(away))
        pixel = SIZES.crop / square.side
        assert away[chosen] <= pixel
        octaves = np.log2(objects.side[chosen] * pixel / SIZES.object_side)
        rounding = np.log2(1 + 0.5 / (square.side - 0.5))
        assert -rounding < octaves <= 0.25 + rounding
        seen.add(chosen)
    assert seen == {0, 1, 2}


def test_a_negative_is_far_from_every_object_in_place_or_size() -> None:
    generator, objects = np.random.default_rng(0), drawn_objects()
    scales, near = [], 0
    for _ in range(400):
        square = negative(objects, (200, 300), SIZES, generator)
        assert square is not None
        scale = SIZES.crop / square.side
        scales.append(np.log2(scale))
        octaves = np.abs(np.log2(objects.side * scale / SIZES.object_side))
        away = np.abs([patch_pixels(square, yx) for yx in objects.centre_yx]).max(axis=1)
        rounding = 0.5 / (square.side - 0.5)
        assert ((octaves >= 1 - 2 * rounding) | (away >= (32 * 160 / 224) * (1 - rounding) - scale)).all()
        near += bool((away < 32 * 160 / 224).any())
    assert near > 0  # another size at the same place is a negative too
    assert min(scales) == pytest.approx(-3, abs=0.1)
    assert max(scales) == pytest.approx(2, abs=0.1)


def test_where_objects_leave_no_room_there_is_no_negative() -> None:
    sizes = SIZES.object_side * 2.0 ** np.arange(-3, 4)
    centres = np.stack(np.meshgrid(np.arange(0, 41, 2.0), np.arange(0, 41, 2.0)), axis=-1).reshape(-1, 2)
    objects = Objects(
        np.repeat(centres, len(sizes), axis=0), np.tile(sizes, len(centres)), np.zeros(0, dtype=np.int64)
    )
    assert negative(objects, (40, 40), SIZES, np.random.default_rng(0)) is None


@pytest.mark.parametrize("size_hw", [(200, 300), (60, 70)])
def test_a_mask_lies_on_its_object(size_hw: tuple[int, int]) -> None:
    """Also in an image smaller than the patch, and after mirroring."""
    sample = scene([(10, 5, 50, 45)], size_hw)
    images, targets = make_patches([sample] * 4, CONFIG, MASKS_ONLY, 0, 1, range(4))
    assert len(targets) == 16
    for pixels, target in zip(images.pixels, targets, strict=True):
        assert target.mask is not None
        centre = pixels[0, 16:-16, 16:-16]
        white = (centre > 190) | ((centre > 128) & (target.mask > 0))  # grey beyond the image is 128
        assert int((white != (target.mask > 0)).sum()) < 0.01 * int(white.sum())


def test_only_the_chosen_object_is_on_the_mask() -> None:
    sample = scene([(10, 20, 70, 80), (75, 20, 135, 80)])
    _, targets = make_patches([sample] * 4, CONFIG, MASKS_ONLY, 0, 1, range(4))
    for target in targets:
        assert target.mask is not None
        (x, _, width, height) = masks.boxes(masks.encode((target.mask > 0).numpy()[None]))[0]
        assert width == pytest.approx(height, abs=2)  # one circle, not two
        assert x > 0


def test_positives_and_negatives_of_a_score_batch() -> None:
    sample = scene([(10, 20, 90, 60)])
    labels = [
        target.label
        for batch in range(20)
        for target in make_patches([sample] * 2, CONFIG, SCORES_ONLY, 0, batch, [0, 1])[1]
    ]
    assert len(labels) == 160
    assert labels.count(1) == pytest.approx(80, abs=20)
    assert set(labels) == {1, -1}


def test_half_of_the_batches_teach_the_score_and_sharpmask_learns_masks_alone() -> None:
    shares = [teaches_score(CONFIG, PatchConfig(), 3, batch) for batch in range(400)]
    assert sum(shares) == pytest.approx(200, abs=40)
    sharp = SharpMaskConfig(backbone=TINY, trunk="W160-P4-D3", padding="zeros")
    assert not any(teaches_score(sharp, SCORES_ONLY, 3, batch) for batch in range(9))


@pytest.mark.parametrize("patches", [MASKS_ONLY, SCORES_ONLY])
def test_patches_depend_on_seed_batch_and_place_alone(patches: PatchConfig) -> None:
    samples = [scene([(10 * i, 20, 10 * i + 60, 70)]) for i in range(4)]
    whole, all_targets = make_patches(samples, CONFIG, patches, 5, 9, range(4))
    half, targets = make_patches(samples[1::2], CONFIG, patches, 5, 9, [1, 3])
    kept = [4, 5, 6, 7, 12, 13, 14, 15]
    assert torch.equal(half.pixels, whole.pixels[kept])
    assert [t.label for t in targets] == [all_targets[i].label for i in kept]
    other, _ = make_patches(samples, CONFIG, patches, 5, 10, range(4))
    assert not torch.equal(other.pixels, whole.pixels)
