"""Masks in boxes: where the pixels go, and that the runs are those of the drawn mask."""

from __future__ import annotations

import random

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results, masks
from amidst.curation.pasting import ellipse, full_box, paste, paste_one, place, truth_as_results
from amidst.errors import DataError

SCENE = CocoDataset(
    (Image(1, 30, 20, "a"),),
    (Annotation(7, 1, 2, (3.5, 2, 10, 8), 80), Annotation(8, 1, 2, (0, 0, 9, 9), 81, iscrowd=True)),
    (Category(2, "dog"),),
)


def pixels(rle: masks.Rle) -> np.ndarray:
    return masks.decode([rle])[0].astype(bool)


def test_no_detections() -> None:
    assert paste(SCENE, Results.empty(), full_box).rles == ()
    assert len(truth_as_results(CocoDataset())) == 0


def test_boxes_without_pixels_in_the_image_give_empty_masks() -> None:
    for box in ((40, 5, 10, 10), (5, -20, 3, 4), (-9, -9, 2, 2)):
        assert not pixels(paste_one(full_box, 1, box, (20, 30))).any()


def test_a_full_box_is_rounded_outward_and_clipped() -> None:
    mask = pixels(paste_one(full_box, 1, (-3.5, 2.2, 10, 5), (20, 30)))
    expected = np.zeros((20, 30), bool)
    expected[2:8, 0:7] = True
    assert np.array_equal(mask, expected)


def test_a_box_that_fills_the_image() -> None:
    rle = paste_one(full_box, 1, (0, 0, 30, 20), (20, 30))
    assert masks.counts(rle) == (0, 600)


def test_rounding_noise_does_not_widen_a_box() -> None:
    assert place((1.0, 2.0, 3.0000000001, 4.0), (20, 30)).size_hw == (4, 3)
    assert place((1.0, 2.0, 0.0, 0.0), (20, 30)).size_hw == (1, 1)


def test_an_ellipse_fills_pi_over_four_of_its_box() -> None:
    mask = pixels(paste_one(ellipse, 1, (10, 20, 200, 100), (300, 300)))
    assert mask.sum() / 20_000 == pytest.approx(np.pi / 4, abs=2e-3)
    assert np.array_equal(mask, np.pad(mask[:, 10:210][:, ::-1], ((0, 0), (10, 90))))  # symmetric


@pytest.mark.parametrize("seed", range(50))
def test_runs_are_those_of_the_drawn_mask(seed: int) -> None:
    draw = random.Random(seed)
    height, width = draw.randint(1, 30), draw.randint(1, 30)
    box = (draw.uniform(-10, 30), draw.uniform(-10, 30), draw.uniform(0, 40), draw.uniform(0, 40))
    at = place(box, (height, width))
    shape = np.random.default_rng(seed).random(at.window_hw) < draw.choice([0.0, 0.5, 1.0])
    expected = np.zeros((height, width), bool)
    expected[at.top : at.top + at.window_hw[0], at.left : at.left + at.window_hw[1]] = shape
    assert paste_one(lambda *_: shape, 1, box, (height, width)) == masks.encode(expected[None])[0]


def test_detections_keep_their_boxes_and_order() -> None:
    found = Results(
        np.array([1, 1]), np.array([2, 2]), np.array([0.1, 0.9]), np.array([[0, 0, 2, 2], [1, 1, 3, 3.0]])
    )
    pasted = paste(SCENE, found, full_box)
    assert pasted.rles is not None
    assert pasted.boxes_xywh is not None
    assert masks.area(pasted.rles).tolist() == [4, 9]
    assert np.array_equal(pasted.scores, found.scores)
    assert paste(SCENE, found, full_box, rows=[1]).scores.tolist() == [0.9]


def test_what_cannot_be_pasted_is_refused() -> None:
    with pytest.raises(DataError, match="no boxes"):
        paste(SCENE, Results(np.zeros(0), np.zeros(0), np.zeros(0), None, ()), full_box)
    with pytest.raises(DataError, match="image 9"):
        paste(SCENE, Results(np.array([9]), np.array([2]), np.ones(1), np.ones((1, 4))), full_box)


def test_the_truth_as_detections_leaves_crowds_out() -> None:
    truth = truth_as_results(SCENE)
    assert truth.category_ids.tolist() == [2]
    assert truth.boxes_xywh is not None
    assert truth.boxes_xywh.tolist() == [[3.5, 2, 10, 8]]
