"""Targets and detections."""

from __future__ import annotations

import torch

from amidst.models.structures import Detections, Target


def test_move_between_devices() -> None:
    target = Target(torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64)).to("meta")
    assert {target.boxes_xyxy.device.type, target.class_index.device.type} == {"meta"}
    found = Detections(torch.zeros(2, 4), torch.zeros(2), torch.zeros(2, dtype=torch.int64)).to("meta")
    assert {found.boxes_xyxy.device.type, found.scores.device.type, found.class_index.device.type} == {"meta"}
    assert len(found) == 2
