"""Boxes: hand-worked overlaps, degenerate boxes, and properties on random ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from amidst.ops import boxes as ops

UNIT = [0.0, 0.0, 2.0, 2.0]


def random_boxes(count: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator, dtype=dtype) * 100
    return torch.cat((corner, corner + torch.rand(count, 2, generator=generator, dtype=dtype) * 60), dim=1)


def slow_iou(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    inter = width * height
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 3), (3, 0)])
def test_no_boxes_give_an_empty_table(rows: int, columns: int) -> None:
    assert ops.pairwise_iou(torch.zeros(rows, 4), torch.zeros(columns, 4)).shape == (rows, columns)


def test_functions_of_single_boxes_accept_none() -> None:
    none = torch.zeros(0, 4)
    assert ops.area(none).shape == (0,)
    assert ops.paired_iou(none, none).shape == ops.paired_giou(none, none).shape == (0,)
    for result in (ops.clip(none, (5, 5)), ops.flip(none, 5), ops.xywh_to_xyxy(none), ops.xyxy_to_xywh(none)):
        assert result.shape == (0, 4)


@pytest.mark.parametrize(
    ("box", "iou", "giou"),
    [
        (UNIT, 1.0, 1.0),
        ([1.0, 0.0, 3.0, 2.0], 2 / 6, 2 / 6),  # the hull is the union
        ([1.0, 1.0, 3.0, 3.0], 1 / 7, 1 / 7 - 2 / 9),
        ([0.0, 0.0, 1.0, 1.0], 1 / 4, 1 / 4),  # inside
        ([2.0, 0.0, 4.0, 2.0], 0.0, 0.0),  # touching
        ([4.0, 0.0, 6.0, 2.0], 0.0, -4 / 12),  # apart
        ([3.0, 3.0, 5.0, 5.0], 0.0, -17 / 25),  # apart in both: two negative sides are no overlap
        ([1.0, 1.0, 1.0, 1.0], 0.0, 0.0),  # a point inside
        ([2.0, 2.0, 0.0, 0.0], 0.0, 0.0),  # inside out
    ],
)
def test_overlap_with_a_two_by_two_box(box: list[float], iou: float, giou: float) -> None:
    a, b = torch.tensor([UNIT]), torch.tensor([box])
    assert float(ops.paired_iou(a, b)) == pytest.approx(iou, abs=1e-6)
    assert float(ops.pairwise_iou(a, b)) == pytest.approx(iou, abs=1e-6)
    assert float(ops.pairwise_iou(b, a)) == pytest.approx(iou, abs=1e-6)
    assert float(ops.paired_giou(a, b)) == pytest.approx(giou, abs=1e-6)


def test_two_points_in_one_place_overlap_nothing() -> None:
    point = torch.ones(1, 4)
    assert float(ops.paired_iou(point, point)) == float(ops.pairwise_iou(point, point)) == 0
    assert float(ops.paired_giou(point, point)) == 0


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_pairwise_is_the_slow_loop(rows: int, columns: int, seed: int) -> None:
    a, b = random_boxes(rows, seed), random_boxes(columns, seed + 1)
    expected = torch.tensor([[slow_iou(x, y) for y in b.tolist()] for x in a.tolist()])
    torch.testing.assert_close(ops.pairwise_iou(a, b), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ops.pairwise_iou(b, a), ops.pairwise_iou(a, b).t())


def test_pairwise_is_the_same_cut_into_pieces() -> None:
    a, b = random_boxes(7, 0), random_boxes(30_000, 1)  # more than one piece
    whole = ops.pairwise_iou(a, b)
    torch.testing.assert_close(whole[:, -5:], ops.pairwise_iou(a, b[-5:]), atol=0, rtol=0)
    torch.testing.assert_close(whole[3], ops.paired_iou(a[3].expand_as(b), b), atol=1e-6, rtol=1e-6)


def test_giou_gradients_are_right_and_finite_for_empty_boxes() -> None:
    a = random_boxes(6, 3, torch.float64).requires_grad_()
    b = random_boxes(6, 4, torch.float64)
    assert torch.autograd.gradcheck(ops.paired_giou, (a, b))
    point = torch.ones(2, 4, requires_grad=True)
    ops.paired_giou(point, torch.tensor([UNIT, [1.0, 1.0, 1.0, 1.0]])).sum().backward()
    assert point.grad is not None
    assert point.grad.isfinite().all()


def test_clip_keeps_boxes_inside_the_image() -> None:
    box = torch.tensor([[-3.0, -4.0, 50.0, 60.0], [5.0, 6.0, 7.0, 8.0], [30.0, 40.0, 90.0, 99.0]])
    expected = torch.tensor([[0.0, 0.0, 20.0, 10.0], [5.0, 6.0, 7.0, 8.0], [20.0, 10.0, 20.0, 10.0]])
    assert torch.equal(ops.clip(box, (10, 20)), expected)


def test_flip_mirrors_and_undoes_itself() -> None:
    assert ops.flip(torch.tensor([[1.0, 2.0, 4.0, 6.0]]), 10).tolist() == [[6.0, 2.0, 9.0, 6.0]]
    boxes = random_boxes(20, 5)
    torch.testing.assert_close(ops.flip(ops.flip(boxes, 200), 200), boxes)
    torch.testing.assert_close(ops.area(ops.flip(boxes, 200)), ops.area(boxes))


def test_formats_translate_there_and_back() -> None:
    assert ops.xywh_to_xyxy(torch.tensor([[1.0, 2.0, 3.0, 4.0]])).tolist() == [[1.0, 2.0, 4.0, 6.0]]
    boxes = random_boxes(20, 6)
    torch.testing.assert_close(ops.xywh_to_xyxy(ops.xyxy_to_xywh(boxes)), boxes)
