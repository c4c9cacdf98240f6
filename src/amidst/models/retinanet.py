"""RetinaNet (thesis chapter 5): backbone, feature pyramid, two subnets over all levels.

    pixels -> C2..C5 -> P3..P7 -> class logits and box codes of every anchor      this file
    with targets:      matching and losses                                        retinanet_loss.py
    without targets:   thresholds, decoding, non-maximum suppression              retinanet_decode.py

Shapes: B images, L levels, A anchors per cell, n_l anchors of a level, N of all, K classes, G objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor, nn

from amidst.models.backbone import build_backbone
from amidst.models.box_rules import padded_hw, placing
from amidst.models.config import RetinaNetConfig
from amidst.models.fpn import FPN
from amidst.models.retinanet_decode import decode_detections
from amidst.models.retinanet_head import box_subnet, class_subnet
from amidst.models.retinanet_loss import detection_losses
from amidst.models.structures import DenseOutputs, Detections, Target
from amidst.ops.anchors import grid_anchors
from amidst.ops.images import ImageBatch

CACHED_SIZES = 16


class RetinaNet(nn.Module):
    """`model(images, targets)` gives losses and `model(images)` detections, whatever the mode."""

    def __init__(self, config: RetinaNetConfig) -> None:
        super().__init__()
        anchors = config.anchors.octave_scales * len(config.anchors.aspects)
        width = config.fpn.channels
        self.config = config
        self.backbone = build_backbone(config.backbone)
        self.fpn = FPN(config.fpn, self.backbone.out_channels)
        self.class_subnet = class_subnet(config.head, width, anchors, config.num_classes)
        self.box_subnet = box_subnet(config.head, width, anchors)
        self._anchors: dict[tuple[object, ...], tuple[Tensor, ...]] = {}

    @overload
    def forward(self, images: ImageBatch, targets: Sequence[Target]) -> dict[str, Tensor]: ...
    @overload
    def forward(self, images: ImageBatch, targets: None = None) -> list[Detections]: ...

    def forward(
        self, images: ImageBatch, targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[Detections]:
        """Scalar losses whose sum is to be minimised, or the detections of each image."""
        if not images.sizes_hw:
            return [] if targets is None else self._no_losses()
        outputs = self.predict(images.pixels)
        if targets is None:
            return decode_detections(outputs, images.sizes_hw, self.config.decode)
        return detection_losses(outputs, targets, self.config.match, self.config.loss)

    def predict(self, pixels: Tensor) -> DenseOutputs:
        """pixels (B, 3, H, W) -> class logits and box codes of every anchor, and the anchors."""
        dtype = self.class_subnet.predict.weight.dtype  # narrow in a network prepared so for inference
        pyramid = self.fpn(self.backbone(pixels.to(dtype)))
        sizes_hw = tuple((int(x.shape[-2]), int(x.shape[-1])) for x in pyramid)
        return DenseOutputs(
            class_logits=self.class_subnet(pyramid),
            box_codes=self.box_subnet(pyramid),
            anchors_xyxy=self.anchors(sizes_hw, padded_hw(pixels), pixels.device),
        )

    def anchors(
        self, sizes_hw: tuple[tuple[int, int], ...], image_hw: tuple[int, int], device: torch.device
    ) -> tuple[Tensor, ...]:
        """Anchors (n_l, 4) of each level of padded images; those of the last few sizes are kept."""
        key = (sizes_hw, image_hw, device)
        if key not in self._anchors:
            if len(self._anchors) >= CACHED_SIZES:
                self._anchors.pop(next(iter(self._anchors)))
            c = self.config.anchors
            with torch.inference_mode(False):  # tensors born in inference mode could not serve training later
                stand = placing(c.grid, image_hw)
                levels = grid_anchors(
                    sizes_hw, self.fpn.strides, c.base, c.octave_scales, c.aspects, device, stand
                )
            self._anchors[key] = tuple(levels)
        return self._anchors[key]

    def _no_losses(self) -> dict[str, Tensor]:
        """Losses of a batch without images: zero, with zero gradients."""
        zero = sum(p.sum() * 0 for p in self.parameters() if p.requires_grad)
        assert isinstance(zero, Tensor)
        return {"class_loss": zero, "box_loss": zero * 0}
