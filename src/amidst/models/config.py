"""Configuration of the networks. Plain data: importing this module does not import torch.

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

BackboneName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "efficientnet_lite0", "tiny"]


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


class AnchorConfig(Config, frozen=True):
    """Anchors of level l have base side `base` * 2^l, at `octave_scales` sizes and h/w `aspects` (I.2)."""

    base: float = 4.0
    octave_scales: int = 3
    aspects: tuple[float, ...] = (0.5, 1.0, 2.0)


class HeadConfig(Config, frozen=True):
    """The two subnets (I.3)."""

    convs: int = 4
    channels: int = 256
    norm: Literal["none", "group"] = "none"
    prior: float = 0.01  # initial foreground probability; bias = -ln((1-prior)/prior)


class MatchConfig(Config, frozen=True):
    """Assignment of anchors to objects (I.4)."""

    positive_iou: float = 0.5
    negative_iou: float = 0.4
    low_quality: Literal["none", "detectron", "all"] = "none"


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


class DecodeConfig(Config, frozen=True):
    """From head outputs to detections (I.7)."""

    score_threshold: float = 0.05
    candidates_per_level: int = 1000
    nms_iou: float = 0.5
    max_detections: int = 100


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


# Further families join this union; the JSON field "family" selects among them.
ModelConfig = RetinaNetConfig
