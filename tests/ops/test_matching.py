"""Assignment of anchors: a hand-made table for each rule, and the plain loop on random tables."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from amidst.ops.matching import BACKGROUND, IGNORED, LowQuality, match

#                       0    1    2    3    4    5    6    7
TABLE = torch.tensor(
    [
        [0.90, 0.50, 0.49, 0.40, 0.39, 0.00, 0.00, 0.30],
        [0.10, 0.60, 0.00, 0.45, 0.00, 0.00, 0.10, 0.60],
        [0.00, 0.00, 0.00, 0.45, 0.20, 0.00, 0.00, 0.00],  # best is anchor 3, at .45, which prefers object 1
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.35, 0.00],  # best is anchor 6, at .35
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00],  # touched by no anchor: claims none
    ]
)
EXPECTED: dict[LowQuality, list[int]] = {
    "none": [0, 1, IGNORED, IGNORED, BACKGROUND, BACKGROUND, BACKGROUND, 1],
    "detectron": [0, 1, IGNORED, 1, BACKGROUND, BACKGROUND, BACKGROUND, 1],
    "all": [0, 1, IGNORED, 1, BACKGROUND, BACKGROUND, 3, 1],
}


def slow_match(iou: Tensor, positive: float, negative: float, low_quality: LowQuality) -> list[int]:
    labels = []
    for n in range(iou.shape[1]):
        column = iou[:, n]
        best = max(range(len(column)), key=lambda g: float(column[g]))  # the first of equals
        is_best = any(float(column[g]) > 0 and column[g] == iou[g].max() for g in range(len(column)))
        if column[best] >= positive or (is_best and low_quality == "all"):
            labels.append(best)
        elif column[best] < negative:
            labels.append(BACKGROUND)
        else:
            labels.append(best if is_best and low_quality == "detectron" else IGNORED)
    return labels


@pytest.mark.parametrize("low_quality", ["none", "detectron", "all"])
@pytest.mark.parametrize("anchors", [0, 3])
def test_without_objects_everything_is_background(low_quality: LowQuality, anchors: int) -> None:
    matched = match(torch.zeros(0, anchors), 0.5, 0.4, low_quality)
    assert matched.dtype == torch.int64
    assert matched.tolist() == [BACKGROUND] * anchors


@pytest.mark.parametrize("low_quality", ["none", "detectron", "all"])
def test_without_anchors_nothing_is_matched(low_quality: LowQuality) -> None:
    assert match(torch.zeros(2, 0), 0.5, 0.4, low_quality).shape == (0,)


@pytest.mark.parametrize("low_quality", ["none", "detectron", "all"])
def test_table(low_quality: LowQuality) -> None:
    matched = match(TABLE, 0.5, 0.4, low_quality)
    assert matched.dtype == torch.int64
    assert matched.tolist() == EXPECTED[low_quality]
    assert slow_match(TABLE, 0.5, 0.4, low_quality) == EXPECTED[low_quality]


def test_all_ties_of_an_object_are_claimed() -> None:
    assert match(torch.tensor([[0.2, 0.2, 0.1]]), 0.7, 0.3, "all").tolist() == [0, 0, BACKGROUND]


@pytest.mark.parametrize("low_quality", ["none", "detectron", "all"])
@pytest.mark.parametrize(("positive", "negative"), [(0.5, 0.4), (0.7, 0.3), (0.5, 0.5)])
@pytest.mark.parametrize("seed", range(5))
def test_random_tables(low_quality: LowQuality, positive: float, negative: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    iou = torch.rand(6, 50, generator=generator).mul(20).round().div(20)  # steps of .05: many ties
    iou[:, ::3] *= 0.5
    iou[3] = 0
    assert match(iou, positive, negative, low_quality).tolist() == slow_match(
        iou, positive, negative, low_quality
    )
