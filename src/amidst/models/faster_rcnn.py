"""Faster R-CNN (F.5, thesis section 4.5.2): a region proposal network and Fast R-CNN on the same maps.

    pixels -> maps                                      rcnn_maps.py
    maps -> proposals                                   rpn_head.py, rpn_decode.py
    maps, proposals -> detections                       fast_rcnn_head.py, fast_rcnn_decode.py
    with targets: the losses of both, summed            rpn_loss.py, fast_rcnn_loss.py

Joint training: the boxes of the proposals are constants for the second stage, whose gradient reaches the maps
through the features alone. Training in steps (RPN, Fast R-CNN, and each head again on frozen maps) ends with
`faster_rcnn_assembly`, which joins the two networks to this one.

Shapes: B images, L maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from torch import Tensor

from amidst.models.box_rules import padded_hw
from amidst.models.config import FasterRCNNConfig
from amidst.models.fast_rcnn import judge, learn, region_head_for
from amidst.models.fast_rcnn_loss import REGION_LOSSES
from amidst.models.rcnn_maps import MapNetwork
from amidst.models.rpn_decode import decode_proposals
from amidst.models.rpn_head import RPNHead
from amidst.models.rpn_loss import RPN_LOSSES, rpn_losses
from amidst.models.structures import Detections, Target
from amidst.ops.images import ImageBatch


class FasterRCNN(MapNetwork):
    """`model(images, targets)` gives losses and `model(images)` detections, whatever the mode."""

    def __init__(self, config: FasterRCNNConfig) -> None:
        super().__init__(config, freeze_shared=False)
        self.config = config
        self.rpn_head = RPNHead(config.rpn, self.channels, self.strides)
        self.region_head = region_head_for(self, config)

    @overload
    def forward(self, images: ImageBatch, targets: Sequence[Target]) -> dict[str, Tensor]: ...
    @overload
    def forward(self, images: ImageBatch, targets: None = None) -> list[Detections]: ...

    def forward(
        self, images: ImageBatch, targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[Detections]:
        """Scalar losses whose sum is to be minimised, or the detections of each image."""
        if not images.sizes_hw:
            return [] if targets is None else self.no_losses(RPN_LOSSES + REGION_LOSSES)
        maps = self.maps(images.pixels.to(self.region_head.dtype))
        outputs = self.rpn_head(maps, padded_hw(images.pixels))
        found = decode_proposals(
            outputs, images.sizes_hw, self.config.rpn.decode, for_training=targets is not None
        )
        proposals = [proposed.boxes_xyxy for proposed in found]
        last_stage = self.last_stage_on_regions()
        if targets is None:
            return judge(self.region_head, maps, proposals, images.sizes_hw, last_stage)
        return rpn_losses(outputs, targets, self.config.rpn.loss) | learn(
            self.region_head, maps, proposals, targets, last_stage
        )
