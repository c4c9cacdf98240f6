"""Configuration of the two-stage detectors (thesis chapter 4). Does not import torch.

Section letters (F.2, F.4 ...) are those of the thesis map in docs/thesis-map.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from amidst.config import Config
from amidst.models.config_parts import (
    TORCHVISION_PIXELS,
    BackboneConfig,
    BoxRulesConfig,
    Clamp,
    Count,
    FPNConfig,
    GridConfig,
    LayerNorm,
    PixelConfig,
    Share,
)

# What the heads read: all levels of the pyramid, its finest level alone, or one map of the backbone.
Maps = Literal["pyramid", "finest", "C4", "C5"]


class RPNAnchorConfig(Config, frozen=True):
    """Anchor sides in pixels and shapes h/w (F.2). A pyramid has one size a level, a single map has all."""

    sizes: tuple[float, ...] = (32.0, 64.0, 128.0, 256.0, 512.0)  # finest level first
    aspects: tuple[float, ...] = (0.5, 1.0, 2.0)
    grid: GridConfig = GridConfig()


class RPNHeadConfig(Config, frozen=True):
    """A 3x3 convolution, or several, and two outputs (F.2)."""

    shared: bool = True  # one head for all levels; false: one for each
    channels: int | None = None  # of the 3x3 convolution; null: as many as the map has
    norm: LayerNorm = "none"
    convs: Count = 1


class RPNLossConfig(Config, frozen=True):
    """Assignment, sampling and losses of anchors (F.2)."""

    positive_iou: float = 0.7
    negative_iou: float = 0.3
    sampled: Count = 256  # anchors of an image that count
    positive_share: Share = 0.5  # of them, at most
    beta: float = 1 / 9  # smooth L1
    box_weight: float = 1.0


class RPNDecodeConfig(Config, frozen=True):
    """From anchors to proposals (F.2). Candidates are the best of each level before suppression.

    A single map takes six times as many candidates as a level does.
    """

    train_candidates: Count = 2000
    train_count: Count = 2000  # proposals of an image that Faster R-CNN learns from
    test_candidates: Count = 1000
    test_count: Count = 1000
    nms_iou: float = 0.7  # within a level
    min_side: float = 1.0  # pixels; smaller proposals are dropped, and those without area
    clamp: Clamp = "above"


class RPNPartConfig(Config, frozen=True):
    """What makes proposals, alone or inside Faster R-CNN (F.2)."""

    anchors: RPNAnchorConfig = RPNAnchorConfig()
    head: RPNHeadConfig = RPNHeadConfig()
    loss: RPNLossConfig = RPNLossConfig()
    decode: RPNDecodeConfig = RPNDecodeConfig()


class PoolingConfig(Config, frozen=True):
    """Features of a region (F.3, F.5b)."""

    kind: Literal["align", "align_legacy", "max"] = "align"  # legacy: without the half-pixel shift
    size: Count = 7  # cells a side; the head conv5 takes twice as many and halves them
    sampling: Annotated[int, msgspec.Meta(ge=0)] = (
        2  # samples a side of each cell; 0: as many as it has pixels
    )
    canonical_size: float = 224.0  # a region of this side reads level 4 (Eq. 4.1)


class RegionHeadConfig(Config, frozen=True):
    """From the features of a region to its class and box (F.4)."""

    kind: Literal["fc", "conv5"] = "fc"  # conv5: the last stage of the backbone, for maps=C4
    fcs: Count = 2
    width: Count = 1024
    convs: Annotated[int, msgspec.Meta(ge=0)] = 0  # 3x3, before the fcs, as wide as the map
    norm: LayerNorm = "none"  # of the convs
    silent: Annotated[int, msgspec.Meta(ge=0)] = 0  # further classes that share the softmax, never reported


class RegionLossConfig(Config, frozen=True):
    """Assignment, sampling and losses of regions (F.4)."""

    proposals: Count = (
        2000  # the best of an image from which regions are sampled, besides the objects themselves
    )
    positive_iou: float = 0.5  # below: background
    sampled: Count = 512  # regions of an image
    positive_share: Share = 0.25  # of them, at most
    beta: float = 1.0  # smooth L1
    box_weight: float = 1.0


class RegionDecodeConfig(Config, frozen=True):
    """From regions to detections (F.4)."""

    proposals: Count = 1000  # the best of an image that are classified
    score_threshold: float = 0.05
    nms_iou: float = 0.5  # within a class
    max_detections: Count = 100
    boxes: BoxRulesConfig = BoxRulesConfig()


class RegionPartConfig(Config, frozen=True):
    """What classifies regions, alone or inside Faster R-CNN (F.4)."""

    pooling: PoolingConfig = PoolingConfig()
    head: RegionHeadConfig = RegionHeadConfig()
    loss: RegionLossConfig = RegionLossConfig()
    decode: RegionDecodeConfig = RegionDecodeConfig()


class RPNConfig(Config, frozen=True, tag="rpn", tag_field="family"):
    """Region proposal network (F.2). Class-agnostic: its one class is any object."""

    num_classes: int = 1
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(min_level=2, max_level=6, extra_from="pool")
    maps: Maps = "pyramid"
    freeze_shared: bool = False  # backbone and pyramid are not trained (step 3 of the alternating training)
    rpn: RPNPartConfig = RPNPartConfig()


class FastRCNNConfig(Config, frozen=True, tag="fast_rcnn", tag_field="family"):
    """Fast R-CNN on proposals from elsewhere (F.4)."""

    num_classes: int = 80
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(min_level=2, max_level=5, extra_from="pool")
    maps: Maps = "pyramid"
    freeze_shared: bool = False  # backbone and pyramid are not trained (step 4 of the alternating training)
    roi: RegionPartConfig = RegionPartConfig()


class FasterRCNNConfig(Config, frozen=True, tag="faster_rcnn", tag_field="family"):
    """RPN and Fast R-CNN on the same maps (F.5)."""

    num_classes: int = 80
    pixels: PixelConfig = TORCHVISION_PIXELS
    backbone: BackboneConfig = BackboneConfig()
    fpn: FPNConfig = FPNConfig(min_level=2, max_level=6, extra_from="pool")
    maps: Maps = "pyramid"
    rpn: RPNPartConfig = RPNPartConfig()
    roi: RegionPartConfig = RegionPartConfig()
