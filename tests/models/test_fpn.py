"""The pyramid: levels, sizes, switches, initial values."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from amidst.errors import ConfigError
from amidst.models.config import FPNConfig
from amidst.models.fpn import FPN

CHANNELS = (8, 12, 16, 24)


def features(size_hw: tuple[int, int]) -> list[Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(1, channels, -(-size_hw[0] // 2**level), -(-size_hw[1] // 2**level))
        for channels, level in zip(CHANNELS, (2, 3, 4, 5), strict=True)
    ]


@pytest.mark.parametrize("size_hw", [(128, 256), (97, 129), (31, 500), (1, 1)])
@pytest.mark.parametrize("extra_from", ["C5", "P5", "pool"])
def test_each_level_is_half_of_the_one_before(size_hw: tuple[int, int], extra_from: str) -> None:
    config = FPNConfig(channels=32, min_level=2, max_level=7, extra_from=extra_from)  # type: ignore[arg-type]
    fpn = FPN(config, CHANNELS)
    pyramid = fpn(features(size_hw))
    assert fpn.strides == (4, 8, 16, 32, 64, 128)
    for level, stride in zip(pyramid, fpn.strides, strict=True):
        assert level.shape == (1, 32, -(-size_hw[0] // stride), -(-size_hw[1] // stride))


def test_is_what_the_formulas_say() -> None:
    c2, c3, c4, c5 = features((64, 96))
    fpn = FPN(FPNConfig(channels=32), CHANNELS)
    p3, p4, p5, p6, p7 = fpn((c2, c3, c4, c5))
    up = torch.nn.Upsample(scale_factor=2, mode="nearest")
    inner5 = fpn.lateral["5"](c5)
    inner4 = fpn.lateral["4"](c4) + up(inner5)
    inner3 = fpn.lateral["3"](c3) + up(inner4)
    assert torch.allclose(p5, fpn.output["5"](inner5))
    assert torch.allclose(p4, fpn.output["4"](inner4))
    assert torch.allclose(p3, fpn.output["3"](inner3))
    assert torch.allclose(p6, fpn.extra["6"](c5))
    assert torch.allclose(p7, fpn.extra["7"](F.relu(p6)))
    assert "2" not in fpn.lateral


def test_pool_takes_every_second_cell_of_p5() -> None:
    fpn = FPN(FPNConfig(channels=32, max_level=6, extra_from="pool"), CHANNELS)
    pyramid = fpn(features((160, 224)))
    assert torch.equal(pyramid[-1], pyramid[-2][:, :, ::2, ::2])


def test_without_lateral_all_levels_come_from_c5() -> None:
    c = features((64, 96))
    fpn = FPN(FPNConfig(channels=32, lateral=False), CHANNELS)
    assert list(fpn.lateral) == ["5"]
    p3 = fpn(c)[0]
    again = fpn([torch.zeros_like(c[0]), torch.zeros_like(c[1]), torch.zeros_like(c[2]), c[3]])[0]
    assert torch.equal(p3, again)


def test_without_top_down_each_level_comes_from_its_own() -> None:
    c = features((64, 96))
    fpn = FPN(FPNConfig(channels=32, top_down=False), CHANNELS)
    assert torch.allclose(fpn(c)[0], fpn.output["3"](fpn.lateral["3"](c[1])))


def test_initial_weights_are_xavier_by_fan_in() -> None:
    fpn = FPN(FPNConfig(), (64, 128, 256, 512))
    for name, parameter in fpn.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        else:
            bound = math.sqrt(3 / parameter[0].numel())
            assert 0.98 * bound < float(parameter.detach().abs().max()) <= bound


def test_group_norm() -> None:
    fpn = FPN(FPNConfig(channels=32, norm="group"), CHANNELS)
    assert "output.3.norm.weight" in fpn.state_dict()
    assert "output.3.conv.bias" not in fpn.state_dict()
    assert len(fpn(features((64, 96)))) == 5


@pytest.mark.parametrize(
    "config",
    [FPNConfig(lateral=False, top_down=False), FPNConfig(min_level=1), FPNConfig(max_level=4)],
)
def test_what_makes_no_pyramid_is_refused(config: FPNConfig) -> None:
    with pytest.raises(ConfigError):
        FPN(config, CHANNELS)


def test_finest_only_is_the_finest_of_all_levels_and_has_no_idle_weights() -> None:
    config = FPNConfig(channels=32, min_level=2, max_level=6, extra_from="pool")
    whole, alone = FPN(config, CHANNELS), FPN(config, CHANNELS, finest_only=True)
    alone.load_state_dict({name: whole.state_dict()[name] for name in alone.state_dict()})
    c = features((64, 96))
    (p2,) = alone(c)
    assert torch.equal(p2, whole(c)[0])
    assert alone.strides == (4,)
    p2.sum().backward()
    assert all(parameter.grad is not None for parameter in alone.parameters())
    with pytest.raises(ConfigError, match="top_down"):
        FPN(FPNConfig(top_down=False), CHANNELS, finest_only=True)
