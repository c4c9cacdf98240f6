from __future__ import annotations

import numpy as np
import pytest

from amidst.apps.report.colours import MISSED, category_colour
from amidst.apps.report.proposal_drawing import best_matches, draw_best, draw_matches
from amidst.coco import masks
from amidst.coco.records import Rle

GREY = np.full((60, 80, 3), 128, np.uint8)


def rectangles(*boxes: tuple[int, int, int, int]) -> list[Rle]:
    filled = np.zeros((len(boxes), 60, 80), np.uint8)
    for mask, (x0, y0, x1, y1) in zip(filled, boxes, strict=True):
        mask[y0:y1, x0:x1] = 1
    return masks.encode(filled)


def hue(image: np.ndarray, x: int, y: int) -> np.ndarray:
    return image[y, x].astype(int) - 128


def test_nothing_to_draw_leaves_the_picture_as_it_is() -> None:
    assert np.array_equal(draw_best(GREY, [], np.zeros(0)), GREY)
    drawn, missed = draw_matches(GREY, [], rectangles((5, 5, 20, 20)))
    assert np.array_equal(drawn, GREY)
    assert missed == 0


def test_the_best_masks_alone_are_drawn() -> None:
    rles = rectangles((2, 20, 20, 50), (30, 20, 50, 50), (60, 20, 78, 50))
    drawn = draw_best(GREY, rles, np.array([0.1, 0.9, 0.5]), shown=2)
    assert not hue(drawn, 10, 40).any()
    assert hue(drawn, 40, 40).any()
    assert hue(drawn, 70, 40).any()


def test_one_mask_of_an_object_is_drawn() -> None:
    rles = rectangles((2, 20, 20, 50), (2, 20, 22, 50), (2, 20, 21, 50), (60, 20, 78, 50))
    drawn = draw_best(GREY, rles, np.array([0.9, 0.8, 0.7, 0.1]), shown=2)
    assert hue(drawn, 10, 40).any()
    assert hue(drawn, 70, 40).any()  # the second drawn, though fourth by score
    alone = draw_best(GREY, rles[:3], np.array([0.9, 0.8, 0.7]), shown=3)
    assert np.array_equal(alone, draw_best(GREY, rles[:1], np.array([0.9])))


def test_best_matches_by_hand() -> None:
    truth = rectangles((0, 0, 10, 10), (20, 20, 40, 40))
    rles = rectangles((0, 0, 10, 5), (0, 0, 10, 8), (50, 50, 60, 60))
    best, iou = best_matches(truth, rles)
    assert best.tolist()[0] == 1
    assert iou.tolist() == pytest.approx([0.8, 0.0])


@pytest.mark.parametrize("proposals", [[], [(0, 50, 5, 60)]], ids=["none", "elsewhere"])
def test_missed_objects_are_red(proposals: list[tuple[int, int, int, int]]) -> None:
    drawn, missed = draw_matches(GREY, rectangles((20, 20, 60, 50)), rectangles(*proposals))
    assert missed == 1
    towards = np.array(MISSED) - 128
    assert (np.sign(hue(drawn, 40, 40)) == np.sign(towards)).all()


def test_found_objects_show_the_proposal_and_not_the_truth() -> None:
    truth, rles = rectangles((20, 20, 60, 50)), rectangles((20, 20, 60, 45))
    drawn, missed = draw_matches(GREY, truth, rles)
    assert missed == 0
    assert (np.sign(hue(drawn, 40, 40)) == np.sign(np.array(category_colour(1)) - 128)).all()
    assert not hue(drawn, 40, 48).any()


def test_half_an_object_is_not_found() -> None:
    truth, rles = rectangles((20, 20, 60, 40)), rectangles((20, 20, 40, 40))
    assert draw_matches(GREY, truth, rles)[1] == 1
