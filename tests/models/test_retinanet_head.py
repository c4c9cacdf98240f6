"""The two subnets: initial values and the order of their outputs."""

from __future__ import annotations

import pytest
import torch

from amidst.models.config import HeadConfig
from amidst.models.retinanet_head import box_subnet, class_subnet


def test_initial_values() -> None:
    subnet = class_subnet(HeadConfig(), 256, 9, 80)
    bias = subnet.predict.bias
    assert bias is not None
    assert torch.allclose(bias, torch.tensor(-4.59511985))
    weight = subnet.predict.weight.detach()
    assert float(weight.std()) == pytest.approx(0.01, rel=0.02)
    assert abs(float(weight.mean())) < 1e-4
    assert not subnet.tower[0].get_parameter("conv.bias").any()


def test_outputs_run_over_cells_then_anchors_then_classes() -> None:
    torch.manual_seed(0)
    subnet = class_subnet(HeadConfig(convs=0), 4, 2, 3)
    x = torch.randn(1, 4, 5, 6)
    (out,) = subnet([x])
    raw = subnet.predict(x)  # (1, 2 * 3, 5, 6)
    assert out.shape == (1, 5 * 6 * 2, 3)
    row, column, anchor, class_index = 3, 4, 1, 2
    assert (
        out[0, (row * 6 + column) * 2 + anchor, class_index] == raw[0, anchor * 3 + class_index, row, column]
    )


@pytest.mark.parametrize("norm", ["none", "group"])
def test_levels_share_one_subnet(norm: str) -> None:
    subnet = box_subnet(HeadConfig(convs=2, channels=32, norm=norm), 32, 9)  # type: ignore[arg-type]
    x = torch.randn(2, 32, 8, 8)
    first, second = subnet([x, x[:, :, :4, :4]])
    assert first.shape == (2, 576, 4)
    assert second.shape == (2, 144, 4)
