"""Padding with the mirrored picture, border pixel included: c b a | a b c d | d c b (C.4, section 3.5).

Zeros beyond the border are an edge that no photograph has; DeepMask, which runs over windows that hang out of
the image, pads with what continues the picture instead. torch's "reflect" leaves the border pixel out
(c b | a b c d | c b); for a border of one pixel the symmetric padding is torch's "replicate".

The authors' release treats the padded border as a constant in the gradient; here the gradient flows.

Shapes: B images, C channels, H x W cells, p cells of border.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from amidst.errors import ConfigError

Padding = Literal["zeros", "symmetric"]


def pad_symmetric(x: Tensor, border: int) -> Tensor:
    """(B, C, H, W) -> (B, C, H + 2p, W + 2p); p may not exceed H or W."""
    if border == 1:
        return F.pad(x, (1, 1, 1, 1), mode="replicate")
    if border == 0:
        return x
    x = torch.cat((x[:, :, :border].flip(2), x, x[:, :, -border:].flip(2)), dim=2)
    return torch.cat((x[..., :border].flip(3), x, x[..., -border:].flip(3)), dim=3)


def only_zeros(padding: Padding, backbone: str) -> None:
    """Raises ConfigError for padding that the weights of `backbone` were not trained with."""
    if padding != "zeros":
        raise ConfigError(f'backbone {backbone}: its weights want padding "zeros", found "{padding}"')
