"""Wide convolutions with fewer multiplications, for prediction in float32 on a CPU.

Winograd's minimal filtering F(m x m, r x r) (Lavin and Gray, "Fast algorithms for convolutional neural
networks", 2016): an m x m tile of the output depends on an n x n span of the input, n = m + r - 1, and

    output = A' [(G w G') * (B' input B)] A          * element by element

needs n^2 products for each pair of channels where the definition needs m^2 r^2: 36 for 144 with r = 3, 64 for
400 with r = 5. Over C channels the element-wise product becomes n^2 matrix products (T, C) x (C, D), which is
where a CPU is at its best. B' . B and A' . A are one matrix product each too, by vec(X Y Z') = (X kron Z)
vec(Y). Tiles are taken some rows at a time, so that all steps but the first and last meet their data in the
cache.

Rounding errors grow quickly with n, so a 7 x 7 kernel is cut into b^2 = 4 blocks of r = 4 (the last ones with
a row or column of zeros). A block further is a tile further, for m = 4 too: the spans of four neighbouring
tiles, stacked as channels, are the input of the four blocks, and 4 * 49 products do for 784.

The matrices interpolate polynomials at n - 1 points p and at infinity (Toom and Cook), rows by point:

    A    powers of p;   G    powers of p / product of (p - q) over the other points q
    B'   coefficients of the product of (x - q) over the other points q; at infinity, over all points

The transformed weights take up to four times the memory of the weights, which stay for small maps.

Results differ from the direct sum by rounding, about 1e-5 of the largest output. That is one digit more than
the direct convolution's own error, and without meaning for a detection.

Shapes: B images, C channels in, D channels out, H x W cells, T tiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.models.fused import FusedConv2d, rectify

POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)  # the first n - 1 of them: small numbers keep the error small
MIN_CELLS = 250  # H * W: for fewer the transforms cost more than they save
TILES_AT_ONCE = 96  # their spans and products stay in the cache of a core


@dataclass(frozen=True, slots=True)
class Plan:
    """How convolutions of one kernel size are done."""

    tile: int  # m
    block: int  # r
    blocks: int  # b along each side; where there are several, m = r
    min_channels: int  # in and out, for the same reason as MIN_CELLS

    @property
    def span(self) -> int:
        """n."""
        return self.tile + self.block - 1


PLANS = {3: Plan(4, 3, 1, 256), 5: Plan(4, 5, 1, 96), 7: Plan(4, 4, 2, 96)}  # by kernel size


def matrices(plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    """B' (n, n), G (n, r) and A' (m, n), float64."""
    points = np.array(POINTS[: plan.span - 1])
    others = [np.delete(points, place) for place in range(len(points))]
    b_t = np.zeros((len(points) + 1, len(points) + 1))
    for row, roots in enumerate([*others, points]):
        coefficients = np.polynomial.polynomial.polyfromroots(roots)
        b_t[row, : len(coefficients)] = coefficients
    scale = np.array([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    g = np.vstack((np.vander(points, plan.block, increasing=True) / scale[:, None], np.eye(plan.block)[-1]))
    a = np.vstack((np.vander(points, plan.tile, increasing=True), np.eye(plan.tile)[-1]))
    return torch.from_numpy(b_t), torch.from_numpy(g), torch.from_numpy(a.T.copy())


class WinogradConv2d(FusedConv2d):
    """A convolution of stride 1 and "same" padding, for prediction only: give it to nothing that trains."""

    transformed: Tensor
    input_transform: Tensor
    output_transform: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.plan = plan = PLANS[conv.kernel_size[0]]
        b_t, g, a_t = matrices(plan)
        rest = plan.block * plan.blocks - conv.kernel_size[0]
        kernel = F.pad(conv.weight.detach().double(), (0, rest, 0, rest))  # (D, C, b * r, b * r)
        kernel = kernel.unfold(2, plan.block, plan.block).unfold(3, plan.block, plan.block)
        kernel = torch.einsum("xi,yj,dcabij->xyabcd", g, g, kernel)  # (n, n, b, b, C, D)
        self.register_buffer("transformed", kernel.flatten(2, 4).flatten(0, 1).float())  # (n^2, b^2 * C, D)
        self.register_buffer("input_transform", torch.kron(b_t, b_t).float())  # (n^2, n^2)
        self.register_buffer("output_transform", torch.kron(a_t, a_t).float())  # (m^2, n^2)

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H, W), channels-last."""
        return self._tiled(input) if self._large(input) else super().forward(input)

    def rectified(self, x: Tensor, add: Tensor | None = None, ceiling: float | None = None) -> Tensor:
        """min(relu(conv(x) + add), ceiling)."""
        if not self._large(x):
            return super().rectified(x, add, ceiling)
        if add is not None:
            return rectify(self._tiled(x), add, ceiling)
        return self._tiled(x, 0.0, ceiling)

    def _large(self, x: Tensor) -> bool:
        return (x.device.type, x.dtype) == ("cpu", torch.float32) and x.shape[2] * x.shape[3] >= MIN_CELLS

    def _tiled(self, x: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
        """The convolution, cut off below `low` and above `high`."""
        (batch, _, height, width), tile, span = x.shape, self.plan.tile, self.plan.span
        rows, columns = -(-height // tile), -(-width // tile)
        spans = self._spans(x, rows, columns)  # (n, n, B, rows + b - 1, columns + b - 1, C)
        out = x.new_empty(batch, rows, tile, columns, tile, self.out_channels)
        tiles = out.permute(2, 4, 0, 1, 3, 5)  # (m, m, B, rows, columns, D), a view
        step = max(1, TILES_AT_ONCE // (columns * batch))
        for row in range(0, rows, step):
            target = tiles[:, :, :, row : row + step]
            seen = spans[:, :, :, row : row + target.shape[3] + self.plan.blocks - 1]
            part = self.input_transform @ seen.reshape(span * span, -1)  # (n^2, ...)
            part = self._stacked(part.view(span * span, *seen.shape[2:]))  # (n^2, T, b^2 * C)
            part = torch.bmm(part, self.transformed)  # (n^2, T, D)
            part = self.output_transform @ part.view(span * span, -1)  # (m^2, T * D)
            part = part.view(target.shape)
            if self.bias is not None:
                part += self.bias
            if low is not None:
                part.clamp_(low, high)
            target.copy_(part)
        image = out.view(batch, rows * tile, columns * tile, -1)[:, :height, :width]
        return image.permute(0, 3, 1, 2)

    def _spans(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """x (B, C, H, W) -> the spans of all tiles (n, n, B, rows + b - 1, columns + b - 1, C), a view."""
        tile, span, border, more = self.plan.tile, self.plan.span, self.padding[0], self.plan.blocks - 1
        assert isinstance(border, int)
        below, right = (
            (tiles + more - 1) * tile + span - side - border
            for tiles, side in zip((rows, columns), x.shape[2:], strict=True)
        )
        padded = F.pad(x, (border, right, border, below)).permute(0, 2, 3, 1)
        return padded.unfold(1, span, tile).unfold(2, span, tile).permute(4, 5, 0, 1, 2, 3)

    def _stacked(self, spans: Tensor) -> Tensor:
        """Spans (n^2, B, rows + b - 1, columns + b - 1, C) -> of each tile its blocks (n^2, T, b^2 * C)."""
        blocks = self.plan.blocks
        rows, columns = (side - blocks + 1 for side in spans.shape[2:4])
        if blocks > 1:
            spans = torch.cat(
                [spans[:, :, i : i + rows, j : j + columns] for i in range(blocks) for j in range(blocks)],
                dim=4,
            )
        return spans.view(len(spans), -1, spans.shape[-1])


def suits_winograd(conv: nn.Conv2d) -> bool:
    """Whether a convolution is one of those that gain: wide ones in float32 on a CPU."""
    kernel = conv.kernel_size[0]
    if kernel not in PLANS:
        return False
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode)
    return (
        shape == ((kernel, kernel), (1, 1), (kernel // 2, kernel // 2), (1, 1), 1, "zeros")
        and (conv.weight.device.type, conv.weight.dtype) == ("cpu", torch.float32)
        and min(conv.in_channels, conv.out_channels) >= PLANS[kernel].min_channels
    )
