"""EfficientNet-Lite0 giving C2..C5: a small backbone for machines without an accelerator.

Inverted residuals (1x1 expand, depthwise, 1x1 project) with ReLU6, no squeeze-and-excitation:

    stem 3x3, stride 2, 32 channels
    repeats x (kernel, stride, expansion, channels), and what is kept
    1 x (3, 1, 1,  16)   -> C1, stride  2
    2 x (3, 2, 6,  24)   -> C2, stride  4
    2 x (5, 2, 6,  40)   -> C3, stride  8
    3 x (3, 2, 6,  80)
    3 x (5, 1, 6, 112)   -> C4, stride 16
    4 x (5, 2, 6, 192)
    1 x (3, 1, 6, 320)   -> C5, stride 32

The published weights were trained in TensorFlow. Its "same" padding puts the odd row and column of a strided
convolution at the bottom and right, its batch norms have eps 1e-3, and its input is (pixel - 127) / 128
(`EFFICIENTNET_LITE_PIXELS`); tests/models/test_efficientnet_lite.py classifies photographs to show all three.

Shapes: B images, C channels, H x W cells.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.models.config import BackboneConfig
from amidst.models.norms import NormKind, conv_norm, conv_norm_relu, make_norm
from amidst.models.symmetric_padding import Padding, only_zeros

STEM_CHANNELS = 32


class Stage(NamedTuple):
    """One row of the table above."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
KEPT = {0: 1, 1: 2, 2: 3, 4: 4, 6: 5}  # row of the table -> level
PART_OF_STAGE = (2, 2, 3, 4, 4, 5, 5)  # which of the parts that `freeze_at` counts (1 = stem, l = up to C_l)


class InvertedResidual(nn.Module):
    """project(depthwise(expand(x))), plus x where the shape stays."""

    def __init__(self, in_channels: int, stage: Stage, stride: int, norm: NormKind, eps: float) -> None:
        super().__init__()
        middle = in_channels * stage.expansion
        self.residual = stride == 1 and in_channels == stage.channels
        self.expands = stage.expansion != 1
        if self.expands:
            self.expand_conv = nn.Conv2d(in_channels, middle, 1, bias=False)
            self.bn0 = make_norm(norm, middle, eps)
        self.depthwise_conv = same_conv(middle, middle, stage.kernel, stride, groups=middle)
        self.bn1 = make_norm(norm, middle, eps)
        self.project_conv = nn.Conv2d(middle, stage.channels, 1, bias=False)
        self.bn2 = make_norm(norm, stage.channels, eps)

    def forward(self, x: Tensor) -> Tensor:
        out = x
        if self.expands:
            out = conv_norm_relu(out, self.expand_conv, self.bn0, ceiling=6.0)
        out = pad_same(out, self.depthwise_conv)
        out = conv_norm_relu(out, self.depthwise_conv, self.bn1, ceiling=6.0)
        out = conv_norm(out, self.project_conv, self.bn2)
        return out + x if self.residual else out


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 without its classifier; `out_channels` and `strides` describe C2..C5."""

    strides = (4, 8, 16, 32)
    stem_channels = STAGES[0].channels

    def __init__(self, config: BackboneConfig, last_level: int) -> None:
        super().__init__()
        eps = 1e-3 if config.norm_eps is None else config.norm_eps
        self.freeze_at = config.freeze_at
        self.out_channels = tuple(
            STAGES[row].channels for row, level in KEPT.items() if 2 <= level <= last_level
        )
        self.last_level = last_level
        self.conv_stem = same_conv(3, STEM_CHANNELS, 3, stride=2)
        self.bn0 = make_norm(_norm_of_part(config, 1), STEM_CHANNELS, eps)
        self.blocks = nn.ModuleList()
        self._ends: dict[int, int] = {}  # index of the last block of a row -> row
        channels = STEM_CHANNELS
        for row, stage in enumerate(STAGES):
            if PART_OF_STAGE[row] > last_level:
                break
            norm = _norm_of_part(config, PART_OF_STAGE[row])
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                self.blocks.append(InvertedResidual(channels, stage, stride, norm, eps))
                channels = stage.channels
            self._ends[len(self.blocks) - 1] = row
        blocks = sum(stage.repeats for stage in STAGES)
        self.left_out = tuple(f"blocks.{index}." for index in range(len(self.blocks), blocks))
        _initialise(self)
        self._freeze()

    def _freeze(self) -> None:
        if self.freeze_at >= 1:
            self.conv_stem.requires_grad_(False)
            self.bn0.requires_grad_(False)
        for part, block in zip(self._parts(), self.blocks, strict=True):
            if part <= self.freeze_at:
                block.requires_grad_(False)

    def _parts(self) -> list[int]:
        """For each block the part that it belongs to."""
        parts = [PART_OF_STAGE[row] for row, stage in enumerate(STAGES) for _ in range(stage.repeats)]
        return parts[: len(self.blocks)]

    def forward(self, pixels: Tensor, coarsest: int = 5) -> tuple[Tensor, ...]:
        """pixels (B, 3, H, W) -> C2..C_coarsest, each (B, C_l, ceil(H / stride_l), ceil(W / stride_l))."""
        return self.maps(pixels, coarsest)[1:]

    def maps(self, pixels: Tensor, coarsest: int = 5) -> tuple[Tensor, ...]:
        """The same with C1 before them, (B, 16, ceil(H / 2), ceil(W / 2))."""
        gradients = torch.is_grad_enabled()
        with torch.set_grad_enabled(gradients and self.freeze_at < 1):
            x = pad_same(pixels, self.conv_stem)
            x = conv_norm_relu(x, self.conv_stem, self.bn0, ceiling=6.0)
        features = []
        for index, (part, block) in enumerate(zip(self._parts(), self.blocks, strict=True)):
            if part > coarsest:
                break
            with torch.set_grad_enabled(gradients and self.freeze_at < part):
                x = block(x)
            if self._ends.get(index) in KEPT:
                features.append(x)
        return tuple(features)

    def last_stage(self) -> list[nn.Module]:
        """The modules that make C5 of C4, in order: the head of the detectors on C4 (F.4)."""
        last = max(PART_OF_STAGE)
        return [block for part, block in zip(self._parts(), self.blocks, strict=True) if part == last]


def same_conv(in_channels: int, out_channels: int, kernel: int, stride: int, groups: int = 1) -> nn.Conv2d:
    """A convolution of "same" padding: its own where that is symmetric, else `pad_same` before it."""
    padding = kernel // 2 if stride == 1 else 0
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)


def pad_same(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Zeros around (B, C, H, W) so that a strided convolution gives ceil(H / stride) rows."""
    stride, kernel = conv.stride[0], conv.kernel_size[0]
    if stride == 1:
        return x
    total_h, total_w = (kernel - stride + -side % stride for side in x.shape[2:])
    return F.pad(x, (total_w // 2, total_w - total_w // 2, total_h // 2, total_h - total_h // 2))


def _norm_of_part(config: BackboneConfig, part: int) -> NormKind:
    """A part that is not trained has no live statistics either."""
    return "frozen" if config.norm == "batch" and part <= config.freeze_at else config.norm


def _initialise(network: nn.Module) -> None:
    """He et al.: normal of variance 2 / fan-out, the fan counted per group."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
            nn.init.normal_(module.weight, std=(2.0 / fan_out) ** 0.5)


def efficientnet_lite0(
    config: BackboneConfig, last_level: int = 5, padding: Padding = "zeros"
) -> EfficientNetLite:
    """EfficientNet-Lite0. Raises ConfigError for padding that its weights were not trained with."""
    only_zeros(padding, "efficientnet_lite0")
    return EfficientNetLite(config, last_level)
