"""The two subnets of RetinaNet (I.3, thesis section 5.4): what is at each anchor, and where exactly.

    `convs` x (3x3 conv, relu), then a 3x3 conv to A*K class logits (sigmoid per class), or to 4*A box codes.

One subnet reads all levels; the two share nothing. All weights are Gaussian of sigma 0.01 and biases 0, but
for the last bias of the class subnet: -ln((1 - prior) / prior). Every anchor thus starts as foreground with
probability `prior`, and the many background anchors do not swamp the first steps.

Shapes: B images, D pyramid channels, A anchors per cell, K classes, H x W cells, n = H * W * A anchors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from amidst.models.config import HeadConfig
from amidst.models.norms import ConvNorm, conv_norm_relu, with_norm

SIGMA = 0.01


class Subnet(nn.Module):
    """D channels of one level -> `outputs` numbers for each of A anchors in each cell."""

    def __init__(self, config: HeadConfig, in_channels: int, anchors: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.tower = nn.ModuleList()
        for index in range(config.convs):
            inputs = in_channels if index == 0 else config.channels
            conv = nn.Conv2d(inputs, config.channels, 3, padding=1, bias=config.norm == "none")
            self.tower.append(with_norm(config.norm, conv))
        inputs = config.channels if config.convs else in_channels
        self.predict = nn.Conv2d(inputs, anchors * outputs, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=SIGMA)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, pyramid: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Levels (B, D, H, W) -> levels (B, n, outputs)."""
        return tuple(self._level(x) for x in pyramid)

    def _level(self, x: Tensor) -> Tensor:
        for conv in self.tower:
            assert isinstance(conv, ConvNorm)
            x = conv_norm_relu(x, conv.conv, conv.norm)
        x = self.predict(x).permute(0, 2, 3, 1)  # (B, A*outputs, H, W) -> (B, H, W, A*outputs)
        cells = x.shape[1] * x.shape[2] * (x.shape[3] // self.outputs)
        return x.reshape(x.shape[0], cells, self.outputs)  # (B, n, outputs), a view where x is channels-last


def class_subnet(config: HeadConfig, in_channels: int, anchors: int, num_classes: int) -> Subnet:
    """The class subnet with its prior."""
    subnet = Subnet(config, in_channels, anchors, num_classes)
    assert subnet.predict.bias is not None
    nn.init.constant_(subnet.predict.bias, -math.log((1 - config.prior) / config.prior))
    return subnet


def box_subnet(config: HeadConfig, in_channels: int, anchors: int) -> Subnet:
    """The box subnet; its codes do not depend on the class."""
    return Subnet(config, in_channels, anchors, 4)
