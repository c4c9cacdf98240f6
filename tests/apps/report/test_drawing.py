"""Marks land where their boxes are, and never anywhere that an image does not have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.apps.report.colours import FALSE_ALARM, FOUND, MISSED, category_colour, luminance, text_colour
from amidst.apps.report.drawing import Mark, draw, draw_comparison, draw_detections, line_width, text_size

RED = (200, 30, 30)


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 127, np.uint8)


def is_colour(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (image == np.array(colour, np.uint8)).all(axis=-1)


def test_the_line_runs_just_inside_the_box() -> None:
    drawn = draw(grey(300, 400), [Mark((100, 50, 220, 250), colour=RED)])
    ys, xs = np.nonzero(is_colour(drawn, RED))
    assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (100, 50, 220, 250)
    line = line_width(400, 300)
    sides = is_colour(drawn, RED)
    assert sides[50 : 50 + line, 100:220].all()
    assert sides[50:250, 220 - line : 220].all()
    assert not sides[50 + line : 250 - line, 100 + line : 220 - line].any()
    assert (drawn[120:180, 140:180] == 127).all(), "the middle of the box is left alone"
    assert (drawn[:40] == 127).all(), "so is everything away from it"


def test_a_box_as_large_as_the_image_or_larger_is_visible() -> None:
    for box in ((0, 0, 60, 40), (-1e6, -5, 1e6, 400)):
        drawn = draw(grey(40, 60), [Mark(box, colour=RED)])
        assert is_colour(drawn, RED)[[0, 39, 20, 20], [30, 30, 0, 59]].all()


@pytest.mark.parametrize(
    "box",
    [
        (float("nan"), 0, 10, 10),
        (0, 0, float("inf"), 10),
        (500, 500, 600, 600),
        (-50, -50, -10, -10),
        (30, 30, 10, 10),
    ],
)
def test_boxes_that_are_nowhere_draw_nothing(box: tuple[float, float, float, float]) -> None:
    assert (draw(grey(100, 100), [Mark(box, "lost", RED)]) == 127).all()


def test_no_marks_gives_an_equal_copy() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    drawn = draw(image, [])
    assert (drawn == image).all()
    assert not np.shares_memory(drawn, image)
    empty = draw_detections(image, np.zeros((0, 4)), [], [], {})
    assert (empty == image).all()


def test_the_image_given_is_left_alone() -> None:
    image = grey(50, 50)
    draw(image, [Mark((5, 5, 40, 40), "x", mask=np.ones((50, 50), np.bool_))])
    assert (image == 127).all()


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    box=st.tuples(*[st.floats(-200, 200)] * 4),
    caption=st.text(max_size=40),
    dashed=st.booleans(),
    masked=st.booleans(),
)
def test_any_mark_on_any_image(
    size: tuple[int, int], box: tuple[float, ...], caption: str, dashed: bool, masked: bool
) -> None:
    mask = np.arange(size[0] * size[1]).reshape(size) % 3 == 0 if masked else None
    mark = Mark((box[0], box[1], box[2], box[3]), caption, RED, dashed, mask)
    drawn = draw(grey(*size), [mark, mark])
    assert drawn.shape == (*size, 3)
    assert drawn.dtype == np.uint8


def test_one_pixel() -> None:
    drawn = draw(np.zeros((1, 1, 3), np.uint8), [Mark((0, 0, 1, 1), "person", RED)])
    assert is_colour(drawn, RED).all()


def test_lines_and_text_grow_with_the_image() -> None:
    assert line_width(1, 1) == 1
    assert line_width(640, 480) < line_width(6000, 4000)
    assert text_size(320, 240) == 11.0 < text_size(4000, 3000)
    huge = np.broadcast_to(np.uint8(9), (3000, 4000, 3))
    drawn = draw(huge, [Mark((1000, 1000, 3000, 2000), "person 0.98", RED)])
    rows = np.flatnonzero(is_colour(drawn[:, 2500], RED))
    assert rows.max() == 1999
    assert (rows >= 1000).sum() == 2 * line_width(4000, 3000)


def test_lines_of_small_objects_on_a_large_photograph_are_thin() -> None:
    image = np.zeros((3000, 4000, 3), np.uint8)
    boxes = np.array([[100 + 200 * n, 100, 160 + 200 * n, 160] for n in range(9)], float)
    marks = [Mark(tuple(box), colour=(255, 0, 0)) for box in boxes]
    thin = (draw(image, marks)[130, 90:170, 0] == 255).sum()
    assert thin == 2 * line_width(1000, 750) < 2 * line_width(4000, 3000)
    whole = Mark((0, 0, 4000, 3000))
    assert (draw(image, [*marks[:1], whole, whole])[130, 90:170, 0] == 255).sum() > thin  # most are large


@pytest.mark.parametrize(
    "box", [(0, 0, 30, 30), (270, 0, 300, 30), (0, 170, 30, 200), (270, 170, 300, 200), (0, 0, 300, 200)]
)
def test_chips_stay_whole_inside_the_image(box: tuple[float, float, float, float]) -> None:
    drawn = draw(grey(200, 300), [Mark(box, "traffic light 0.97", RED)])
    plain = draw(grey(200, 300), [Mark(box, "", RED)])
    ys, xs = np.nonzero((drawn != plain).any(axis=2))
    inside = draw(grey(400, 600), [Mark((200, 200, 230, 230), "traffic light 0.97", RED)])
    bare = draw(grey(400, 600), [Mark((200, 200, 230, 230), "", RED)])
    _, full = np.nonzero((inside != bare).any(axis=2))
    assert xs.size, "there is a chip"
    assert np.ptp(xs) >= 0.9 * np.ptp(full), "as wide as in the middle of a larger image"
    assert np.ptp(ys) >= 9


def test_a_caption_wider_than_the_image_is_shortened() -> None:
    drawn = draw(grey(100, 60), [Mark((10, 40, 50, 90), "a name that is much longer than the image", RED)])
    assert (drawn[20:38] != 127).any()


def test_chips_do_not_hide_each_other() -> None:
    marks = [Mark((100 + k, 100 + k, 200, 200), f"{'wide name ' * 2}{k}", RED) for k in range(3)]
    one = (draw(grey(300, 400), marks[:1]) != 127).any(axis=2).sum()
    three = (draw(grey(300, 400), marks) != 127).any(axis=2).sum()
    assert three > 1.5 * one


def test_masks_tint_and_keep_the_photograph_visible() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[20:80, 30:70] = True
    image = np.random.default_rng(1).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    drawn = draw(image, [Mark((30, 20, 70, 80), colour=RED, mask=mask)])
    inner, before = drawn[40:60, 45:55].astype(int), image[40:60, 45:55].astype(int)
    assert np.abs(inner - before).mean() > 10
    assert np.corrcoef(inner.ravel(), before.ravel())[0, 1] > 0.7
    assert (drawn[:10] == image[:10]).all()
    with pytest.raises(ValueError, match=r"\(100, 100\)"):
        draw(image, [Mark((0, 0, 9, 9), mask=np.ones((5, 5), np.bool_))])


def test_grey_images_are_taken_and_others_refused() -> None:
    assert draw(np.zeros((4, 5), np.uint8), []).shape == (4, 5, 3)
    for wrong in (np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            draw(wrong, [])


def test_detections_below_the_threshold_are_left_out_and_the_best_is_on_top() -> None:
    boxes = np.array([[20, 20, 80, 80], [20, 20, 80, 80], [5, 5, 15, 15]], np.float32)
    drawn = draw_detections(grey(100, 100), boxes, [1, 2, 3], [0.4, 0.9, 0.2], {1: "a", 2: "b"})
    assert is_colour(drawn, category_colour(2))[79, 50]
    assert not is_colour(drawn, category_colour(1)).any()
    assert not is_colour(drawn, category_colour(3)).any()


def test_comparison_marks_missed_and_wrong() -> None:
    truth = np.array([[10, 30, 40, 90], [60, 30, 90, 90]], float)
    found = np.array([[11, 30, 40, 90], [100, 10, 140, 90]], float)
    captions = ["person 0.9", "person 0.8"]
    drawn = draw_comparison(
        grey(100, 150), truth, ["person"] * 2, [False, True], found, captions, [True, False]
    )
    left, right = drawn[:, :150], drawn[:, -150:]
    assert drawn.shape == (100, 302, 3)
    assert is_colour(left, MISSED)[60, 60]
    assert not is_colour(left, FOUND).any()
    assert is_colour(right, FOUND)[60, 11]
    assert is_colour(right, FALSE_ALARM).any()


def test_colours_are_stable_distinct_and_readable() -> None:
    colours = [category_colour(k) for k in range(1, 91)]
    assert len(set(colours)) == 90
    assert category_colour(1) == category_colour(1)
    for number in (0, -7, 2**62):
        assert all(0 <= value <= 255 for value in category_colour(number))
    for colour in [*colours, FOUND, MISSED, FALSE_ALARM]:
        a, b = sorted((luminance(colour), luminance(text_colour(colour))))
        assert (b + 0.05) / (a + 0.05) >= 3.0
    rgb = np.array(colours[:10], float)
    gaps = np.linalg.norm(rgb[:, None] - rgb[None], axis=2) + 1e9 * np.eye(10)
    assert gaps.min() > 60
