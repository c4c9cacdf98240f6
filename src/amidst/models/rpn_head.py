"""The head of the region proposal network (F.2, thesis section 4.4.1): is there an object at each anchor, and
where exactly.

    3x3 conv, relu (or several), then 1x1 convs to A objectness logits (sigmoid) and 4*A box codes

One head reads all levels (`shared`), or each level has its own. Weights are Gaussian of sigma 0.01, biases 0.
A pyramid has anchors of one size a level (A = 3 shapes), a single map of all sizes (A = 15).

Shapes: B images, L maps, D channels, A anchors per cell, H x W cells, n = H * W * A anchors of a map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from amidst.errors import ConfigError
from amidst.models.box_rules import placing
from amidst.models.config_rcnn import RPNAnchorConfig, RPNHeadConfig, RPNPartConfig
from amidst.models.norms import ConvNorm, conv_norm_relu, with_norm
from amidst.models.structures import DenseOutputs
from amidst.ops.anchors import grid_anchors_of_sizes

SIGMA = 0.01
CACHED_SIZES = 16

SizesHW = tuple[tuple[int, int], ...]


class RPNBranch(nn.Module):
    """D channels of one map -> objectness and codes of its anchors."""

    def __init__(self, config: RPNHeadConfig, in_channels: int, anchors: int) -> None:
        super().__init__()
        width = in_channels if config.channels is None else config.channels
        conv = nn.Conv2d(in_channels, width, 3, padding=1, bias=config.norm == "none")
        self.conv = with_norm(config.norm, conv)
        self.further = nn.ModuleList()
        for _ in range(config.convs - 1):
            conv = nn.Conv2d(width, width, 3, padding=1, bias=config.norm == "none")
            self.further.append(with_norm(config.norm, conv))
        self.objectness = nn.Conv2d(width, anchors, 1)
        self.codes = nn.Conv2d(width, 4 * anchors, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=SIGMA)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D, H, W) -> logits (B, n, 1), codes (B, n, 4)."""
        for conv in (self.conv, *self.further):
            assert isinstance(conv, ConvNorm)
            x = conv_norm_relu(x, conv.conv, conv.norm)
        logits = self.objectness(x).permute(0, 2, 3, 1)  # (B, A, H, W) -> (B, H, W, A)
        codes = self.codes(x).permute(0, 2, 3, 1)  # (B, 4*A, H, W) -> (B, H, W, 4*A)
        images, anchors = logits.shape[0], logits.shape[1] * logits.shape[2] * logits.shape[3]
        return logits.reshape(images, anchors, 1), codes.reshape(images, anchors, 4)


class RPNHead(nn.Module):
    """Maps -> objectness and codes of every anchor, and the anchors. Children: `branches.0`, ..."""

    def __init__(self, config: RPNPartConfig, in_channels: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.sizes = sizes_by_map(config.anchors, len(self.strides))
        self.aspects = config.anchors.aspects
        self.grid = config.anchors.grid
        anchors = len(self.sizes[0]) * len(self.aspects)
        branches = 1 if config.head.shared else len(self.strides)
        self.branches = nn.ModuleList(RPNBranch(config.head, in_channels, anchors) for _ in range(branches))
        self._anchors: dict[tuple[object, ...], tuple[Tensor, ...]] = {}

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return next(self.parameters()).dtype

    def forward(self, maps: Sequence[Tensor], image_hw: tuple[int, int]) -> DenseOutputs:
        """L maps (B, D, H_l, W_l) of padded images of `image_hw` -> class logits (B, n_l, 1) and box codes
        (B, n_l, 4) of each."""
        branches = list(self.branches) * (len(maps) // len(self.branches))
        outputs = [branch(x) for branch, x in zip(branches, maps, strict=True)]
        sizes_hw = tuple((int(x.shape[-2]), int(x.shape[-1])) for x in maps)
        return DenseOutputs(
            class_logits=tuple(logits for logits, _ in outputs),
            box_codes=tuple(codes for _, codes in outputs),
            anchors_xyxy=self.anchors(sizes_hw, image_hw, maps[0].device),
        )

    def anchors(
        self, sizes_hw: SizesHW, image_hw: tuple[int, int], device: torch.device
    ) -> tuple[Tensor, ...]:
        """Anchors (n_l, 4) of each map; those of the last few image sizes are kept."""
        key = (sizes_hw, image_hw, device)
        if key not in self._anchors:
            if len(self._anchors) >= CACHED_SIZES:
                self._anchors.pop(next(iter(self._anchors)))
            with torch.inference_mode(False):  # tensors born in inference mode could not serve training later
                found = grid_anchors_of_sizes(
                    sizes_hw, self.strides, self.sizes, self.aspects, device, placing(self.grid, image_hw)
                )
            self._anchors[key] = tuple(found)
        return self._anchors[key]


def sizes_by_map(config: RPNAnchorConfig, maps: int) -> tuple[tuple[float, ...], ...]:
    """Anchor sizes of each map: one of them each, or all on a single map.

    Raises ConfigError where there are several maps and another number of sizes.
    """
    if maps == 1:
        return (config.sizes,)
    if len(config.sizes) != maps:
        raise ConfigError(
            f"rpn.anchors.sizes: {len(config.sizes)} sizes for {maps} levels of the pyramid; "
            "expected one for each level, finest first"
        )
    return tuple((size,) for size in config.sizes)
