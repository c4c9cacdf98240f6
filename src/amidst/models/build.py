"""From a configuration to a detector with random weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from amidst.models.config import ModelConfig, RetinaNetConfig
from amidst.models.retinanet import RetinaNet

FAMILIES: dict[type[ModelConfig], Callable[[ModelConfig], nn.Module]] = {
    RetinaNetConfig: RetinaNet,
}


def build_model(config: ModelConfig) -> nn.Module:
    """The detector that the configuration describes."""
    return FAMILIES[type(config)](config)


def size_divisor(config: ModelConfig) -> int:
    """What both sides of a padded batch must be multiples of: the coarsest stride, 128 for P7."""
    return int(2**config.fpn.max_level)
