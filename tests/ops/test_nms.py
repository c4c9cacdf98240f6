"""Suppression: the rule by hand, then the plain greedy loop as the judge on many kinds of boxes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from amidst.ops.nms import nms, nms_by_class


def slow_nms(boxes: Tensor, scores: Tensor, iou: float, class_index: Tensor | None = None) -> list[int]:
    """The rule as written, one box after the other, in float64."""
    kept: list[int] = []
    rows = boxes.double().tolist()
    classes = [0] * len(rows) if class_index is None else class_index.tolist()
    values = scores.tolist()
    for j in sorted(range(len(rows)), key=lambda n: -values[n]):  # sorted is stable
        x1, y1, x2, y2 = rows[j]
        area = max(0, x2 - x1) * max(0, y2 - y1)
        for i in kept:
            if classes[i] != classes[j]:
                continue
            u1, v1, u2, v2 = rows[i]
            inter = max(0, min(x2, u2) - max(x1, u1)) * max(0, min(y2, v2) - max(y1, v1))
            if inter > iou * (area + max(0, u2 - u1) * max(0, v2 - v1) - inter):
                break
        else:
            kept.append(j)
    return kept


def crowd(count: int, clusters: int, seed: int, spread: float = 0.15) -> tuple[Tensor, Tensor]:
    """Boxes around a few places, as a detector gives them, with continuous scores."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(clusters, 2, generator=generator) * 1000
    side = torch.rand(clusters, 2, generator=generator) * 200 + 20
    of = torch.randint(0, clusters, (count,), generator=generator)
    wobble = torch.randn(count, 2, generator=generator)
    centres = centre[of] + wobble * side[of] * spread
    sides = side[of] * torch.exp(torch.randn(count, 2, generator=generator) * spread)
    scores = torch.randperm(count, generator=generator) / max(count, 1)
    return torch.cat((centres - sides / 2, centres + sides / 2), dim=1), scores


def test_no_boxes() -> None:
    none, scores = torch.zeros(0, 4), torch.zeros(0)
    for kept in (nms(none, scores, 0.5), nms_by_class(none, scores, scores.long(), 0.5)):
        assert kept.dtype == torch.int64
        assert kept.shape == (0,)


def test_one_box() -> None:
    assert nms(torch.ones(1, 4), torch.ones(1), 0.5).tolist() == [0]


def test_by_hand() -> None:
    boxes = torch.tensor(
        [
            [0.0, 0.0, 10.0, 10.0],  # .6: suppressed by 2
            [0.0, 0.0, 10.0, 5.0],  # .9: IoU with 2 is 50 / 90
            [0.0, 0.0, 10.0, 9.0],  # .95: best
            [20.0, 0.0, 30.0, 10.0],  # .1: alone
        ]
    )
    assert nms(boxes, torch.tensor([0.6, 0.9, 0.95, 0.1]), 0.5).tolist() == [2, 3]
    assert nms(boxes, torch.tensor([0.6, 0.9, 0.95, 0.1]), 0.6).tolist() == [2, 1, 3]
    classes = torch.tensor([0, 7, 0, 0])
    assert nms_by_class(boxes, torch.tensor([0.6, 0.9, 0.95, 0.1]), classes, 0.5).tolist() == [2, 1, 3]


def test_a_suppressed_box_suppresses_nothing() -> None:
    """A chain in which each box overlaps the next: every second one stays."""
    x = torch.arange(600.0) * 3
    chain = torch.stack((x, torch.zeros(600), x + 10, torch.ones(600)), dim=1)
    scores = torch.linspace(1, 0.1, 600)
    assert nms(chain, scores, 0.5).tolist() == list(
        range(0, 600, 2)
    )  # neighbours: 7 / 13; next but one: 4 / 16


def test_equal_scores_keep_the_order_of_the_input() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0]]).repeat(700, 1)
    boxes[1::2] += 100
    assert nms(boxes, torch.ones(700), 0.5).tolist() == [0, 1]
    apart = torch.arange(700.0)[:, None] * 20 + torch.tensor([0.0, 0.0, 10.0, 10.0])
    assert nms(apart, torch.ones(700), 0.5).tolist() == list(range(700))
    assert nms_by_class(apart, torch.ones(700), torch.arange(700) % 3, 0.5).tolist() == list(range(700))


@pytest.mark.parametrize("iou", [0.3, 0.5, 0.6, 0.7, 0.9])
def test_an_overlap_equal_to_the_threshold_stays(iou: float) -> None:
    """Whole pixels whose IoU is the threshold itself, for many sizes."""
    tenths = round(iou * 10)
    unit = torch.arange(1, 400).float()
    zero, one = torch.zeros_like(unit), torch.ones_like(unit) * 3
    outer = torch.stack((zero, zero, unit * 10, one), dim=1)
    inner = torch.stack((zero, zero, unit * tenths, one), dim=1)
    boxes, scores = torch.cat((outer, inner)), torch.cat((one, zero))
    classes = torch.arange(len(unit)).repeat(2)
    assert len(nms_by_class(boxes, scores, classes, iou)) == len(boxes)
    inner[:, 2] += 0.01 * unit
    assert len(nms_by_class(torch.cat((outer, inner)), scores, classes, iou)) == len(unit)


def test_degenerate_and_broken_boxes_neither_suppress_nor_spread() -> None:
    good = [0.0, 0.0, 10.0, 10.0]
    nan, inf = float("nan"), float("inf")
    odd = [[5.0, 5.0, 5.0, 5.0], [9.0, 9.0, 1.0, 1.0], [nan, 0.0, 10.0, 10.0], [0.0, 0.0, inf, inf]]
    boxes = torch.tensor([*odd, *odd, good, good])
    scores = torch.linspace(1, 0.5, 10)
    assert nms(boxes, scores, 0.5).tolist() == list(range(9))


@pytest.mark.parametrize(("count", "clusters"), [(2, 1), (63, 5), (129, 3), (700, 7), (900, 400), (1200, 1)])
@pytest.mark.parametrize("iou", [0.0, 0.3, 0.5, 0.75])
def test_crowds(count: int, clusters: int, iou: float) -> None:
    boxes, scores = crowd(count, clusters, seed=count)
    assert nms(boxes, scores, iou).tolist() == slow_nms(boxes, scores, iou)


def test_a_block_without_a_living_box() -> None:
    """The first box suppresses the whole second block, and too few in all for the dead to be cleared away."""
    apart = torch.arange(2000.0)[:, None] * 20 + torch.tensor([500.0, 500.0, 510.0, 510.0])
    boxes = torch.cat((torch.zeros(1, 4), apart))
    boxes[0] = torch.tensor([0.0, 0.0, 10.0, 10.0])
    boxes[128:400] = boxes[0]
    expected = [*range(128), *range(400, 2001)]
    assert nms(boxes, torch.linspace(1, 0, 2001), 0.5).tolist() == expected


@pytest.mark.parametrize("sizes", [(3, 17, 40), (128, 180, 180 * 180), (2048, 2048, 1 << 24)])
def test_any_sizes_of_blocks_and_tiles(sizes: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one thread, several threads, an accelerator."""
    boxes, scores = crowd(500, 30, seed=8)
    classes = (torch.arange(500) % 7 == 0).long()
    monkeypatch.setattr("amidst.ops.nms._sizes", lambda device: sizes)
    assert nms(boxes, scores, 0.5).tolist() == slow_nms(boxes, scores, 0.5)
    assert nms_by_class(boxes, scores, classes, 0.5).tolist() == slow_nms(boxes, scores, 0.5, classes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_coordinates(dtype: torch.dtype) -> None:
    """Nothing is shifted by class, so far-away boxes lose no digits."""
    boxes, scores = crowd(600, 40, seed=1)
    boxes = boxes.round().to(dtype) + 100_000
    classes = torch.arange(600) % 90
    assert nms_by_class(boxes, scores, classes, 0.5).tolist() == slow_nms(boxes, scores, 0.5, classes)


@pytest.mark.parametrize("shape", ["even", "skewed", "one", "all different", "some large"])
def test_classes(shape: str) -> None:
    boxes, scores = crowd(1500, 12, seed=9)
    generator = torch.Generator().manual_seed(3)
    uniform = torch.rand(1500, generator=generator)
    classes = {
        "even": (uniform * 80).long(),
        "skewed": (uniform**3 * 80).long() + 11,
        "one": torch.full((1500,), 4),
        "all different": torch.randperm(1500, generator=generator),
        "some large": (uniform * 4).long() * 1000 - 7,
    }[shape]
    kept = nms_by_class(boxes, scores, classes, 0.5)
    assert kept.tolist() == slow_nms(boxes, scores, 0.5, classes)


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 9), st.integers(0, 9)), max_size=60
    ),
    st.sampled_from([0.0, 0.25, 0.5, 0.7]),
    st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_small_whole_numbers(rows: list[tuple[int, int, int, int]], iou: float, seed: int) -> None:
    """Full of ties, in overlap and in score."""
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, 5, (len(boxes),), generator=generator) / 5
    classes = torch.randint(0, 3, (len(boxes),), generator=generator)
    assert nms(boxes, scores, iou).tolist() == slow_nms(boxes, scores, iou)
    assert nms_by_class(boxes, scores, classes, iou).tolist() == slow_nms(boxes, scores, iou, classes)


def test_many_boxes_need_little_memory() -> None:
    """20,000 boxes are 1.6 GB of overlaps; scores descend along the result, which is a fixed point."""
    boxes, scores = crowd(20_000, 150, seed=2, spread=0.1)
    kept = nms(boxes, scores, 0.5)
    assert (scores[kept].diff() < 0).all()
    assert torch.equal(nms(boxes[kept], scores[kept], 0.5), torch.arange(len(kept)))
    assert len(kept) < 4000


def test_half_precision_boxes_are_compared_in_float32() -> None:
    boxes, scores = crowd(300, 10, seed=4)
    boxes = boxes.half()
    assert nms(boxes, scores, 0.5).tolist() == slow_nms(boxes, scores, 0.5)
