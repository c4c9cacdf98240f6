"""From raw outputs to detections."""

from __future__ import annotations

import math

import pytest
import torch

from amidst.models.config import DecodeConfig
from amidst.models.retinanet_decode import BLOCK, _above, decode_detections
from amidst.models.structures import DenseOutputs

NO = -20.0


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def one_level(anchors: list[list[float]], logits: list[list[float]]) -> DenseOutputs:
    boxes = torch.tensor(anchors)
    return DenseOutputs((torch.tensor([logits]),), (torch.zeros(1, len(boxes), 4),), (boxes,))


def test_an_anchor_may_give_several_classes() -> None:
    out = one_level([[0.0, 0, 10, 10]], [[logit(0.9), NO, logit(0.6)]])
    (found,) = decode_detections(out, [(20, 20)], DecodeConfig())
    assert found.class_index.tolist() == [0, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.6])
    assert found.boxes_xyxy.tolist() == [[0, 0, 10, 10]] * 2


def test_threshold_is_exclusive_and_suppression_is_within_a_class() -> None:
    anchors = [[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9], [5, 5, 15, 15]]
    out = one_level(anchors, [[logit(0.9), NO], [logit(0.8), NO], [NO, logit(0.7)], [logit(0.049), NO]])
    (found,) = decode_detections(out, [(20, 20)], DecodeConfig())
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert found.class_index.tolist() == [0, 1]


def test_boxes_are_clipped_to_the_image_and_padding_holds_none() -> None:
    anchors = [[-5.0, -5, 10, 30], [25, 0, 35, 10]]  # the second lies in the padding, right of 24
    out = one_level(anchors, [[logit(0.9)], [logit(0.8)]])
    (found,) = decode_detections(out, [(20, 24)], DecodeConfig())
    assert found.boxes_xyxy.tolist() == [[0, 0, 10, 20]]


def test_limits_per_level_and_in_all() -> None:
    anchors = torch.arange(40.0)[:, None] * 20 + torch.tensor([0.0, 0, 10, 10])
    logits = torch.linspace(-1, 1, 40)[None, :, None]
    out = DenseOutputs((logits, logits + 5), (torch.zeros(1, 40, 4),) * 2, (anchors, anchors + 1000))
    (found,) = decode_detections(
        out, [(9999, 9999)], DecodeConfig(candidates_per_level=10, max_detections=15)
    )
    assert len(found) == 15
    assert torch.equal(found.scores, found.scores.sort(descending=True).values)
    assert int((found.boxes_xyxy[:, 0] >= 1000).sum()) == 10


@pytest.mark.parametrize("batch", [0, 2])
def test_nothing_found(batch: int) -> None:
    out = DenseOutputs((torch.full((batch, 6, 3), NO),), (torch.zeros(batch, 6, 4),), (torch.ones(6, 4),))
    found = decode_detections(out, [(20, 20)] * batch, DecodeConfig())
    assert [len(d) for d in found] == [0] * batch
    assert all(d.boxes_xyxy.shape == (0, 4) for d in found)


def test_images_are_decoded_apart_and_without_a_graph() -> None:
    logits = torch.tensor([[[logit(0.9)]], [[NO]]], requires_grad=True)
    out = DenseOutputs((logits,), (torch.zeros(2, 1, 4),), (torch.tensor([[0.0, 0, 10, 10]]),))
    first, second = decode_detections(out, [(20, 20)] * 2, DecodeConfig())
    assert (len(first), len(second)) == (1, 0)
    assert not first.scores.requires_grad


def test_low_precision_and_wild_values() -> None:
    logits = torch.tensor([[[100.0], [math.nan], [3.0]]], dtype=torch.bfloat16)
    codes = torch.tensor([[[0.0, 0, 99, 99], [0, 0, 0, 0], [0, 0, 0, 0]]], dtype=torch.bfloat16)
    out = DenseOutputs((logits,), (codes,), (torch.tensor([[0.0, 0, 10, 10]] * 3),))
    (found,) = decode_detections(out, [(20, 20)], DecodeConfig())
    assert found.scores.dtype == torch.float32
    assert found.boxes_xyxy[0].tolist() == [0, 0, 20, 20]
    assert bool(found.scores.isfinite().all())


@pytest.mark.parametrize("number", [0, 1, BLOCK - 1, BLOCK, 5 * BLOCK + 17])
@pytest.mark.parametrize("threshold", [-math.inf, 0.0, 2.0, math.inf])
def test_search_by_blocks_finds_all(number: int, threshold: float) -> None:
    torch.manual_seed(0)
    values = torch.randn(number)
    values[::97] = math.nan
    assert torch.equal(_above(values, threshold), (values > threshold).nonzero()[:, 0])


def test_threshold_zero_and_one() -> None:
    out = one_level([[0.0, 0, 10, 10]], [[NO]])
    assert len(decode_detections(out, [(20, 20)], DecodeConfig(score_threshold=0.0))[0]) == 1
    assert len(decode_detections(out, [(20, 20)], DecodeConfig(score_threshold=1.0))[0]) == 0
