"""What the networks of chapter 4 share: a backbone, a pyramid, and which of their maps the heads read.

    maps="pyramid"   P_min..P_max                                   (F.1)
    maps="finest"    P_min alone, made through the whole pyramid    ("P2 only", Table 4.1 f)
    maps="C4", "C5"  one map of the backbone; there is no pyramid   (the baselines a and b)

On C4 the last stage of the backbone is not run over the image. It still is a part of the backbone, where the
published weights have it; Fast R-CNN runs it over each region ("conv5"), the RPN leaves it as it is.

Names of weights are the same in all networks: `backbone`, `fpn`, `rpn_head`, `region_head`. What RPN and Fast
R-CNN share in Faster R-CNN (F.5) is `backbone` and `fpn`; `freeze_shared` keeps it as it is.

Shapes: B images, L maps, D channels, H_l x W_l cells of map l.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from amidst.models.backbone import build_backbone
from amidst.models.config import FasterRCNNConfig, FastRCNNConfig, RPNConfig
from amidst.models.fpn import COARSEST, FINEST, FPN

SINGLE = {"C4": 4, "C5": 5}


class MapNetwork(nn.Module):
    """Backbone and pyramid of RPN, Fast R-CNN and Faster R-CNN."""

    def __init__(self, config: RPNConfig | FastRCNNConfig | FasterRCNNConfig, freeze_shared: bool) -> None:
        super().__init__()
        self.freeze_shared = freeze_shared
        self.backbone = build_backbone(config.backbone)
        self.coarsest = SINGLE.get(config.maps, COARSEST)  # level at which the backbone stops
        self.fpn: FPN | None = None
        if config.maps in SINGLE:
            self.channels = self.backbone.out_channels[self.coarsest - FINEST]
            self.levels: tuple[int, ...] = (self.coarsest,)
        else:
            self.fpn = FPN(config.fpn, self.backbone.out_channels, finest_only=config.maps == "finest")
            self.channels = config.fpn.channels
            self.levels = tuple(config.fpn.min_level + index for index in range(len(self.fpn.strides)))
        self.strides = tuple(2**level for level in self.levels)
        if freeze_shared:
            for parameter in self._shared():
                parameter.requires_grad_(False)

    def _shared(self) -> Iterator[nn.Parameter]:
        """Parameters behind the maps."""
        own = {id(p) for stage in self.last_stage_on_regions() for p in stage.parameters()}
        yield from (p for p in self.backbone.parameters() if id(p) not in own)
        if self.fpn is not None:
            yield from self.fpn.parameters()

    def last_stage_on_regions(self) -> list[nn.Module]:
        """The stages of the backbone that are not run over the image: none, or on C4 the last."""
        return self.backbone.last_stage() if self.coarsest < COARSEST else []

    def train(self, mode: bool = True) -> MapNetwork:
        """As in torch; statistics of frozen norms do not move either."""
        super().train(mode)
        if self.freeze_shared:
            self.backbone.eval()
            for stage in self.last_stage_on_regions():
                stage.train(mode)
        return self

    def maps(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """pixels (B, 3, H, W) -> the maps that the heads read, each (B, D, H_l, W_l), finest first."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_shared):
            features = self.backbone(pixels, self.coarsest)
            found: tuple[Tensor, ...] = features[-1:] if self.fpn is None else self.fpn(features)
            return found

    def no_losses(self, names: tuple[str, ...]) -> dict[str, Tensor]:
        """Losses of a batch without images: zero, with zero gradients."""
        zero = torch.stack([p.sum() * 0 for p in self.parameters() if p.requires_grad]).sum()
        return dict.fromkeys(names, zero)
