"""Refinement of masks, from coarse to fine along the trunk (D.1-D.3, D.6; thesis section 3.3.2, Fig. 3.7).

    M^1      = linear map of the patch's code to k_1 channels of S x S cells
    M^(i+1)  = up(ReLU(horizontal_i(F^i) + vertical_i(M^i)))    F^1..F^P = C_P..C1, each twice as fine
    logits   = 3x3 convolution of M^(P+1) to one channel of W x W pixels

    released  horizontal  3x3 to 64 (32 for C1), ReLU, 3x3 to k_i, ReLU, 3x3 to k_(i+1)
              vertical    3x3 to k_i, ReLU, 3x3 to k_(i+1)
    concat    the thesis's module: up(ReLU(conv([M^i, S^i]))) with the skip features S^i = F^i -> 64 -> k_i. A
              convolution of two stacked inputs is the sum of two convolutions: the kernel is kept in two
              parts, so that horizontal ends with the part for S^i and vertical is the part for M^i
    deconv    an ablation: no horizontal path
    skip      an ablation (`Averaging`): no vertical path; a single channel of each F^i, enlarged, and the
              coarse mask, averaged

The horizontal paths do not depend on the patch: they are computed once for an image and all patches take
their windows of them. Channels k_i: all k (schedule a) or k / 2^(i-1) (b). All 3x3 convolutions pad
symmetrically.

Shapes: N patches, S cells along a patch, W = S 2^P its pixels, P levels, coarsest first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.errors import ConfigError
from amidst.models.config import RefineConfig
from amidst.models.deepmask_geometry import Geometry
from amidst.models.deepmask_heads import CODE
from amidst.models.enlarged import convolve_enlarged
from amidst.models.fused import conv_relu, rectify

MIDDLE, MIDDLE_OF_STEM = 64, 32


class Refinement(nn.Module):
    """The variants "released", "concat" and "deconv"."""

    def __init__(self, config: RefineConfig, sizes: Geometry, map_channels: Sequence[int]) -> None:
        """`map_channels` are those of F^1..F^P. Raises ConfigError for channels that cannot be halved."""
        super().__init__()
        self.config, self.cells = config, sizes.cells
        self.channels = level_channels(config, sizes.halvings)
        self.seed = nn.Linear(CODE, self.channels[0] * sizes.cells**2)
        self.horizontal = nn.ModuleList()
        self.vertical = nn.ModuleList()
        released = config.variant == "released"
        for level, (width, finer) in enumerate(zip(self.channels[:-1], self.channels[1:], strict=True), 1):
            if config.variant != "deconv":
                middle = MIDDLE_OF_STEM if released and level == sizes.halvings else MIDDLE
                skip = [conv(map_channels[level - 1], middle), nn.ReLU(), conv(middle, width), nn.ReLU()]
                self.horizontal.append(nn.Sequential(*skip, conv(width, finer, bias=released)))
            before = [conv(width, width), nn.ReLU()] if released else []
            self.vertical.append(nn.Sequential(*before, conv(width, finer)))
        self.out = conv(self.channels[-1], 1)
        _initialise(self.vertical)

    def skips(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """F^1..F^P (B, C, h, w) -> what the masks need of them, (B, k_(i+1), h, w) each."""
        return tuple(along(path, x) for path, x in zip(self.horizontal, maps, strict=False))

    def forward(self, codes: Tensor, coarse: Tensor, skips: Sequence[Tensor]) -> Tensor:  # noqa: ARG002
        """codes (N, 512) and windows of the skips (N, k_(i+1), S 2^(i-1), S 2^(i-1)) -> logits (N, W, W)."""
        x = self.seed(codes).view(-1, self.channels[0], self.cells, self.cells)
        for level, path in enumerate(self.vertical):
            first, *then = (module for module in path.children() if isinstance(module, nn.Conv2d))
            x = self._enlarged(x, first) if level else first(x)
            for convolution in then:  # of the released layout
                x = convolution(F.relu(x, inplace=True))
            x = rectify(x, skips[level] if skips else None)
        return self._enlarged(x, self.out)[:, 0]

    def _enlarged(self, x: Tensor, convolution: nn.Conv2d) -> Tensor:
        """The convolution (N, D, 2h, 2w) of x (N, C, h, w) enlarged."""
        return convolve_enlarged(x, convolution, self.config.upsample)


class Averaging(nn.Module):
    """The variant "skip"."""

    def __init__(self, config: RefineConfig, sizes: Geometry, map_channels: Sequence[int]) -> None:
        super().__init__()
        self.config, self.side = config, sizes.patch
        self.horizontal = nn.ModuleList(
            nn.Sequential(conv(channels, MIDDLE), nn.ReLU(), conv(MIDDLE, 1)) for channels in map_channels
        )

    def skips(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """F^1..F^P (B, C, h, w) -> (B, 1, h, w) each."""
        return tuple(along(path, x) for path, x in zip(self.horizontal, maps, strict=True))

    def forward(self, codes: Tensor, coarse: Tensor, skips: Sequence[Tensor]) -> Tensor:  # noqa: ARG002
        """coarse logits (N, 56, 56) and windows of the skips (N, 1, h, h) -> logits (N, W, W)."""
        parts = [enlarge(x, self.side, self.config.upsample) for x in (coarse[:, None], *skips)]
        return torch.stack(parts).mean(dim=0)[:, 0]


def refinement(config: RefineConfig, sizes: Geometry, map_channels: Sequence[int]) -> Refinement | Averaging:
    """The refinement of `config.variant` for maps F^1..F^P of these channels."""
    build = Averaging if config.variant == "skip" else Refinement
    return build(config, sizes, map_channels)


def level_channels(config: RefineConfig, halvings: int) -> tuple[int, ...]:
    """k_1..k_(P+1). Raises ConfigError where schedule b does not end in whole channels."""
    if config.schedule == "a":
        return (config.channels,) * (halvings + 1)
    if config.channels % 2**halvings:
        raise ConfigError(
            f"refine.channels={config.channels}: schedule b halves it {halvings} times; "
            f"expected a multiple of {2**halvings}"
        )
    return tuple(config.channels // 2**level for level in range(halvings + 1))


def conv(in_channels: int, out_channels: int, bias: bool = True) -> nn.Conv2d:
    """3x3 with symmetric padding, which for a border of one is torch's "replicate"."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="replicate", bias=bias)


def _initialise(paths: nn.Module) -> None:
    """He et al., uniform, for the vertical path: its few channels at the finest level must not die at once.

    Elsewhere torch's own, smaller uniform weights serve: maps of some trunks are several times larger than 1.
    """
    for module in paths.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def along(path: nn.Module, x: Tensor) -> Tensor:
    """Convolutions with rectifiers between them, each with its rectifier."""
    *first, last = (module for module in path.children() if isinstance(module, nn.Conv2d))
    for convolution in first:
        x = conv_relu(x, convolution)
    y: Tensor = last(x)
    return y


def enlarge(x: Tensor, side: int, mode: str) -> Tensor:
    """(N, k, h, h) -> (N, k, side, side)."""
    return F.interpolate(x, size=(side, side), mode=mode)


def take_windows(skip: Tensor, row: Tensor, column: Tensor, side: int, step: int) -> Tensor:
    """Of a map (k, h, w) the windows from (row, column) * step on, (n, k, side, side), channels-last."""
    channels = len(skip)
    lines = skip.permute(1, 2, 0).flatten(1)  # (h, w * k): a row of a window is one piece of memory
    windows = lines.unfold(0, side, step).unfold(
        1, side * channels, step * channels
    )  # (R, C, side, side * k)
    return windows[row, column].view(len(row), side, side, channels).permute(0, 3, 1, 2)
