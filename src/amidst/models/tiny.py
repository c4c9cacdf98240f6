"""A backbone of a few thousand parameters for tests and demonstrations: C2..C5 of 16, 24, 32, 48 channels.

It has no pre-trained weights, so it is always trained whole, with GroupNorm (8 groups): `norm` and
`freeze_at` of the configuration do not apply.

Shapes: B images, C channels, H x W cells.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from amidst.models.config import BackboneConfig
from amidst.models.norms import ConvNorm
from amidst.models.symmetric_padding import Padding, only_zeros

CHANNELS = (16, 24, 32, 48)
GROUPS = 8


class Tiny(nn.Module):
    """Stem of stride 2 and four strided 3x3 convolutions; `out_channels` and `strides` describe C2..C5."""

    strides = (4, 8, 16, 32)
    stem_channels = 16
    left_out: tuple[str, ...] = ()

    def __init__(self, last_level: int) -> None:
        super().__init__()
        self.last_level = last_level
        self.out_channels = CHANNELS[: last_level - 1]
        self.stem = _halve(3, 16)
        self.stages = nn.ModuleList(
            _halve(inputs, outputs)
            for inputs, outputs in zip((16, *CHANNELS), self.out_channels, strict=False)
        )

    def forward(self, pixels: Tensor, coarsest: int = 5) -> tuple[Tensor, ...]:
        """pixels (B, 3, H, W) -> C2..C_coarsest, each (B, C_l, ceil(H / stride_l), ceil(W / stride_l))."""
        return self.maps(pixels, coarsest)[1:]

    def maps(self, pixels: Tensor, coarsest: int = 5) -> tuple[Tensor, ...]:
        """The same with C1 before them, (B, 16, ceil(H / 2), ceil(W / 2))."""
        x = F.relu(self.stem(pixels))
        features = [x]
        for stage in self.stages[: coarsest - 1]:
            x = F.relu(stage(x))
            features.append(x)
        return tuple(features)

    def last_stage(self) -> list[nn.Module]:
        """The modules that make C5 of C4, in order: the head of the detectors on C4 (F.4)."""
        return [self.stages[-1], nn.ReLU()]


def _halve(in_channels: int, out_channels: int) -> ConvNorm:
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return ConvNorm(conv, nn.GroupNorm(GROUPS, out_channels))


def tiny(
    config: BackboneConfig,  # noqa: ARG001 - a backbone builder like the others
    last_level: int = 5,
    padding: Padding = "zeros",
) -> Tiny:
    """The tiny backbone. Raises ConfigError for another padding."""
    only_zeros(padding, "tiny")
    return Tiny(last_level)
