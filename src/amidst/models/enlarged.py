"""A 3x3 convolution of a map enlarged twice, computed on the map as it was.

Enlarging and convolving are both sums of neighbours, so together they are one sum. For a phase a of the two
cells that a cell becomes, in one dimension, with taps t = -1, 0, 1 of the kernel and cells s = -1, 0, 1:

    y[2 i + a] = sum_t w[t] up(x)[2 i + a + t] = sum_s (sum_t w[t] PHASES[a, t, s]) x[i + s]

so a 3x3 convolution with four times the channels gives all phases, and no map of four times the cells is made
to be read again. Symmetric padding is the same before and after enlarging, so the border needs nothing more.

Shapes: N maps, C channels in, D channels out, h x w cells.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# [a, t, s]: what cell s gives to the enlarged cell a + t
PHASES = {
    "bilinear": (
        ((0.75, 0.25, 0.0), (0.25, 0.75, 0.0), (0.0, 0.75, 0.25)),
        ((0.25, 0.75, 0.0), (0.0, 0.75, 0.25), (0.0, 0.25, 0.75)),
    ),
    "nearest": (
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 1.0, 0.0)),
        ((0.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ),
}


def convolve_enlarged(x: Tensor, conv: nn.Conv2d, mode: str) -> Tensor:
    """`conv`, 3x3 with padding "replicate", of x (N, C, h, w) enlarged -> (N, D, 2 h, 2 w), channels-last.

    `mode` is "bilinear" or "nearest".
    """
    (height, width), channels = x.shape[2:], conv.out_channels
    kernel = conv.weight.flatten(2) @ both_ways(mode).to(conv.weight)  # (D, C, 9) x (9, 4 * 9)
    kernel = kernel.view(channels, -1, 4, 3, 3).permute(2, 0, 1, 3, 4).flatten(0, 1)  # (4 * D, C, 3, 3)
    bias = None if conv.bias is None else conv.bias.repeat(4)
    y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, bias)  # (N, 4 * D, h, w)
    y = y.permute(0, 2, 3, 1).reshape(x.shape[0], height, width, 2, 2, channels)
    y = y.permute(0, 1, 3, 2, 4, 5).reshape(x.shape[0], 2 * height, 2 * width, channels)
    return y.permute(0, 3, 1, 2)


@cache
def both_ways(mode: str) -> Tensor:
    """PHASES down and across (9, 36): taps of the kernel (t, u) -> phases (a, b) of cells (s, r)."""
    with torch.inference_mode(False):  # kept for training too, whoever asks first
        one_way = torch.tensor(PHASES[mode])
        return torch.einsum("ats,bur->tuabsr", one_way, one_way).reshape(9, 36)
