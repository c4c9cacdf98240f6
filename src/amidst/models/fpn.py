"""Feature pyramid network (F.1, thesis section 4.3).

    inner_5 = lateral(C5)
    inner_k = lateral(C_k) + upsample(inner_{k+1})    1x1 lateral convolutions, nearest-neighbour upsampling
    P_k     = output(inner_k)                         3x3
    P6      = 3x3 stride 2 of C5 (or of P5)           RetinaNet; the first FPN subsamples P5 instead ("pool")
    P7      = 3x3 stride 2 of relu(P6), or of P6 (`relu_before_extra`)

No non-linearity anywhere else. Upsampling goes to the exact size of the lateral map, so images of any size
work; padded to multiples of the coarsest stride it is the thesis's factor of two.

Ablations (section 4.5.1): `lateral=False` gives P_k = output(inner_5 upsampled), `top_down=False` gives
P_k = output(lateral(C_k)), `finest_only` gives P_min alone, made as before.

Shapes: B images, C_l channels of level l, D pyramid channels, H_l x W_l cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from amidst.errors import ConfigError
from amidst.models.config import FPNConfig
from amidst.models.norms import with_norm

FINEST, COARSEST = 2, 5  # levels that the backbone gives


class FPN(nn.Module):
    """C2..C5 -> P_min..P_max. Children are named by level: `lateral.5`, `output.3`, `extra.6`."""

    def __init__(self, config: FPNConfig, in_channels: Sequence[int], finest_only: bool = False) -> None:
        super().__init__()
        _check(config, finest_only)
        self.config, self.finest_only = config, finest_only
        levels = range(config.min_level, min(config.max_level, COARSEST) + 1)
        width = config.channels
        self.lateral = nn.ModuleDict()
        self.output = nn.ModuleDict()
        for level in levels:
            if config.lateral or level == COARSEST:
                conv = nn.Conv2d(in_channels[level - FINEST], width, 1, bias=config.norm == "none")
                self.lateral[str(level)] = with_norm(config.norm, conv)
            if level == config.min_level or not finest_only:
                conv = nn.Conv2d(width, width, 3, padding=1, bias=config.norm == "none")
                self.output[str(level)] = with_norm(config.norm, conv)
        self.extra = nn.ModuleDict()
        if config.extra_from != "pool" and not finest_only:
            for level in range(COARSEST + 1, config.max_level + 1):
                inputs = in_channels[-1] if level == COARSEST + 1 and config.extra_from == "C5" else width
                self.extra[str(level)] = nn.Conv2d(inputs, width, 3, stride=2, padding=1)
        _initialise(self)

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels between neighbouring cells of each level."""
        last = self.config.min_level if self.finest_only else self.config.max_level
        return tuple(2**level for level in range(self.config.min_level, last + 1))

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """C2..C5, each (B, C_l, H_l, W_l) -> P_min..P_max, each (B, D, H_l, W_l)."""
        inner: Tensor | None = None
        pyramid: list[Tensor] = []
        for level in range(COARSEST, self.config.min_level - 1, -1):
            feature, name = features[level - FINEST], str(level)
            below = self.lateral[name](feature) if name in self.lateral else None
            inner = self._merge(below, inner, feature)
            if name in self.output:
                pyramid.insert(0, self.output[name](inner))
        return tuple(pyramid if self.finest_only else pyramid + self._extra(features[-1], pyramid[-1]))

    def _merge(self, below: Tensor | None, above: Tensor | None, feature: Tensor) -> Tensor:
        """lateral(C_k) + upsample(inner_{k+1}), or the one of both that exists."""
        if below is not None and (above is None or not self.config.top_down):
            return below
        assert above is not None
        raised = F.interpolate(above, size=feature.shape[-2:], mode="nearest")
        return raised if below is None else below + raised

    def _extra(self, c5: Tensor, p5: Tensor) -> list[Tensor]:
        """P6, P7, ..."""
        levels = range(COARSEST + 1, self.config.max_level + 1)
        x = c5 if self.config.extra_from == "C5" else p5
        found: list[Tensor] = []
        for level in levels:
            if self.config.extra_from == "pool":
                x = F.max_pool2d(x, 1, stride=2)
            else:
                rectified = level > COARSEST + 1 and self.config.relu_before_extra
                x = self.extra[str(level)](F.relu(x) if rectified else x)
            found.append(x)
        return found


def _check(config: FPNConfig, finest_only: bool) -> None:
    if not (FINEST <= config.min_level <= COARSEST <= config.max_level):
        raise ConfigError(
            f"fpn levels {config.min_level}..{config.max_level}: expected min_level in {FINEST}..{COARSEST} "
            f"and max_level of at least {COARSEST}"
        )
    if not (config.lateral or config.top_down):
        raise ConfigError("fpn.lateral=false and fpn.top_down=false leave the finer levels without input")
    if finest_only and not config.top_down:
        raise ConfigError("fpn.top_down=false leaves the finest level alone without the coarser maps")


def _initialise(network: nn.Module) -> None:
    """Xavier uniform by fan-in, bound sqrt(3 / fan-in); biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            bound = math.sqrt(3 / (module.in_channels * module.kernel_size[0] * module.kernel_size[1]))
            nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
