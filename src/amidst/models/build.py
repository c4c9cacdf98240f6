"""From a configuration to a network with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from amidst.models.config import (
    DeepMaskConfig,
    FasterRCNNConfig,
    FastRCNNConfig,
    FPNMasksConfig,
    ModelConfig,
    RetinaNetConfig,
    RPNConfig,
    SharpMaskConfig,
)
from amidst.models.deepmask import DeepMask
from amidst.models.fast_rcnn import FastRCNN
from amidst.models.faster_rcnn import FasterRCNN
from amidst.models.fpn import COARSEST
from amidst.models.fpn_masks import FPNMasks
from amidst.models.rcnn_maps import SINGLE
from amidst.models.retinanet import RetinaNet
from amidst.models.rpn import RPN
from amidst.models.sharpmask import SharpMask

FAMILIES: dict[type[Any], Callable[[Any], nn.Module]] = {
    RetinaNetConfig: RetinaNet,
    RPNConfig: RPN,
    FastRCNNConfig: FastRCNN,
    FasterRCNNConfig: FasterRCNN,
    DeepMaskConfig: DeepMask,
    SharpMaskConfig: SharpMask,
    FPNMasksConfig: FPNMasks,
}

# Layers shaped by the number of classes: they start anew where a network is taken over for other classes.
CLASS_LAYERS: dict[type[Any], tuple[str, ...]] = {
    RetinaNetConfig: ("class_subnet.predict",),
    RPNConfig: (),
    DeepMaskConfig: (),
    SharpMaskConfig: ("refine.",),  # all that a SharpMask has beyond the DeepMask that it takes over
    FPNMasksConfig: (),
    FastRCNNConfig: ("region_head.class_logits", "region_head.box_codes"),
    FasterRCNNConfig: ("region_head.class_logits", "region_head.box_codes"),
}


def build_model(config: ModelConfig) -> nn.Module:
    """The network that the configuration describes."""
    return FAMILIES[type(config)](config)


def size_divisor(config: ModelConfig) -> int:
    """What both sides of a padded batch are multiples of: its own, or the coarsest stride (128 for P7)."""
    if config.pixels.divisor is not None:
        return config.pixels.divisor
    if isinstance(config, RPNConfig | FastRCNNConfig | FasterRCNNConfig) and config.maps != "pyramid":
        return int(2 ** SINGLE.get(config.maps, COARSEST))
    if isinstance(config, DeepMaskConfig | SharpMaskConfig):
        return 1  # they pad each scale of the image by themselves
    return int(2**config.fpn.max_level)
