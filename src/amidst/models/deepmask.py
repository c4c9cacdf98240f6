"""DeepMask (thesis chapter 3; C): the mask of the object at the centre of a patch, and whether there is one.

    trunk     patch -> C_P at stride 2^P: S x S cells of a patch
    reduce    1x1 convolution to F channels, ReLU
    embed     S x S convolution to 512 numbers, no ReLU: the code of a patch
    coarse    512 -> 56 x 56 logits: masks are of rank 512
    score     deepmask_heads.py

    with targets:      losses of patches of W + 32 pixels, whose margin is context and cut off after the trunk
    without targets:   all patches of an image at several scales, masks of the best (deepmask_dense.py)

Loss (C.3). A batch teaches the mask or the score, and only the branch that it is about gets a gradient:
    mask     mean over patches and pixels of ln(1 + exp(-m f)), times 1 / lambda = 32
    score    mean over patches of ln(1 + exp(-y g))
With the thesis's batches of 32 patches the first is the release's sum over the batch of means over pixels.

Shapes: B images or patches, S cells along a patch, R x C patches of an image, m side of a mask, N proposals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.models.backbone import build_backbone
from amidst.models.config import DeepMaskConfig
from amidst.models.deepmask_dense import DenseScale, Patches, best_patches, scaled_canvas, windows
from amidst.models.deepmask_geometry import CONTEXT, geometry, scales
from amidst.models.deepmask_heads import CODE, ScoreHead
from amidst.models.structures import MaskProposals, PatchTarget
from amidst.ops.images import ImageBatch
from amidst.ops.losses import softplus

COARSE_SIDE = 56
WINDOWS_AT_ONCE = 64  # bounds the memory of a SharpMask's finest level to some 30 MB


class DeepMask(nn.Module):
    """`model(patches, targets)` gives losses and `model(images)` mask proposals, whatever the mode."""

    partly_used = True  # a batch teaches one of the two branches

    def __init__(self, config: DeepMaskConfig) -> None:
        super().__init__()
        self.config = config
        self.sizes = geometry(config)
        self.backbone = build_backbone(config.backbone, self.sizes.halvings, config.padding)
        channels = self.backbone.out_channels[-1]
        self.reduce = nn.Conv2d(channels, self.sizes.features, 1)
        self.embed = nn.Conv2d(self.sizes.features, CODE, self.sizes.cells)
        self.coarse = nn.Linear(CODE, COARSE_SIDE**2)
        self.score = ScoreHead(config, self.sizes, channels)

    @overload
    def forward(self, images: ImageBatch, targets: Sequence[PatchTarget]) -> dict[str, Tensor]: ...
    @overload
    def forward(self, images: ImageBatch, targets: None = None) -> list[MaskProposals]: ...

    def forward(
        self, images: ImageBatch, targets: Sequence[PatchTarget] | None = None
    ) -> dict[str, Tensor] | list[MaskProposals]:
        """Scalar losses of patches whose sum is to be minimised, or the proposals of each whole image.

        Patches are of `Geometry.crop` pixels; a loss that no patch of the batch is about is 0.
        """
        if targets is None:
            with torch.no_grad():
                return [
                    self.propose(pixels[:, :height, :width])
                    for pixels, (height, width) in zip(images.pixels, images.sizes_hw, strict=True)
                ]
        if not targets:
            return self._no_losses()
        return self.losses(images.pixels, targets)

    def losses(self, pixels: Tensor, targets: Sequence[PatchTarget]) -> dict[str, Tensor]:
        """pixels (B, 3, W + 32, W + 32) -> {"mask_loss", "score_loss"}."""
        trunk = cut_margin(self.backbone.maps(pixels)[-1], CONTEXT // self.sizes.stride)
        reduced, codes = self.codes(trunk)
        found: dict[str, Tensor] = {}
        if any(target.mask is not None for target in targets):
            found["mask_loss"] = mask_loss(self.coarse_logits(codes.flatten(1)), targets, self.config)
        if any(target.label is not None for target in targets):
            found["score_loss"] = score_loss(self.score(trunk, reduced, codes).flatten(), targets)
        zero = pixels.new_zeros(())
        return {name: found.get(name, zero) for name in ("mask_loss", "score_loss")}

    def codes(self, trunk: Tensor) -> tuple[Tensor, Tensor]:
        """trunk (B, C, h, w) -> reduced (B, F, h, w), codes (B, 512, h - S + 1, w - S + 1)."""
        reduced = F.relu(self.reduce(trunk))
        return reduced, self.embed(reduced)

    def coarse_logits(self, codes: Tensor) -> Tensor:
        """(N, 512) -> (N, 56, 56)."""
        logits: Tensor = self.coarse(codes)
        return logits.view(-1, COARSE_SIDE, COARSE_SIDE)

    def propose(self, image: Tensor) -> MaskProposals:
        """A normalised image (3, H, W) -> its best proposals; windows in its pixels."""
        dense = self.dense(image)
        patches = best_patches(dense, self.config.decode.num_proposals)
        return MaskProposals(
            scores=patches.scores.sigmoid(),
            logits=self.masks(dense, patches),
            windows_xyxy=windows(patches, dense, self.sizes),
        )

    def dense(self, image: Tensor) -> list[DenseScale]:
        """A normalised image (3, H, W) -> scores and codes of the patches of each scale, coarsest first."""
        return [self._dense_scale(image, scale) for scale in self.scales]

    def _dense_scale(self, image: Tensor, scale: float) -> DenseScale:
        canvas, scale_yx = scaled_canvas(image, scale, self.sizes, self.config.pixels)
        dtype = self.reduce.weight.dtype  # narrow in a network prepared so for inference
        maps = self.backbone.maps(canvas.to(dtype))
        reduced, codes = self.codes(maps[-1])
        scores = self.score(maps[-1], reduced, codes)
        return DenseScale(scale_yx, scores[0], codes[0], self.skips(maps))

    def skips(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:  # noqa: ARG002 - SharpMask has some
        """What of C1..C_P the masks of all patches share: here nothing."""
        return ()

    def masks(self, dense: Sequence[DenseScale], patches: Patches) -> Tensor:
        """Mask logits (N, m, m) float32 of the patches."""
        logits = patches.scores.new_empty(len(patches.scores), self.mask_side, self.mask_side)
        for index, scale in enumerate(dense):
            here = (patches.scale == index).nonzero()[:, 0]
            for chunk in torch.split(here, WINDOWS_AT_ONCE):
                found = self.scale_masks(scale, patches.row[chunk], patches.column[chunk])
                logits[chunk] = found.float()
        return logits

    @property
    def scales(self) -> tuple[float, ...]:
        """The factors by which an image is scaled, ascending."""
        return scales(self.config)

    @property
    def mask_side(self) -> int:
        """Side of the mask logits of a proposal."""
        return COARSE_SIDE

    def scale_masks(self, scale: DenseScale, row: Tensor, column: Tensor) -> Tensor:
        """Mask logits (n, m, m) of patches (n,) of one scale."""
        return self.coarse_logits(scale.codes[:, row, column].t())

    def _no_losses(self) -> dict[str, Tensor]:
        """Losses of a batch without patches: zero, with zero gradients."""
        zero = sum(p.sum() * 0 for p in self.parameters() if p.requires_grad)
        assert isinstance(zero, Tensor)
        return {"mask_loss": zero, "score_loss": zero * 0}


def cut_margin(x: Tensor, margin: int) -> Tensor:
    """(B, C, h, w) without its outer `margin` cells."""
    return x[:, :, margin : x.shape[2] - margin, margin : x.shape[3] - margin]


def mask_loss(logits: Tensor, targets: Sequence[PatchTarget], config: DeepMaskConfig) -> Tensor:
    """Logits (B, m, m) of all patches, of which those with a mask count -> scalar, weighted."""
    chosen = [index for index, target in enumerate(targets) if target.mask is not None]
    wanted = torch.stack([target.mask for target in targets if target.mask is not None])
    with torch.autocast(logits.device.type, enabled=False):
        raised = logits[chosen].float()[:, None]
        if raised.shape[-2:] != wanted.shape[-2:]:
            raised = F.interpolate(raised, size=wanted.shape[-2:], mode="bilinear")
        return config.mask_weight * softplus(-wanted.to(raised) * raised[:, 0]).mean()


def score_loss(logits: Tensor, targets: Sequence[PatchTarget]) -> Tensor:
    """Logits (B,) of all patches, of which those with a label count -> scalar."""
    chosen = [index for index, target in enumerate(targets) if target.label is not None]
    with torch.autocast(logits.device.type, enabled=False):
        scores = logits[chosen].float()
        labels = scores.new_tensor([target.label for target in targets if target.label is not None])
        return softplus(-labels * scores).mean()
