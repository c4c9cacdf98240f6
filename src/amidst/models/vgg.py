"""VGG-A, the trunk of the first DeepMask (C.4, Table 3.1): eight 3x3 convolutions, four times halved.

    C1 .. C4   convolutions 2, 4, 6, 8, at strides 2, 4, 8, 16, before the next 2x2 max-pooling

The first pooling comes after one convolution, the fifth is left out. It ends at C4, so it carries DeepMask
and SharpMask, not the detectors. It has no norms (`norm` of the configuration does not apply). Names of
parameters are those of torchvision's vgg11.

Shapes: B images, C channels, H x W cells.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.errors import ConfigError
from amidst.models.config import BackboneConfig
from amidst.models.fused import conv_relu
from amidst.models.symmetric_padding import Padding, pad_symmetric

LEVELS = ((64,), (128,), (256, 256), (512, 512), (512, 512))  # channels; a pooling before all but the first
LAST_LEVEL = 4


class VGG(nn.Module):
    """VGG-A up to C_last_level; `out_channels` and `strides` describe C2..C4."""

    strides = (4, 8, 16)
    stem_channels = 128

    def __init__(self, config: BackboneConfig, last_level: int, padding: Padding) -> None:
        super().__init__()
        self.freeze_at, self.last_level = config.freeze_at, last_level
        self.features = nn.ModuleDict()
        self._names: list[list[str]] = []  # of the convolutions of each level
        left_out, place, channels = [], 0, 3
        for level, widths in enumerate(LEVELS):
            self._names.append([])
            for width in widths:
                if level <= last_level:
                    conv = nn.Conv2d(channels, width, 3, padding=int(padding == "zeros"))
                    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                    nn.init.zeros_(conv.bias)  # type: ignore[arg-type] # it has one
                    conv.requires_grad_(self._learns(level))
                    self.features[str(place)] = conv
                    self._names[level].append(str(place))
                else:
                    left_out.append(f"features.{place}.")
                channels, place = width, place + 2  # a rectifier after each convolution
            place += 1  # the pooling
        self.left_out = tuple(left_out)
        self.out_channels = tuple(widths[-1] for widths in LEVELS[2 : last_level + 1])

    def _learns(self, level: int) -> bool:
        return self.freeze_at < max(level, 1)

    def forward(self, pixels: Tensor, coarsest: int = LAST_LEVEL) -> tuple[Tensor, ...]:
        """pixels (B, 3, H, W) -> C2..C_coarsest, each (B, C_l, ceil(H / stride_l), ceil(W / stride_l))."""
        return self.maps(pixels, coarsest)[1:]

    def maps(self, pixels: Tensor, coarsest: int = LAST_LEVEL) -> tuple[Tensor, ...]:
        """The same with C1 before them, (B, 128, ceil(H / 2), ceil(W / 2))."""
        x, features, gradients = pixels, [], torch.is_grad_enabled()
        for level, names in enumerate(self._names[: min(coarsest, self.last_level) + 1]):
            with torch.set_grad_enabled(gradients and self._learns(level)):
                if level > 0:
                    x = F.max_pool2d(x, 2, ceil_mode=True)
                for name in names:
                    conv = self.features[name]
                    assert isinstance(conv, nn.Conv2d)
                    x = conv_relu(pad_symmetric(x, 1 - int(conv.padding[0])), conv)
            features.append(x)
        return tuple(features[1:])

    def last_stage(self) -> list[nn.Module]:
        """There is no C5."""
        return []


def vgg11(config: BackboneConfig, last_level: int = 5, padding: Padding = "zeros") -> VGG:
    """VGG-A. Raises ConfigError where more than C4 is wanted."""
    if last_level > LAST_LEVEL:
        raise ConfigError("backbone vgg11 ends at C4: it carries DeepMask and SharpMask only")
    return VGG(config, last_level, padding)
