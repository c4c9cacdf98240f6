"""Configuration of the mask proposal networks (thesis chapter 3, section 4.6). Does not import torch.

Section letters (C, D, G) are those of the thesis map in docs/thesis-map.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from amidst.config import Config
from amidst.models.config_parts import (
    TORCHVISION_PIXELS,
    BackboneConfig,
    Count,
    PixelConfig,
    Threshold,
    Weight,
)

Dropout = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class DeepMaskDecodeConfig(Config, frozen=True):
    """From the scales of an image to proposals (C.6)."""

    num_proposals: Count = 1000  # of all scales together; without suppression
    exponents: tuple[float, ...] | None = None  # of the scales 2^e; null: the released grid, see `Geometry`
    zoom: Literal[0, 1, 2] = 0  # finer scales added to that grid
    mask_threshold: Threshold = 0.2  # probability above which a pixel is on the object


class DeepMaskConfig(Config, frozen=True, tag="deepmask", tag_field="family"):
    """DeepMask (C). Class-agnostic: its one class is any object."""

    num_classes: int = 1
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig(freeze_at=0)
    trunk: str = "W160-P4-D39-F128"  # patch side, halvings, convolutions, channels (Table 3.1): `Geometry`
    padding: Literal["symmetric", "zeros"] = "symmetric"  # of the trunk
    head: Literal["original", "A", "B", "C"] = "C"  # of the score (Table 3.2)
    dropout: Dropout = 0.5  # in the score head
    target_side: Count = 112  # pixels of the masks that are learnt
    mask_weight: Weight = 32.0  # 1 / lambda: the mask loss in units of the score loss (C.3)
    decode: DeepMaskDecodeConfig = DeepMaskDecodeConfig()


class RefineConfig(Config, frozen=True):
    """The refinement (D.1-D.3, D.6)."""

    variant: Literal["released", "concat", "skip", "deconv"] = "released"
    channels: Count = 32  # k: of the coarsest level
    schedule: Literal["a", "b"] = "b"  # channels of the finer levels: a the same, b half as many each time
    upsample: Literal["bilinear", "nearest"] = "bilinear"


class SharpMaskConfig(DeepMaskConfig, frozen=True, tag="sharpmask", tag_field="family"):
    """A trained DeepMask and its refinement (D), which alone learns."""

    target_side: Count = 160
    refine: RefineConfig = RefineConfig()
    masks: Literal["sharp", "coarse"] = "sharp"  # coarse: those of the DeepMask within
