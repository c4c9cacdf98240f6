"""SharpMask (thesis section 3.3; D): a trained DeepMask whose masks are refined with the trunk's finer maps.

Scores, and with them the choice and order of proposals, are the DeepMask's. Only the refinement learns (D.4):
all else is frozen and runs as in prediction, so training never changes it. It starts from the model file of a
DeepMask (`init.model`) and gives either kind of mask (`SharpMaskConfig.masks`).

In training the horizontal paths run over the whole crop, before its margin of context is cut off: as in an
image, their windows see what lies beyond them. (The release cuts first.)

Shapes: B images or patches, N proposals, W side of a patch and of its mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from amidst.models.config import SharpMaskConfig
from amidst.models.deepmask import DeepMask, cut_margin, mask_loss
from amidst.models.deepmask_dense import DenseScale
from amidst.models.deepmask_geometry import CONTEXT
from amidst.models.sharpmask_refine import refinement, take_windows
from amidst.models.structures import PatchTarget

LEARNT = "refine."


class SharpMask(DeepMask):
    """`model(patches, targets)` gives the mask loss and `model(images)` mask proposals, whatever the mode."""

    partly_used = False

    def __init__(self, config: SharpMaskConfig) -> None:
        super().__init__(config)
        channels = (self.backbone.stem_channels, *self.backbone.out_channels)
        self.refine = refinement(config.refine, self.sizes, channels[::-1])
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith(LEARNT))

    def train(self, mode: bool = True) -> SharpMask:
        """Training mode for the refinement alone: live norms of the trunk must not move either."""
        super().train(False)
        self.training = mode
        self.refine.train(mode)
        return self

    def losses(self, pixels: Tensor, targets: Sequence[PatchTarget]) -> dict[str, Tensor]:
        """pixels (B, 3, W + 32, W + 32) -> {"mask_loss"}; all targets are masks."""
        with torch.no_grad():
            maps = self.backbone.maps(pixels)
            _, codes = self.codes(cut_margin(maps[-1], CONTEXT // self.sizes.stride))
        strides = [self.sizes.stride >> level for level in range(self.sizes.halvings)]
        skips = [
            cut_margin(skip, CONTEXT // stride)
            for skip, stride in zip(self.refine.skips(maps[::-1]), strides, strict=False)
        ]
        codes = codes.flatten(1)
        logits = self.refine(codes, self.coarse_logits(codes), skips)
        return {"mask_loss": mask_loss(logits, targets, self.config)}

    def skips(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """C1..C_P (1, C, h, w) -> the skips of all patches of an image (k, h, w), coarsest first."""
        return tuple(skip[0] for skip in self.refine.skips(maps[::-1])) if self.sharp else ()

    @property
    def sharp(self) -> bool:
        """Whether the masks are refined."""
        return isinstance(self.config, SharpMaskConfig) and self.config.masks == "sharp"

    @property
    def mask_side(self) -> int:
        """Side of the mask logits of a proposal."""
        return self.sizes.patch if self.sharp else super().mask_side

    def scale_masks(self, scale: DenseScale, row: Tensor, column: Tensor) -> Tensor:
        """Mask logits (n, m, m) of patches (n,) of one scale."""
        if not self.sharp:
            return super().scale_masks(scale, row, column)
        codes = scale.codes[:, row, column].t()
        windows = [
            take_windows(skip, row, column, self.sizes.cells << level, 1 << level)
            for level, skip in enumerate(scale.skips)
        ]
        logits: Tensor = self.refine(codes, self.coarse_logits(codes), windows)
        return logits
