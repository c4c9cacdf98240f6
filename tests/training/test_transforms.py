from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.models.config import PixelConfig
from amidst.training.config import DataConfig, ResizeConfig
from amidst.training.samples import Sample
from amidst.training.transforms import Draw, apply, draw, draw_resize, jitter_colour, make_inputs, output_hw

RULE = ResizeConfig(short=40, long=80)
RED = torch.tensor([250, 10, 10], dtype=torch.uint8)


def sample_with(*boxes: tuple[int, int, int, int], size_hw: tuple[int, int] = (40, 60)) -> Sample:
    """Red rectangles on black."""
    image = torch.zeros(3, *size_hw, dtype=torch.uint8)
    for x1, y1, x2, y2 in boxes:
        image[:, y1:y2, x1:x2] = RED[:, None, None]
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Sample(5, image, corners, torch.arange(len(boxes)))


def red_box(image: torch.Tensor) -> list[int]:
    """Corners of the red pixels."""
    rows, columns = (image[0] > 125).nonzero(as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def test_an_image_without_objects() -> None:
    changed = apply(sample_with(), Draw(flip=True, view=0.7, contrast=1.2), RULE)
    image, target = changed.image, changed.target
    assert image.shape == (3, 40, 60)
    assert target.boxes_xyxy.shape == (0, 4)
    assert target.class_index.shape == (0,)


def test_the_default_draw_only_resizes() -> None:
    sample = sample_with((6, 4, 20, 30))
    changed = apply(sample, Draw(), RULE)
    image, target = changed.image, changed.target
    assert torch.equal(image, sample.image)
    assert torch.equal(target.boxes_xyxy, sample.boxes_xyxy)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("view", [0.6, 0.999, 1.0, 1.5])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.4, 0.9)])
def test_boxes_stay_on_their_objects(flip: bool, view: float, place: tuple[float, float]) -> None:
    sample = sample_with((22, 12, 40, 28), size_hw=(45, 70))
    changed = apply(sample, Draw(flip=flip, view=view, place=place), ResizeConfig(short=90, long=300))
    image, target = changed.image, changed.target
    (box,) = target.boxes_xyxy.tolist()
    assert box == pytest.approx(red_box(image), abs=1.01)


def test_what_a_crop_leaves_too_little_of_is_dropped() -> None:
    # The crop keeps x < 30: all of the first, half of the second, a fifth of the third.
    sample = sample_with((2, 2, 12, 12), (25, 2, 35, 12), (28, 14, 38, 19))
    target = apply(sample, Draw(view=0.5), RULE).target
    assert target.class_index.tolist() == [0, 1]
    assert target.boxes_xyxy[1].tolist() == [50, 4, 60, 24]


def test_objects_shrunk_to_a_pixel_are_dropped() -> None:
    target = apply(sample_with((10, 10, 14, 14), (20, 10, 32, 30)), Draw(view=4.0), RULE).target
    assert target.class_index.tolist() == [1]


def test_colour_changes() -> None:
    image = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    image[:, 0, 0] = torch.tensor([200, 50, 0], dtype=torch.uint8)
    assert jitter_colour(image, Draw()) is image
    assert jitter_colour(image, Draw(brightness=1.1))[:, 1, 1].tolist() == [110] * 3
    grey = jitter_colour(image, Draw(saturation=0.0))
    assert grey[:, 0, 0].tolist() == [89] * 3  # .299 * 200 + .587 * 50
    assert jitter_colour(image, Draw(brightness=9.0)).max() == 255
    flat = jitter_colour(image, Draw(contrast=0.0))
    assert int(flat.max()) - int(flat.min()) == 0


def test_draws_depend_on_their_place_alone() -> None:
    config = DataConfig(crop_scale=(0.5, 1.5), colour_jitter=0.2)
    assert draw(config, 1, 2, 3) == draw(config, 1, 2, 3)
    others = {draw(config, *key).view for key in [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4)]}
    assert len(others) == 4


def test_draws_stay_in_range() -> None:
    config = DataConfig(crop_scale=(0.5, 2.0), colour_jitter=0.2, flip=0.25)
    draws = [draw(config, 0, batch, 0) for batch in range(400)]
    assert all(0.5 <= d.view <= 2.0 and 0.8 <= d.brightness <= 1.2 for d in draws)
    assert 0.15 < sum(d.flip for d in draws) / 400 < 0.35
    assert 0.4 < sum(d.view < 1 for d in draws) / 400 < 0.6


def test_what_is_off_changes_nothing() -> None:
    plain = DataConfig(flip=0.0)
    unseen = {"place": (0.0, 0.0), "seed": 0}  # drawn all the same
    assert all(dataclasses.replace(draw(plain, 0, b, 0), **unseen) == Draw() for b in range(20))


def test_short_sides_are_drawn_by_batch_and_keep_the_proportion() -> None:
    config = DataConfig(resize=ResizeConfig(short=800, long=1333), train_short_sides=(400, 600))
    assert {draw_resize(config, 0, batch) for batch in range(30)} == {
        ResizeConfig(short=400, long=666),
        ResizeConfig(short=600, long=1000),
    }
    assert draw_resize(DataConfig(), 0, 0) == DataConfig().resize


def test_a_batch_is_padded_as_far_as_asked() -> None:
    images, _ = make_inputs([sample_with()], [Draw()], RULE, PixelConfig(), divisor=32, at_least_hw=(65, 3))
    assert images.pixels.shape == (1, 3, 96, 64)
    assert images.pixels.is_contiguous(memory_format=torch.channels_last)
    alone, _ = make_inputs([sample_with()], [Draw()], RULE, PixelConfig(), divisor=32)
    assert torch.equal(images.pixels[:, :, :64], alone.pixels)
    assert not images.pixels[:, :, 64:].any()


@pytest.mark.parametrize("view", [0.5, 1.0, 1.7])
def test_the_size_is_known_without_the_image(view: float) -> None:
    image = apply(sample_with(size_hw=(33, 47)), Draw(view=view), RULE).image
    assert image.shape[1:] == output_hw((33, 47), Draw(view=view), RULE)


def test_a_batch_of_images_without_objects() -> None:
    samples = [sample_with(), sample_with(size_hw=(50, 40))]
    images, targets = make_inputs(samples, [Draw(), Draw()], RULE, PixelConfig(), divisor=32)
    assert images.pixels.shape == (2, 3, 64, 64)
    assert images.sizes_hw == ((40, 60), (50, 40))
    assert [len(target.boxes_xyxy) for target in targets] == [0, 0]


def square(top: int, left: int, side: int, size_hw: tuple[int, int]) -> Rle:
    mask = np.zeros((1, *size_hw), np.uint8)
    mask[0, top : top + side, left : left + side] = 1
    return masks.encode(mask)[0]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("view", "place"), [(1.0, (0.0, 0.0)), (0.8, (0.5, 1.0)), (1.25, (0.0, 0.0))])
def test_masks_and_proposals_follow_the_boxes(flip: bool, view: float, place: tuple[float, float]) -> None:
    """A mask that fills its box fills it after every change, and a proposal on it stays on it."""
    boxes = [(8, 12, 32, 36), (40, 4, 56, 20)]
    plain = sample_with(*boxes, size_hw=(48, 64))
    rles = tuple(square(y0, x0, x1 - x0, (48, 64)) for x0, y0, x1, _ in boxes)
    sample = dataclasses.replace(plain, rles=rles, proposals_xyxy=plain.boxes_xyxy)
    changed = apply(sample, Draw(flip=flip, view=view, place=place), ResizeConfig(short=96, long=300))
    assert changed.target.masks is not None
    assert changed.proposals_xyxy is not None
    assert changed.target.masks.shape == (len(changed.target.boxes_xyxy), *changed.image.shape[1:])
    torch.testing.assert_close(changed.proposals_xyxy, changed.target.boxes_xyxy)
    for mask, box in zip(changed.target.masks, changed.target.boxes_xyxy.tolist(), strict=True):
        rows, columns = mask.any(dim=1).nonzero()[:, 0], mask.any(dim=0).nonzero()[:, 0]
        tight = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
        assert tight == pytest.approx(box, abs=1.0)
        assert float(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].float().mean()) > 0.99


def test_masks_of_an_image_without_objects() -> None:
    sample = dataclasses.replace(sample_with(size_hw=(20, 30)), rles=())
    changed = apply(sample, Draw(), RULE)
    assert changed.target.masks is not None
    assert changed.target.masks.shape == (0, *changed.image.shape[1:])


def test_proposals_cut_away_are_dropped() -> None:
    proposals = torch.tensor([[0.0, 0.0, 10.0, 10.0], [40.0, 30.0, 60.0, 45.0]])
    sample = dataclasses.replace(sample_with(size_hw=(48, 64)), proposals_xyxy=proposals)
    changed = apply(sample, Draw(view=0.5, place=(1.0, 1.0)), ResizeConfig(short=24, long=100))
    assert changed.proposals_xyxy is not None
    assert changed.proposals_xyxy.tolist() == [[8.0, 6.0, 28.0, 21.0]]


@pytest.mark.parametrize("proposals", [0, 3])
def test_the_batch_carries_the_proposals(proposals: int) -> None:
    boxes = torch.tensor([[2.0, 2.0, 12.0, 12.0]]).expand(proposals, 4)
    sample = dataclasses.replace(sample_with(size_hw=(20, 30)), proposals_xyxy=boxes)
    images, _ = make_inputs([sample, sample], [Draw(), Draw()], RULE, PixelConfig(), 32)
    assert images.proposals_xyxy is not None
    assert [tuple(one.shape) for one in images.proposals_xyxy] == [(proposals, 4)] * 2
    without, _ = make_inputs([sample_with()], [Draw()], RULE, PixelConfig(), 32)
    assert without.proposals_xyxy is None
