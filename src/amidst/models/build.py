"""From a configuration to a network with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from amidst.models.config import DeepMaskConfig, ModelConfig, RetinaNetConfig, SharpMaskConfig
from amidst.models.retinanet import RetinaNet

FAMILIES: dict[type[Any], Callable[[Any], nn.Module]] = {
    RetinaNetConfig: RetinaNet,
}

# Layers shaped by the number of classes: they start anew where a network is taken over for other classes.
CLASS_LAYERS: dict[type[Any], tuple[str, ...]] = {
    RetinaNetConfig: ("class_subnet.predict",),
}


def build_model(config: ModelConfig) -> nn.Module:
    """The network that the configuration describes."""
    return FAMILIES[type(config)](config)


def size_divisor(config: ModelConfig) -> int:
    """What both sides of a padded batch are multiples of: the coarsest stride, 128 for P7."""
    if isinstance(config, DeepMaskConfig | SharpMaskConfig):
        return 1  # they pad each scale of the image by themselves
    return int(2**config.fpn.max_level)
