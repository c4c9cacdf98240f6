"""Backbones by name. Each gives C2..C5 at strides 4, 8, 16, 32; `out_channels` says how wide they are.

`maps` gives C1 at stride 2 too, `stem_channels` wide. A trunk ends at `last_level`; `left_out` names what
weight files hold beyond it.
"""

from __future__ import annotations

from collections.abc import Callable

from amidst.models.config import BackboneConfig, BackboneName
from amidst.models.efficientnet_lite import EfficientNetLite, efficientnet_lite0
from amidst.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101
from amidst.models.symmetric_padding import Padding
from amidst.models.tiny import Tiny, tiny
from amidst.models.vgg import VGG, vgg11

Backbone = ResNet | VGG | EfficientNetLite | Tiny

BACKBONES: dict[BackboneName, Callable[[BackboneConfig, int, Padding], Backbone]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "vgg11": vgg11,
    "efficientnet_lite0": efficientnet_lite0,
    "tiny": tiny,
}


def build_backbone(config: BackboneConfig, last_level: int = 5, padding: Padding = "zeros") -> Backbone:
    """A backbone with random weights, up to C_last_level. Raises ConfigError if it cannot pad so."""
    return BACKBONES[config.name](config, last_level, padding)
