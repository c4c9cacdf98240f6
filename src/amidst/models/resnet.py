"""ResNet-18/34/50/101 giving C2..C5 (J.2).

    stem   7x7 conv, stride 2, then 3x3 max-pool, stride 2          stride  4
    layer1 blocks of width  64                            -> C2     stride  4
    layer2 blocks of width 128, the first one strided     -> C3     stride  8
    layer3 blocks of width 256, the first one strided     -> C4     stride 16
    layer4 blocks of width 512, the first one strided     -> C5     stride 32

Blocks are two 3x3 convolutions (18, 34) or 1x1, 3x3, 1x1 with four times the width at the end (50, 101). The
stride sits in the 3x3, or in the first 1x1 for weights of the original models (`stride_in_1x1`).

The stem and the layers up to `freeze_at` are not trained: they run without recording a graph. Names of
parameters are torchvision's.

A trunk (`last_level` below 5) is without the coarser layers. With `padding="symmetric"` its convolutions see
the mirrored picture beyond the border instead of zeros (`symmetric_padding`).

Shapes: B images, C channels, H x W cells.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.models.config import BackboneConfig
from amidst.models.norms import NormKind, conv_norm, conv_norm_relu, make_norm
from amidst.models.symmetric_padding import Padding, pad_symmetric

STEM_CHANNELS = 64
WIDTHS = (64, 128, 256, 512)


class Style(NamedTuple):
    """What the blocks of a part share."""

    norm: NormKind
    eps: float
    stride_in_1x1: bool
    padding: Padding


class BasicBlock(nn.Module):
    """x + 3x3(3x3(x)), for ResNet-18 and 34."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, style: Style) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, width, 3, stride, style.padding)
        self.bn1 = make_norm(style.norm, width, style.eps)
        self.conv2 = _conv(width, width, 3, 1, style.padding)
        self.bn2 = make_norm(style.norm, width, style.eps)
        self.downsample = _shortcut(in_channels, width, stride, style)

    def forward(self, x: Tensor) -> Tensor:
        out = conv_norm_relu(_pad(x, self.conv1), self.conv1, self.bn1)
        out = _pad(out, self.conv2)
        return conv_norm_relu(out, self.conv2, self.bn2, add=_project(x, self.downsample))


class Bottleneck(nn.Module):
    """x + 1x1(3x3(1x1(x))), for ResNet-50 and 101."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, style: Style) -> None:
        super().__init__()
        out_channels = width * self.expansion
        stride1, stride3 = (stride, 1) if style.stride_in_1x1 else (1, stride)
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride1, bias=False)
        self.bn1 = make_norm(style.norm, width, style.eps)
        self.conv2 = _conv(width, width, 3, stride3, style.padding)
        self.bn2 = make_norm(style.norm, width, style.eps)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = make_norm(style.norm, out_channels, style.eps)
        self.downsample = _shortcut(in_channels, out_channels, stride, style)

    def forward(self, x: Tensor) -> Tensor:
        out = conv_norm_relu(x, self.conv1, self.bn1)
        out = conv_norm_relu(_pad(out, self.conv2), self.conv2, self.bn2)
        return conv_norm_relu(out, self.conv3, self.bn3, add=_project(x, self.downsample))


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """The convolutional part of a ResNet; `out_channels` and `strides` describe C2..C5."""

    strides = (4, 8, 16, 32)

    stem_channels = STEM_CHANNELS

    def __init__(
        self,
        config: BackboneConfig,
        block: Block,
        depths: tuple[int, int, int, int],
        last_level: int,
        padding: Padding,
    ) -> None:
        super().__init__()
        layers = last_level - 1
        self.freeze_at = config.freeze_at
        self.last_level = last_level
        self.left_out = tuple(f"layer{number}." for number in range(layers + 1, 5))  # names in weight files
        self.out_channels = tuple(width * block.expansion for width in WIDTHS[:layers])
        self.conv1 = _conv(3, STEM_CHANNELS, 7, 2, padding)
        style = _style(config, 1, padding)
        self.bn1 = make_norm(style.norm, STEM_CHANNELS, style.eps)
        inputs = (STEM_CHANNELS, *self.out_channels)
        for number, (width, depth) in enumerate(zip(WIDTHS[:layers], depths, strict=False), start=1):
            stride = 1 if number == 1 else 2
            style = _style(config, number + 1, padding)
            blocks = [block(inputs[number - 1], width, stride, style)]
            blocks += [block(width * block.expansion, width, 1, style) for _ in range(depth - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        _initialise(self)
        for part in self._parts()[: config.freeze_at]:
            part.requires_grad_(False)

    def _parts(self) -> list[nn.Module]:
        """Stem, layer1, ..., layer4: what `freeze_at` counts."""
        stem = nn.ModuleList([self.conv1, self.bn1])
        return [stem, *(self.get_submodule(f"layer{number}") for number in range(1, self.last_level))]

    def forward(self, pixels: Tensor, coarsest: int = 5) -> tuple[Tensor, ...]:
        """pixels (B, 3, H, W) -> C2..C_coarsest, each (B, C_l, ceil(H / stride_l), ceil(W / stride_l))."""
        return self.maps(pixels, coarsest)[1:]

    def maps(self, pixels: Tensor, coarsest: int = 5) -> tuple[Tensor, ...]:
        """The same with C1 before them: the stem (B, 64, ceil(H / 2), ceil(W / 2)) before it is pooled."""
        gradients = torch.is_grad_enabled()
        with torch.set_grad_enabled(gradients and self.freeze_at < 1):
            stem = conv_norm_relu(_pad(pixels, self.conv1), self.conv1, self.bn1)
            x = F.max_pool2d(stem, 3, stride=2, padding=1)
        features = [stem]
        for level in range(2, min(coarsest, self.last_level) + 1):
            with torch.set_grad_enabled(gradients and self.freeze_at < level):
                x = self.get_submodule(f"layer{level - 1}")(x)
            features.append(x)
        return tuple(features)

    def last_stage(self) -> list[nn.Module]:
        """The modules that make C5 of C4, in order: the head of the detectors on C4 (F.4)."""
        return [self.get_submodule("layer4")]


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int, padding: Padding) -> nn.Conv2d:
    """A convolution that pads with zeros by itself, or for which `_pad` pads."""
    zeros = kernel // 2 if padding == "zeros" else 0
    return nn.Conv2d(in_channels, out_channels, kernel, stride, zeros, bias=False)


def _pad(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Symmetric padding of (B, C, H, W) for a convolution that does not pad with zeros."""
    return pad_symmetric(x, conv.kernel_size[0] // 2) if conv.padding == (0, 0) else x


def _style(config: BackboneConfig, part: int, padding: Padding) -> Style:
    """The style of a part (1 = stem, l = layer of C_l); what is not trained has no live statistics either."""
    norm: NormKind = "frozen" if config.norm == "batch" and part <= config.freeze_at else config.norm
    return Style(norm, 1e-5 if config.norm_eps is None else config.norm_eps, config.stride_in_1x1, padding)


def _shortcut(in_channels: int, out_channels: int, stride: int, style: Style) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
    return nn.Sequential(conv, make_norm(style.norm, out_channels, style.eps))


def _project(x: Tensor, downsample: nn.Sequential | None) -> Tensor:
    if downsample is None:
        return x
    conv, norm = downsample[0], downsample[1]
    assert isinstance(conv, nn.Conv2d)
    return conv_norm(x, conv, norm)


def _initialise(network: nn.Module) -> None:
    """He et al.: normal of variance 2 / fan-out."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def resnet18(config: BackboneConfig, last_level: int = 5, padding: Padding = "zeros") -> ResNet:
    """ResNet-18."""
    return ResNet(config, BasicBlock, (2, 2, 2, 2), last_level, padding)


def resnet34(config: BackboneConfig, last_level: int = 5, padding: Padding = "zeros") -> ResNet:
    """ResNet-34."""
    return ResNet(config, BasicBlock, (3, 4, 6, 3), last_level, padding)


def resnet50(config: BackboneConfig, last_level: int = 5, padding: Padding = "zeros") -> ResNet:
    """ResNet-50."""
    return ResNet(config, Bottleneck, (3, 4, 6, 3), last_level, padding)


def resnet101(config: BackboneConfig, last_level: int = 5, padding: Padding = "zeros") -> ResNet:
    """ResNet-101."""
    return ResNet(config, Bottleneck, (3, 4, 23, 3), last_level, padding)
