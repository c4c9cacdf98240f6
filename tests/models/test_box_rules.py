"""What happens around suppression, by hand."""

from __future__ import annotations

import pytest
import torch

from amidst.models.box_rules import merge, not_empty, placing
from amidst.models.config import BoxRulesConfig, DecodeConfig, GridConfig
from amidst.models.structures import Detections

BOXES = torch.tensor([[-40.0, 0, 10, 10], [0.0, 0, 10, 10], [-9.0, 0, -1, 9], [0.0, 0, 0.005, 9]])


def found(rules: BoxRulesConfig, number: int = 9) -> list[list[float]]:
    candidates = Detections(BOXES, torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.zeros(4, dtype=torch.int64))
    decode = DecodeConfig(boxes=rules, max_detections=number)
    boxes: list[list[float]] = merge(candidates, (20, 20), decode).boxes_xyxy.tolist()
    return boxes


def test_no_candidates_give_no_detections() -> None:
    none = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    for clip in ("before_nms", "after_nms"):
        assert len(merge(none, (5, 5), DecodeConfig(boxes=BoxRulesConfig(clip=clip)))) == 0


def test_order_of_clipping_decides_who_suppresses_whom() -> None:
    whole, sliver = [0.0, 0, 10, 10], [0.0, 0, BOXES[3, 2].item(), 9]
    assert found(BoxRulesConfig()) == [whole, sliver]  # clipped, the first two are the same
    after = found(BoxRulesConfig(clip="after_nms", drop_empty="after_nms"))
    assert after == [whole, whole, sliver]  # before, they overlap by a fifth


@pytest.mark.parametrize(
    ("drop", "number", "count"), [("before_nms", 3, 2), ("after_nms", 2, 1), ("never", 3, 3)]
)
def test_boxes_outside_the_image_go_before_or_after_counting_or_stay(
    drop: str, number: int, count: int
) -> None:
    assert len(found(BoxRulesConfig(drop_empty=drop), number)) == count  # type: ignore[arg-type]


def test_least_sides() -> None:
    assert not_empty(BOXES, 0.0).tolist() == [True, True, True, True]
    assert not_empty(BOXES, 0.01).tolist() == [True, True, True, False]
    assert not_empty(torch.tensor([[0.0, 0, 0, 5], [5.0, 5, 4, 6]]), 0.0).tolist() == [False, False]


def test_placing_of_a_configuration() -> None:
    ours = placing(GridConfig(), (64, 64))
    assert (ours.offset, ours.image_hw, ours.whole_pixels) == (0.5, None, False)
    theirs = placing(GridConfig(centre="corner", stride="fitted", whole_pixels=True), (64, 96))
    assert (theirs.offset, theirs.image_hw, theirs.whole_pixels) == (0.0, (64, 96), True)
