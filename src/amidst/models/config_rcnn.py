"""Configuration of the two-stage detectors (thesis chapter 4). Does not import torch.

Section letters (F.2, F.4 ...) are those of the thesis map in docs/thesis-map.md.
"""

from __future__ import annotations

from amidst.config import Config
from amidst.models.config_parts import TORCHVISION_PIXELS, BackboneConfig, FPNConfig, PixelConfig


class RPNConfig(Config, frozen=True, tag="rpn", tag_field="family"):
    """Region proposal network (F.2). Class-agnostic: its one class is any object."""

    num_classes: int = 1
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(min_level=2, max_level=6, extra_from="pool")


class FastRCNNConfig(Config, frozen=True, tag="fast_rcnn", tag_field="family"):
    """Fast R-CNN on proposals from elsewhere (F.4)."""

    num_classes: int = 80
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(min_level=2, max_level=5, extra_from="pool")


class FasterRCNNConfig(Config, frozen=True, tag="faster_rcnn", tag_field="family"):
    """RPN and Fast R-CNN on one pyramid (F.5)."""

    num_classes: int = 80
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(min_level=2, max_level=6, extra_from="pool")
