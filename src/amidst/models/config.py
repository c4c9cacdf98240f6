"""Configuration of the networks, one file for each family. Plain data: nothing here imports torch."""

from __future__ import annotations

from amidst.models.config_fpn_masks import FPNMasksConfig
from amidst.models.config_masks import DeepMaskConfig, DeepMaskDecodeConfig, RefineConfig, SharpMaskConfig
from amidst.models.config_parts import (
    CAFFE_PIXELS,
    EFFICIENTNET_LITE_PIXELS,
    TORCHVISION_PIXELS,
    BackboneConfig,
    BackboneName,
    BoxRulesConfig,
    FPNConfig,
    GridConfig,
    PixelConfig,
)
from amidst.models.config_rcnn import FasterRCNNConfig, FastRCNNConfig, RPNConfig
from amidst.models.config_retinanet import (
    AnchorConfig,
    DecodeConfig,
    HeadConfig,
    LossConfig,
    MatchConfig,
    MiningConfig,
    RetinaNetConfig,
)

__all__ = [
    "CAFFE_PIXELS",
    "EFFICIENTNET_LITE_PIXELS",
    "TORCHVISION_PIXELS",
    "AnchorConfig",
    "BackboneConfig",
    "BackboneName",
    "BoxRulesConfig",
    "DecodeConfig",
    "DeepMaskConfig",
    "DeepMaskDecodeConfig",
    "FPNConfig",
    "FPNMasksConfig",
    "FastRCNNConfig",
    "FasterRCNNConfig",
    "GridConfig",
    "HeadConfig",
    "LossConfig",
    "MaskConfig",
    "MatchConfig",
    "MiningConfig",
    "ModelConfig",
    "PixelConfig",
    "ProposalConfig",
    "RPNConfig",
    "RefineConfig",
    "RetinaNetConfig",
    "SharpMaskConfig",
]

MaskConfig = DeepMaskConfig | SharpMaskConfig | FPNMasksConfig  # learn from masks, propose masks
ProposalConfig = RPNConfig | MaskConfig  # class-agnostic

# The JSON field "family" selects among them.
ModelConfig = RetinaNetConfig | FastRCNNConfig | FasterRCNNConfig | ProposalConfig
