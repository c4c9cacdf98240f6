"""Configuration of what all networks share: pixels, backbone, pyramid. Does not import torch.

Section letters (F.1, H, I.2 ...) are those of the thesis map in docs/thesis-map.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from amidst.config import Config

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Threshold = Annotated[float, msgspec.Meta(gt=0, lt=1)]  # of a probability
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Weight = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]

# Pillow's bilinear filter; two neighbours a side, rounded to uint8 (OpenCV) or not (torch on floats).
Resample = Literal["antialias", "bilinear", "bilinear_unrounded"]


class PixelConfig(Config, frozen=True):
    """How a uint8 RGB image becomes network input (J.1): (pixels in `order` * scale - mean) / std.

    What comes after `std` is the thesis's and ours as it stands; models of other families have their own.
    """

    order: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resample: Resample = "antialias"
    side_rounding: Literal["nearest", "down"] = "nearest"  # of the sides after resizing
    divisor: Annotated[int, msgspec.Meta(ge=1)] | None = None  # of padded sides; null: the coarsest stride


TORCHVISION_PIXELS = PixelConfig()
CAFFE_PIXELS = PixelConfig(order="bgr", scale=1.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0))
EFFICIENTNET_LITE_PIXELS = PixelConfig(scale=1.0, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))

Clamp = Literal["above", "both"]  # of the logarithms in a box code: ln(1000/16), or that and its negative
LayerNorm = Literal["none", "group", "frozen"]  # after convolutions beyond the backbone
BackboneName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "vgg11", "efficientnet_lite0", "tiny"]


class BackboneConfig(Config, frozen=True):
    """Bottom-up network giving C2..C5 at strides 4, 8, 16, 32 (J.2)."""

    name: BackboneName = "resnet50"
    norm: Literal["frozen", "batch", "group"] = "frozen"
    freeze_at: int = 2  # stem and stages up to this one are not trained; 0 trains all, 1 freezes the stem
    stride_in_1x1: bool = False  # True for weights of the original Caffe/MSRA models
    norm_eps: float | None = None  # null: that of the published weights (1e-5; EfficientNet-Lite 1e-3)


class FPNConfig(Config, frozen=True):
    """Feature pyramid (F.1)."""

    channels: int = 256
    min_level: int = 3
    max_level: int = 7
    extra_from: Literal["C5", "P5", "pool"] = "C5"  # P6: convolution of C5 or P5; P5 subsampled
    norm: LayerNorm = "none"
    lateral: bool = True
    top_down: bool = True
    relu_before_extra: bool = True  # before P7, not before P6


class GridConfig(Config, frozen=True):
    """How anchors stand on a map. Others than ours are those of models of other families."""

    centre: Literal["middle", "corner"] = "middle"  # of its cell, where an anchor's centre is
    stride: Literal["nominal", "fitted"] = "nominal"  # fitted: whole pixels of the padded side for each cell
    whole_pixels: bool = False  # sides rounded down, then corners to the nearest


class BoxRulesConfig(Config, frozen=True):
    """From codes to boxes, around non-maximum suppression. Others than ours are those of other families."""

    clamp: Clamp = "above"
    clip: Literal["before_nms", "after_nms"] = "before_nms"  # to the image
    drop_empty: Literal["before_nms", "after_nms", "never"] = "before_nms"
    min_side: float = 0.0  # pixels; a box with a smaller side is empty
