"""The window networks of FPN mask proposals (G, thesis section 4.6): is there an object, and which pixels.

    p x p convolution to `hidden` channels, relu, then one number for the score and m * m for the mask

Each network has weights of its own for all levels. `dense` looks at every cell, `at_cells` at some: a
convolution at one cell is a product with the p x p cells around it, so training, which looks at a hundred
cells of an image, needs a hundred such products and not the whole map.

Shapes: B images, D pyramid channels, E hidden channels, p window side, m mask side, n cells, H x W cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.models.fused import conv_relu

SIGMA = 0.01


class WindowNetwork(nn.Module):
    """D channels of one level -> score and mask logits of a cell, from the p x p cells around it."""

    def __init__(self, in_channels: int, window: int, hidden: int, mask_side: int) -> None:
        super().__init__()
        self.window, self.mask_side = window, mask_side
        self.conv = nn.Conv2d(in_channels, hidden, window, padding=window // 2)
        self.score = nn.Linear(hidden, 1)
        self.mask = nn.Linear(hidden, mask_side * mask_side)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        nn.init.normal_(self.score.weight, std=SIGMA)
        nn.init.normal_(self.mask.weight, std=SIGMA)
        for layer in (self.conv, self.score, self.mask):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def dense(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D, H, W) -> hidden values (B, H, W, E) and score logits (B, H, W)."""
        hidden = conv_relu(features, self.conv).permute(0, 2, 3, 1)  # a view where the map is channels-last
        return hidden, self.score(hidden)[..., 0]

    def at_cells(self, features: Tensor, image: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Hidden values (n, E) of the cells (image, row, column), each (n,), of features (B, D, H, W)."""
        around = windows_at(features, image, row, column, self.window)  # (n, p * p * D)
        weight = self.conv.weight.permute(0, 2, 3, 1).flatten(1)  # (E, p * p * D)
        return F.relu(F.linear(around, weight, self.conv.bias))

    def masks(self, hidden: Tensor) -> Tensor:
        """Hidden values (n, E) -> mask logits (n, m, m) float32."""
        logits: Tensor = self.mask(hidden).float()
        return logits.view(-1, self.mask_side, self.mask_side)


def windows_at(features: Tensor, image: Tensor, row: Tensor, column: Tensor, side: int) -> Tensor:
    """features (B, D, H, W) around cells (image, row, column) (n,) -> (n, side * side * D), zero outside."""
    channels, height, width = features.shape[1:]
    offsets = torch.arange(side, device=features.device) - side // 2
    rows = (row[:, None] + offsets)[:, :, None].expand(-1, side, side)  # (n, side, side)
    columns = (column[:, None] + offsets)[:, None, :].expand(-1, side, side)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = (image[:, None, None] * height + rows.clamp(0, height - 1)) * width + columns.clamp(0, width - 1)
    table = features.permute(0, 2, 3, 1).reshape(-1, channels)  # (B * H * W, D)
    values = table.index_select(0, index.flatten()) * inside.flatten()[:, None].to(table.dtype)
    return values.view(len(row), side * side * channels)
