"""From objectness to proposals."""

from __future__ import annotations

import torch

from amidst.models.config_rcnn import RPNDecodeConfig
from amidst.models.rpn_decode import SINGLE_MAP, decode_proposals
from amidst.models.structures import DenseOutputs, Detections

CONFIG = RPNDecodeConfig()


def decode(
    levels: list[tuple[list[float], list[list[float]]]],
    config: RPNDecodeConfig = CONFIG,
    for_training: bool = False,
) -> Detections:
    """Levels of (logits, anchors), codes zero, in an image of 100 x 100."""
    outputs = DenseOutputs(
        tuple(torch.tensor(logits).view(1, -1, 1) for logits, _ in levels),
        tuple(torch.zeros(1, len(logits), 4) for logits, _ in levels),
        tuple(torch.tensor(anchors).view(-1, 4) for _, anchors in levels),
    )
    return decode_proposals(outputs, [(100, 100)], config, for_training=for_training)[0]


def test_no_anchors() -> None:
    found = decode([([], []), ([], [])])
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)


def test_clips_drops_and_sorts() -> None:
    anchors = [[10.0, 10, 30, 30], [-10, 50, 20, 120], [99.5, 40, 130, 80], [110, 0, 150, 40]]
    found = decode([([1.0, 2.0, 3.0, 4.0], anchors)])
    # The third keeps half a pixel of width, the fourth nothing.
    assert found.boxes_xyxy.tolist() == [[0, 50, 20, 100], [10, 10, 30, 30]]
    torch.testing.assert_close(found.scores, torch.tensor([2.0, 1.0]).sigmoid())
    assert found.class_index.tolist() == [0, 0]


def test_suppresses_within_a_level_and_not_across() -> None:
    box, near = [10.0, 10, 30, 30], [10.0, 10, 30, 31]  # IoU 20/21
    assert decode([([1.0, 2.0], [box, near])]).boxes_xyxy.tolist() == [near]
    assert decode([([1.0], [box]), ([2.0], [near])]).boxes_xyxy.tolist() == [near, box]


def test_the_best_of_each_level_then_the_best_of_all() -> None:
    boxes = [[20.0 * i, 0, 20 * i + 10, 10] for i in range(5)]
    fine, coarse = ([5.0, 4, 3, 2, 1], boxes), ([4.5, 0.5], [[0.0, 50, 10, 60], [50, 50, 60, 60]])
    config = RPNDecodeConfig(test_candidates=2, test_count=3, train_candidates=3, train_count=10)
    assert (
        decode([fine, coarse], config).scores.logit().tolist()
        == torch.tensor([5.0, 4.5, 4]).sigmoid().logit().tolist()
    )
    assert len(decode([fine, coarse], config, for_training=True)) == 5  # 3 + 2


def test_a_single_map_takes_six_times_as_many_candidates() -> None:
    """12,000 and 6,000 where a level of the pyramid has 2,000 and 1,000."""
    boxes = [
        [10.0 * (i % 10), 10.0 * (i // 10), 10.0 * (i % 10) + 5, 10.0 * (i // 10) + 5] for i in range(50)
    ]
    config = RPNDecodeConfig(test_candidates=2)
    assert len(decode([([0.0] * 50, boxes)], config)) == 2 * SINGLE_MAP == 12
