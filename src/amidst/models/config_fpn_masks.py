"""Configuration of mask proposals on a feature pyramid (thesis section 4.6). Does not import torch."""

from __future__ import annotations

from amidst.config import Config
from amidst.models.config_parts import (
    TORCHVISION_PIXELS,
    BackboneConfig,
    Count,
    FPNConfig,
    PixelConfig,
    Share,
    Threshold,
    Weight,
)


class CellConfig(Config, frozen=True):
    """Which cells a loss looks at, and how the two losses are weighed (G)."""

    sampled: Count = 128  # cells of an image
    positive_share: Share = 0.25  # at most
    mask_weight: Weight = 10.0


class FPNMasksDecodeConfig(Config, frozen=True):
    """From all cells to proposals (G)."""

    num_proposals: Count = 1000  # of all levels and windows together; without suppression
    mask_threshold: Threshold = 0.5  # probability above which a pixel is on the object


class FPNMasksConfig(Config, frozen=True, tag="fpn_masks", tag_field="family"):
    """Mask proposals on a feature pyramid (G). Class-agnostic: its one class is any object."""

    num_classes: int = 1
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(channels=128, min_level=2, max_level=6, extra_from="pool")
    windows: tuple[int, ...] = (5, 7)  # cells that each network looks at; (5,) or (7,) alone, or both
    hidden: Count = 512  # channels between the two layers
    mask_side: Count = 14  # cells of a mask; 28 is the thesis's finer one
    cells: CellConfig = CellConfig()
    decode: FPNMasksDecodeConfig = FPNMasksDecodeConfig()
