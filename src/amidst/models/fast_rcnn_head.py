"""The head of Fast R-CNN (F.3, F.4; thesis section 4.4.2): what a region is, and its box.

    features   p x p cells of each region, from the level that its size asks for (`ops.regions`)
    "fc"       3x3 convolutions with relu (none is the thesis's), flattened, fully connected layers with relu
    "conv5"    2p x 2p cells on C4, the last stage of the backbone, mean over the cells
    outputs    K + 1 class logits (softmax), the last of them background, and 4*K box codes, for each
               foreground class its own. `silent` classes, after the K, share the softmax and nothing else

One head reads all levels. Fully connected layers are Xavier uniform by fan-in (bound sqrt(3 / fan-in)), class
logits Gaussian of sigma 0.01, box codes of 0.001; biases are 0.

Shapes: B images, L maps, D channels, R regions of a batch, K classes, p = `pooling.size`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.errors import ConfigError
from amidst.models.config_rcnn import Maps, RegionPartConfig
from amidst.models.norms import ConvNorm, conv_norm_relu, with_norm
from amidst.ops.regions import pool_pyramid

CLASS_SIGMA, CODE_SIGMA = 0.01, 0.001
COARSEST_LEVEL = 5  # that regions read; P6 serves the RPN alone


@dataclass(frozen=True)
class Regions:
    """Boxes to be judged, those of one image after those of another."""

    boxes_xyxy: Tensor  # (R, 4) float32
    image: Tensor  # (R,) int64, ascending


@dataclass(frozen=True)
class RegionOutputs:
    """Raw output for the regions of a batch."""

    class_logits: Tensor  # (R, K + silent + 1), background last
    box_codes: Tensor  # (R, K, 4)


class RegionHead(nn.Module):
    """Maps and regions -> class logits and box codes.

    With "conv5" the last stage of the backbone stays the backbone's: it is passed to `forward`.
    """

    def __init__(
        self,
        config: RegionPartConfig,
        num_classes: int,
        maps: Maps,
        channels: int,
        levels: Sequence[int],
        last_stage_channels: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.num_classes = num_classes
        self.conv5 = config.head.kind == "conv5"
        if self.conv5 != (maps == "C4"):
            raise ConfigError(
                f'roi.head.kind="{config.head.kind}" with maps="{maps}": on C4 the head is "conv5", the last '
                'stage of the backbone, on all other maps "fc"'
            )
        self.levels = tuple(level for level in levels if level <= COARSEST_LEVEL)
        inputs = last_stage_channels if self.conv5 else channels * config.pooling.size**2
        self.convs = nn.ModuleList()
        for _ in range(config.head.convs):
            conv = nn.Conv2d(channels, channels, 3, padding=1, bias=config.head.norm == "none")
            self.convs.append(with_norm(config.head.norm, conv))
        self.fcs = nn.ModuleList()
        for _ in range(0 if self.conv5 else config.head.fcs):
            self.fcs.append(_linear(inputs, config.head.width, math.sqrt(3 / inputs)))
            inputs = config.head.width
        self.class_logits = nn.Linear(inputs, num_classes + config.head.silent + 1)
        self.box_codes = nn.Linear(inputs, 4 * num_classes)
        for layer, sigma in ((self.class_logits, CLASS_SIGMA), (self.box_codes, CODE_SIGMA)):
            nn.init.normal_(layer.weight, std=sigma)
            nn.init.zeros_(layer.bias)

    @property
    def background(self) -> int:
        """Its place among the class logits."""
        return self.num_classes + self.config.head.silent

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return self.class_logits.weight.dtype

    def forward(
        self, maps: Sequence[Tensor], regions: Regions, last_stage: Sequence[nn.Module] = ()
    ) -> RegionOutputs:
        """L maps (B, D, H_l, W_l), finest first, and R regions -> their raw outputs."""
        x = self._pool(maps, regions)  # (R, D, p, p)
        if self.conv5:
            for stage in last_stage:
                x = stage(x)
            x = x.mean(dim=(2, 3))
        else:
            for conv in self.convs:
                assert isinstance(conv, ConvNorm)
                x = conv_norm_relu(x, conv.conv, conv.norm)
            x = x.flatten(1)  # (R, D, p, p) -> (R, D*p*p)
        for fc in self.fcs:
            x = F.relu(fc(x))
        codes = self.box_codes(x)
        return RegionOutputs(self.class_logits(x), codes.view(len(codes), self.num_classes, 4))

    def _pool(self, maps: Sequence[Tensor], regions: Regions) -> Tensor:
        config = self.config.pooling
        return pool_pyramid(
            maps[: len(self.levels)],
            regions.boxes_xyxy,
            regions.image,
            size=2 * config.size if self.conv5 else config.size,
            strides=[2**level for level in self.levels],
            levels=self.levels,
            kind=config.kind,
            sampling=config.sampling,
            canonical_size=config.canonical_size,
        )


def _linear(inputs: int, outputs: int, bound: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.zeros_(layer.bias)
    return layer
