"""Configuration of the mask proposal networks (thesis chapter 3, section 4.6). Does not import torch.

Section letters (C, D, G) are those of the thesis map in docs/thesis-map.md.
"""

from __future__ import annotations

from amidst.config import Config
from amidst.models.config_parts import TORCHVISION_PIXELS, BackboneConfig, FPNConfig, PixelConfig


class DeepMaskConfig(Config, frozen=True, tag="deepmask", tag_field="family"):
    """DeepMask (C). Class-agnostic: its one class is any object."""

    num_classes: int = 1
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()


class SharpMaskConfig(Config, frozen=True, tag="sharpmask", tag_field="family"):
    """DeepMask and its refinement (D)."""

    num_classes: int = 1
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()


class FPNMasksConfig(Config, frozen=True, tag="fpn_masks", tag_field="family"):
    """Mask proposals on a feature pyramid (G)."""

    num_classes: int = 1
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(channels=128, min_level=2, max_level=6, extra_from="pool")
