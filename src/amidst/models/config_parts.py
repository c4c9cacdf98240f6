"""Configuration of what all networks share: pixels, backbone, pyramid. Does not import torch.

Section letters (F.1, H, I.2 ...) are those of the thesis map in docs/thesis-map.md.
"""

from __future__ import annotations

from typing import Literal

from amidst.config import Config


class PixelConfig(Config, frozen=True):
    """How a uint8 RGB image becomes network input (J.1): (pixels in `order` * scale - mean) / std."""

    order: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


TORCHVISION_PIXELS = PixelConfig()
CAFFE_PIXELS = PixelConfig(order="bgr", scale=1.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0))
EFFICIENTNET_LITE_PIXELS = PixelConfig(scale=1.0, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))

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
    norm: Literal["none", "group"] = "none"
    lateral: bool = True
    top_down: bool = True
