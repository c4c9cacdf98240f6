"""Backbones by name. Each gives C2..C5 at strides 4, 8, 16, 32; `out_channels` says how wide they are."""

from __future__ import annotations

from collections.abc import Callable

from amidst.models.config import BackboneConfig, BackboneName
from amidst.models.efficientnet_lite import EfficientNetLite, efficientnet_lite0
from amidst.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101
from amidst.models.tiny import Tiny, tiny

Backbone = ResNet | EfficientNetLite | Tiny

BACKBONES: dict[BackboneName, Callable[[BackboneConfig], Backbone]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "efficientnet_lite0": efficientnet_lite0,
    "tiny": tiny,
}


def build_backbone(config: BackboneConfig) -> Backbone:
    """A backbone with random weights."""
    return BACKBONES[config.name](config)
