from __future__ import annotations

import pytest
import torch
from torch import nn

from amidst.training.config import OptimConfig
from amidst.training.optim import clip, gradients, make_optimiser, parameter_groups, set_rate


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4))
        self.head = nn.Conv2d(4, 2, 1)
        self.frozen = nn.Conv2d(2, 2, 1).requires_grad_(False)


def test_no_gradients_have_norm_zero() -> None:
    optimiser = make_optimiser(Net(), OptimConfig())
    assert gradients(optimiser) == []
    assert float(clip(optimiser, 1.0)) == 0.0


def test_vectors_are_not_decayed_and_the_backbone_learns_more_slowly() -> None:
    net = Net()
    groups = parameter_groups(net, OptimConfig(weight_decay=0.1, backbone_lr_factor=0.25))
    found = {(group["factor"], group["weight_decay"]): group["params"] for group in groups}
    assert found.keys() == {(0.25, 0.1), (0.25, 0.0), (1.0, 0.1), (1.0, 0.0)}
    assert found[0.25, 0.1] == [net.backbone[0].weight]
    assert len(found[0.25, 0.0]) == 3
    assert found[1.0, 0.1] == [net.head.weight]
    assert found[1.0, 0.0] == [net.head.bias]


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_rates_follow_the_factor(kind: str) -> None:
    optimiser = make_optimiser(Net(), OptimConfig(kind=kind, backbone_lr_factor=0.5))
    set_rate(optimiser, 0.2)
    assert {group["factor"]: group["lr"] for group in optimiser.param_groups} == {0.5: 0.1, 1.0: 0.2}


@pytest.mark.parametrize(("limit", "after"), [(None, 5.0), (10.0, 5.0), (1.0, 1.0)])
def test_clipping_scales_all_gradients_together(limit: float | None, after: float) -> None:
    net = nn.Linear(2, 1, bias=False)
    optimiser = make_optimiser(net, OptimConfig())
    net.weight.grad = torch.tensor([[3.0, 4.0]])
    assert float(clip(optimiser, limit)) == pytest.approx(5.0)
    assert float(net.weight.grad.norm()) == pytest.approx(after, rel=1e-5)
    assert float(net.weight.grad[0, 0] / net.weight.grad[0, 1]) == pytest.approx(0.75)
