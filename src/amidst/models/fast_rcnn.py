"""Fast R-CNN (thesis section 4.4.2): the class and the box of regions that somebody else proposes.

    pixels -> maps                                            rcnn_maps.py
    maps, regions -> class logits and box codes               fast_rcnn_head.py
    with targets:      sampling of regions, losses            fast_rcnn_loss.py
    without targets:   thresholds, decoding, suppression      fast_rcnn_decode.py

Proposals come with the images (`ImageBatch.proposals_xyxy`), in their pixels and by descending score.

Shapes: B images, P proposals of an image, R regions of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor, nn

from amidst.errors import UsageError
from amidst.models.config import FasterRCNNConfig, FastRCNNConfig
from amidst.models.fast_rcnn_decode import decode_regions
from amidst.models.fast_rcnn_head import RegionHead, Regions
from amidst.models.fast_rcnn_loss import REGION_LOSSES, region_losses, sample_regions
from amidst.models.rcnn_maps import MapNetwork
from amidst.models.structures import Detections, Target
from amidst.ops.boxes import clip
from amidst.ops.images import ImageBatch


class FastRCNN(MapNetwork):
    """`model(images, targets)` gives losses and `model(images)` detections, whatever the mode."""

    def __init__(self, config: FastRCNNConfig) -> None:
        super().__init__(config, config.freeze_shared)
        self.config = config
        self.region_head = region_head_for(self, config)

    @overload
    def forward(self, images: ImageBatch, targets: Sequence[Target]) -> dict[str, Tensor]: ...
    @overload
    def forward(self, images: ImageBatch, targets: None = None) -> list[Detections]: ...

    def forward(
        self, images: ImageBatch, targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[Detections]:
        """Scalar losses whose sum is to be minimised, or the detections of each image.

        Raises UsageError for images without proposals.
        """
        if not images.sizes_hw:
            return [] if targets is None else self.no_losses(REGION_LOSSES)
        if images.proposals_xyxy is None:
            raise UsageError("Fast R-CNN judges proposals from elsewhere: this network needs proposals")
        proposals = [
            within(boxes, size_hw)
            for boxes, size_hw in zip(images.proposals_xyxy, images.sizes_hw, strict=True)
        ]
        maps = self.maps(images.pixels.to(self.region_head.dtype))
        if targets is None:
            return judge(self.region_head, maps, proposals, images.sizes_hw, self.last_stage_on_regions())
        return learn(self.region_head, maps, proposals, targets, self.last_stage_on_regions())


def region_head_for(network: MapNetwork, config: FastRCNNConfig | FasterRCNNConfig) -> RegionHead:
    """The head of `config` on the maps of `network`."""
    last_channels = network.backbone.out_channels[-1]
    return RegionHead(
        config.roi, config.num_classes, config.maps, network.channels, network.levels, last_channels
    )


def within(boxes_xyxy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Boxes (P, 4) cut to the image, those without area left out."""
    boxes = clip(boxes_xyxy, size_hw)
    return boxes[((boxes[:, 2:] - boxes[:, :2]) > 0).all(dim=1)]


def learn(
    head: RegionHead,
    maps: Sequence[Tensor],
    proposals_xyxy: Sequence[Tensor],
    targets: Sequence[Target],
    last_stage: Sequence[nn.Module],
) -> dict[str, Tensor]:
    """Losses on a sample of the proposals, B of (P, 4) by descending score, and of the objects."""
    wanted = sample_regions(proposals_xyxy, targets, head.background, head.config.loss)
    outputs = head(maps, wanted.regions, last_stage)
    losses = region_losses(outputs, wanted, head.config.loss)
    # Every map takes part, also where no region reads it: processes that average gradients wait for all.
    idle = torch.stack([x[..., :0].sum() for x in maps]).sum()
    return losses | {"class_loss": losses["class_loss"] + idle.float()}


def judge(
    head: RegionHead,
    maps: Sequence[Tensor],
    proposals_xyxy: Sequence[Tensor],
    sizes_hw: Sequence[tuple[int, int]],
    last_stage: Sequence[nn.Module],
) -> list[Detections]:
    """Detections among the best proposals, B of (P, 4) by descending score."""
    best = [boxes[: head.config.decode.proposals] for boxes in proposals_xyxy]
    counts = torch.tensor([len(boxes) for boxes in best], device=maps[0].device)
    image = torch.repeat_interleave(torch.arange(len(best), device=counts.device), counts)
    regions = Regions(torch.cat(best), image)
    outputs = head(maps, regions, last_stage)
    return decode_regions(outputs, regions, sizes_hw, head.config.decode)
