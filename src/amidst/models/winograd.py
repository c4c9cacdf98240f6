"""3x3 convolutions with a quarter of the multiplications, for prediction on a CPU.

Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural networks",
2016): a 4x4 tile of the output depends on a 6x6 tile of the input, and

    output = A' [(G w G') * (B' input B)] A          * element by element

needs 36 products for each pair of channels where the definition needs 144. Over C channels the element-wise
product becomes 36 matrix products (T, C) x (C, D), which is where a CPU is at its best. B' . B and A' . A are
one matrix product each too, by vec(X Y Z') = (X kron Z) vec(Y). Tiles are taken some rows at a time, so that
all steps but the first and last meet their data in the cache.

The transformed weights take four times the memory of the weights, which stay for small maps.

Results differ from the direct sum by rounding, about 1e-5 of the largest output. That is one digit more than
the direct convolution's own error, and without meaning for a detection.

Shapes: B images, C channels in, D channels out, H x W cells, T tiles.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.models.fused import FusedConv2d, rectify

TILE, SPAN = 4, 6  # side of a tile of the output, and of the input it depends on
MIN_CHANNELS = 256  # in and out: with fewer the transforms cost more than they save
MIN_CELLS = 250  # H * W, for the same reason
TILES_AT_ONCE = 128

# Interpolation points 0, 1, -1, 2, -2 and infinity.
B_T = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
G = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
A_T = [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
]


class WinogradConv2d(FusedConv2d):
    """A 3x3 convolution of stride 1 and padding 1, for prediction only: give it to nothing that trains."""

    transformed: Tensor
    input_transform: Tensor
    output_transform: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        b_t, g, a_t = (torch.tensor(rows, dtype=torch.float32) for rows in (B_T, G, A_T))
        kernels = torch.einsum("xi,yj,dcij->xycd", g, g, conv.weight.detach())
        self.register_buffer("transformed", kernels.flatten(0, 1).contiguous())  # (36, C, D)
        self.register_buffer("input_transform", torch.kron(b_t, b_t))  # (36, 36)
        self.register_buffer("output_transform", torch.kron(a_t, a_t))  # (16, 36)

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
        batch, channels, height, width = x.shape
        rows, columns = -(-height // TILE), -(-width // TILE)
        padded = F.pad(x, (1, columns * TILE - width + 1, 1, rows * TILE - height + 1))
        spans = padded.permute(0, 2, 3, 1).unfold(1, SPAN, TILE).unfold(2, SPAN, TILE)
        spans = spans.permute(4, 5, 0, 1, 2, 3)  # (6, 6, B, rows, columns, C), a view
        out = x.new_empty(batch, rows, TILE, columns, TILE, self.out_channels)
        tiles = out.permute(2, 4, 0, 1, 3, 5)  # (4, 4, B, rows, columns, D), a view
        step = max(1, TILES_AT_ONCE // (columns * batch))
        for row in range(0, rows, step):
            part = spans[:, :, :, row : row + step]  # (6, 6, B, r, columns, C)
            part = self.input_transform @ part.reshape(SPAN * SPAN, -1)  # (36, T*C)
            part = torch.bmm(part.view(SPAN * SPAN, -1, channels), self.transformed)  # (36, T, D)
            part = self.output_transform @ part.view(SPAN * SPAN, -1)  # (16, T*D)
            target = tiles[:, :, :, row : row + step]
            part = part.view(target.shape)
            if self.bias is not None:
                part += self.bias
            if low is not None:
                part.clamp_(low, high)
            target.copy_(part)
        image = out.view(batch, rows * TILE, columns * TILE, -1)[:, :height, :width]
        return image.permute(0, 3, 1, 2)


def suits_winograd(conv: nn.Conv2d) -> bool:
    """Whether a convolution is one of those that gain: wide ones in float32 on a CPU."""
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode)
    return (
        shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros")
        and (conv.weight.device.type, conv.weight.dtype) == ("cpu", torch.float32)
        and min(conv.in_channels, conv.out_channels) >= MIN_CHANNELS
    )
