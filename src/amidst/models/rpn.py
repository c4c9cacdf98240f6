"""Region proposal network (thesis section 4.4.1): where in the picture is an object, of whatever class.

    pixels -> maps -> objectness and box codes of every anchor        rcnn_maps.py, rpn_head.py
    with targets:      assignment, sampling, losses                   rpn_loss.py
    without targets:   the best boxes, suppression                    rpn_decode.py

The classes of targets are not looked at; what comes out has class 0.

Shapes: B images, L maps, n_l anchors of map l.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from torch import Tensor

from amidst.models.box_rules import padded_hw
from amidst.models.config import RPNConfig
from amidst.models.rcnn_maps import MapNetwork
from amidst.models.rpn_decode import decode_proposals
from amidst.models.rpn_head import RPNHead
from amidst.models.rpn_loss import RPN_LOSSES, rpn_losses
from amidst.models.structures import DenseOutputs, Detections, Target
from amidst.ops.images import ImageBatch


class RPN(MapNetwork):
    """`model(images, targets)` gives losses and `model(images)` proposals, whatever the mode."""

    def __init__(self, config: RPNConfig) -> None:
        super().__init__(config, config.freeze_shared)
        self.config = config
        self.rpn_head = RPNHead(config.rpn, self.channels, self.strides)
        for stage in self.last_stage_on_regions():  # nothing here runs it
            stage.requires_grad_(False)

    @overload
    def forward(self, images: ImageBatch, targets: Sequence[Target]) -> dict[str, Tensor]: ...
    @overload
    def forward(self, images: ImageBatch, targets: None = None) -> list[Detections]: ...

    def forward(
        self, images: ImageBatch, targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[Detections]:
        """Scalar losses whose sum is to be minimised, or the proposals of each image."""
        if not images.sizes_hw:
            return [] if targets is None else self.no_losses(RPN_LOSSES)
        outputs = self.predict(images.pixels)
        if targets is None:
            return decode_proposals(outputs, images.sizes_hw, self.config.rpn.decode, for_training=False)
        return rpn_losses(outputs, targets, self.config.rpn.loss)

    def predict(self, pixels: Tensor) -> DenseOutputs:
        """pixels (B, 3, H, W) -> objectness and codes of every anchor, and the anchors."""
        dtype = self.rpn_head.dtype  # narrow in a network prepared so for inference
        outputs: DenseOutputs = self.rpn_head(self.maps(pixels.to(dtype)), padded_hw(pixels))
        return outputs
