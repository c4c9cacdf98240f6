from __future__ import annotations

import pytest
import torch
from torch import nn

from amidst.training.ema import WeightAverage


def test_before_the_first_update_the_average_is_the_model() -> None:
    net = nn.Linear(2, 1)
    average = WeightAverage(net, 0.9)
    assert torch.equal(average.values["weight"], net.weight)


def test_the_average_ramps_up_and_stays_float32() -> None:
    net = nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    nn.init.zeros_(net.weight)
    average = WeightAverage(net, 0.5)
    expected, decays = 0.0, [1 / 10, 2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 9 / 18, 0.5]
    for value, decay in enumerate(decays, start=1):
        nn.init.constant_(net.weight, value)
        average.update()
        expected = decay * expected + (1 - decay) * value
    assert average.values["weight"].dtype == torch.float32
    assert float(average.values["weight"]) == pytest.approx(expected, rel=1e-5)


def test_applied_exchanges_and_gives_back_even_after_an_error() -> None:
    net = nn.Linear(1, 1)
    net.bias.requires_grad_(False)
    average = WeightAverage(net, 0.9)
    before = net.weight.detach().clone()
    average.values["weight"].fill_(5.0)
    seen = []

    def validate() -> None:
        with average.applied():
            seen.append(net.weight.tolist())
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        validate()
    assert seen == [[[5.0]]]
    assert torch.equal(net.weight, before)
    assert float(average.values["weight"]) == 5.0
    assert average.values.keys() == {"weight"}
