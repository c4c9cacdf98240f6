"""Configuration of RetinaNet (thesis chapter 5). Does not import torch.

Section letters (H, I.2 ...) are those of the thesis map in docs/thesis-map.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from amidst.config import Config
from amidst.models.config_parts import (
    TORCHVISION_PIXELS,
    BackboneConfig,
    BoxRulesConfig,
    FPNConfig,
    GridConfig,
    LayerNorm,
    PixelConfig,
)


class AnchorConfig(Config, frozen=True):
    """Anchors of level l have base side `base` * 2^l, at `octave_scales` sizes and h/w `aspects` (I.2)."""

    base: float = 4.0
    octave_scales: int = 3
    aspects: tuple[float, ...] = (0.5, 1.0, 2.0)
    grid: GridConfig = GridConfig()


class HeadConfig(Config, frozen=True):
    """The two subnets (I.3)."""

    convs: int = 4
    channels: int = 256
    norm: LayerNorm = "none"
    prior: float = 0.01  # initial foreground probability; bias = -ln((1-prior)/prior)


class MatchConfig(Config, frozen=True):
    """Assignment of anchors to objects (I.4)."""

    positive_iou: float = 0.5
    negative_iou: float = 0.4
    low_quality: Literal["none", "detectron", "all"] = "none"


class MiningConfig(Config, frozen=True):
    """Online hard example mining (H): only the `batch` hardest anchors of an image count, in both losses.

    Anchors are ranked by cross-entropy plus box loss. The thesis's baseline has the kind "cross_entropy".
    """

    kind: Literal["none", "ohem", "ohem_1_3"] = "none"
    batch: Annotated[int, msgspec.Meta(ge=4)] = 128  # anchors of an image
    nms_iou: float = 0.7  # anchors that overlap a harder one of their class by more are left out
    preselect: int = 10_000  # hardest anchors that suppression looks at


class LossConfig(Config, frozen=True):
    """Classification and box losses (H, I.5). `alpha=None` weighs both sides by 1."""

    kind: Literal["focal", "cross_entropy", "balanced_cross_entropy", "focal_star", "hinge"] = "focal"
    gamma: float = 2.0
    alpha: float | None = 0.25
    star_beta: float = 0.0  # beta of FL*
    hinge_margin: float = 0.5
    tau: float = 0.0  # clip p_t from below; 0 = off
    tau_mode: Literal["hard", "value_only"] = "value_only"
    normaliser: Literal["image", "batch"] = "image"
    box: Literal["smooth_l1", "giou"] = "smooth_l1"
    beta: float = 0.11  # smooth L1
    box_weight: float = 1.0
    mining: MiningConfig = MiningConfig()


class DecodeConfig(Config, frozen=True):
    """From head outputs to detections (I.7)."""

    score_threshold: float = 0.05
    candidates_per_level: int = 1000
    nms_iou: float = 0.5
    max_detections: int = 100
    boxes: BoxRulesConfig = BoxRulesConfig()


class RetinaNetConfig(Config, frozen=True, tag="retinanet", tag_field="family"):
    """RetinaNet (thesis chapter 5). `num_classes` counts foreground classes only."""

    num_classes: int = 80
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig()
    anchors: AnchorConfig = AnchorConfig()
    head: HeadConfig = HeadConfig()
    match: MatchConfig = MatchConfig()
    loss: LossConfig = LossConfig()
    decode: DecodeConfig = DecodeConfig()
