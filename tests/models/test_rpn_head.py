"""The RPN's head: order of its outputs, branches, sizes."""

from __future__ import annotations

import pytest
import torch

from amidst.errors import ConfigError
from amidst.models.config_rcnn import RPNAnchorConfig, RPNHeadConfig, RPNPartConfig
from amidst.models.rpn_head import CACHED_SIZES, RPNHead, sizes_by_map


def test_sizes_one_a_level_or_all_on_a_single_map() -> None:
    assert sizes_by_map(RPNAnchorConfig(sizes=(8.0, 16.0)), 2) == ((8.0,), (16.0,))
    assert sizes_by_map(RPNAnchorConfig(sizes=(8.0, 16.0)), 1) == ((8.0, 16.0),)
    with pytest.raises(ConfigError, match="5 sizes for 4 levels"):
        sizes_by_map(RPNAnchorConfig(), 4)


def test_outputs_stand_in_the_order_of_the_anchors() -> None:
    """A head that copies the cell's number tells which cell an output is of; the bias, which anchor."""
    head = RPNHead(RPNPartConfig(anchors=RPNAnchorConfig(sizes=(8.0, 16.0))), 2, [4])
    branch = head.branches[0]
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        branch.conv.conv.weight[0, 0, 1, 1] = 1  # type: ignore[union-attr, index]
        branch.objectness.weight[:, 0] = 1  # type: ignore[union-attr, index, operator]
        branch.objectness.bias.copy_(torch.arange(6) / 10)  # type: ignore[union-attr, operator]
    cells = torch.arange(15.0).view(1, 1, 3, 5).expand(1, 2, 3, 5)
    outputs = head([cells], (32, 48))
    assert outputs.class_logits[0].shape == (1, 90, 1)
    assert outputs.box_codes[0].shape == (1, 90, 4)
    expected = torch.arange(15.0)[:, None] + torch.arange(6) / 10
    torch.testing.assert_close(outputs.class_logits[0].view(15, 6), expected)
    anchors = outputs.anchors_xyxy[0].view(15, 6, 4)
    centres = (anchors[:, :, :2] + anchors[:, :, 2:]) / 2
    torch.testing.assert_close(centres[6], torch.full((6, 2), 6.0))  # cell (1, 1) at stride 4
    sides = (anchors[0, :, 2:] - anchors[0, :, :2]).prod(dim=1).sqrt()
    torch.testing.assert_close(sides, torch.tensor([8.0, 8, 8, 16, 16, 16]))


@pytest.mark.parametrize(("shared", "branches"), [(True, 1), (False, 2)])
def test_one_branch_for_all_levels_or_one_for_each(shared: bool, branches: int) -> None:
    config = RPNPartConfig(
        anchors=RPNAnchorConfig(sizes=(8.0, 16.0)), head=RPNHeadConfig(shared=shared, channels=5)
    )
    head = RPNHead(config, 3, [4, 8])
    assert len(head.branches) == branches
    maps = [torch.randn(2, 3, 4, 6), torch.randn(2, 3, 2, 3)]
    outputs = head(maps, (64, 64))
    assert [x.shape for x in outputs.class_logits] == [(2, 72, 1), (2, 18, 1)]
    again = head.branches[-1](maps[1])[0]
    assert torch.equal(outputs.class_logits[1], again)
    sigma = torch.cat([p.detach().flatten() for p in head.parameters() if p.ndim > 1]).std()
    assert float(sigma) == pytest.approx(0.01, rel=0.3)


def test_anchors_are_kept_for_few_sizes_and_serve_training_after_prediction() -> None:
    head = RPNHead(RPNPartConfig(anchors=RPNAnchorConfig(sizes=(8.0,))), 2, [4])
    with torch.inference_mode():
        head([torch.randn(1, 2, 3, 3)], (48, 48))
    outputs = head([torch.randn(1, 2, 3, 3, requires_grad=True)], (48, 48))
    assert not outputs.anchors_xyxy[0].is_inference()
    for width in range(1, 2 * CACHED_SIZES):
        head.anchors(((1, width),), (8, 8 * width), torch.device("cpu"))
    assert len(head._anchors) == CACHED_SIZES
