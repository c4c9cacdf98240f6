"""Mask proposals on a feature pyramid (thesis section 4.6): objects of all sizes from one image scale.

    pixels -> P2..P6 -> at each cell, two windows (5 and 7 cells): a score and a small mask
    geometry of cells, objects and masks      fpn_masks_geometry.py
    the window networks                       fpn_masks_head.py
    with targets:     sampling and losses     fpn_masks_loss.py
    without targets:  the cells of highest score, and their masks alone

Shapes: B images, L levels, H x W cells of a level, N proposals of an image, E hidden channels, m mask side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor, nn

from amidst.errors import ConfigError
from amidst.models.backbone import build_backbone
from amidst.models.config import FPNMasksConfig
from amidst.models.fpn import FPN
from amidst.models.fpn_masks_geometry import Slot, cell_squares, slots_of
from amidst.models.fpn_masks_head import WindowNetwork
from amidst.models.fpn_masks_loss import MASK_LOSSES, mask_losses
from amidst.models.structures import MaskProposals, Target
from amidst.ops.images import ImageBatch

WINDOWS = ((5,), (7,), (5, 7))


class FPNMasks(nn.Module):
    """`model(images, targets)` gives losses and `model(images)` mask proposals, whatever the mode."""

    def __init__(self, config: FPNMasksConfig) -> None:
        super().__init__()
        if config.windows not in WINDOWS:
            raise ConfigError(f"model.windows={list(config.windows)}: expected [5], [7] or [5, 7]")
        self.config = config
        self.backbone = build_backbone(config.backbone)
        self.fpn = FPN(config.fpn, self.backbone.out_channels)
        self.networks = nn.ModuleList(
            WindowNetwork(config.fpn.channels, window, config.hidden, config.mask_side)
            for window in config.windows
        )

    @overload
    def forward(self, images: ImageBatch, targets: Sequence[Target]) -> dict[str, Tensor]: ...
    @overload
    def forward(self, images: ImageBatch, targets: None = None) -> list[MaskProposals]: ...

    def forward(
        self, images: ImageBatch, targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[MaskProposals]:
        """Scalar losses whose sum is to be minimised, or the proposals of each image by descending score."""
        if not images.sizes_hw:
            return [] if targets is None else self._no_losses()
        pyramid = self.pyramid(images.pixels)
        slots = self.slots(pyramid)
        if targets is None:
            return self._propose(pyramid, slots, images.sizes_hw)
        return mask_losses(pyramid, self._networks(), slots, targets, self.config.cells)

    def pyramid(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """pixels (B, 3, H, W) -> levels (B, D, H_l, W_l)."""
        dtype = self._networks()[0].score.weight.dtype  # narrow in a network prepared so for inference
        levels: tuple[Tensor, ...] = self.fpn(self.backbone(pixels.to(dtype)))
        return levels

    def slots(self, pyramid: Sequence[Tensor]) -> list[Slot]:
        """The cells of all window networks on all levels."""
        sizes_hw = [(int(level.shape[2]), int(level.shape[3])) for level in pyramid]
        return slots_of(self.config.windows, self.fpn.strides, sizes_hw)

    @torch.no_grad()
    def _propose(
        self, pyramid: Sequence[Tensor], slots: Sequence[Slot], sizes_hw: Sequence[tuple[int, int]]
    ) -> list[MaskProposals]:
        """The best cells of each image; of each slot only what can be among them is kept."""
        best: list[list[tuple[Tensor, Tensor, Tensor]]] = [[] for _ in sizes_hw]  # (scores, cells, hidden)
        for slot in slots:
            hidden, logits = self._networks()[slot.window].dense(pyramid[slot.level])
            for image, size_hw in enumerate(sizes_hw):
                score, cell = self._best_cells(logits[image], slot, size_hw)
                best[image].append((score, cell + slot.begin, hidden[image].flatten(0, 1)[cell]))
        return [self._merge(found, slots) for found in best]

    def _best_cells(self, logits: Tensor, slot: Slot, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Logits (H, W) -> the best scores (n,) and their cells (n,) in the slot, none in the padding."""
        rows = min(-(-size_hw[0] // slot.stride), logits.shape[0])
        columns = min(-(-size_hw[1] // slot.stride), logits.shape[1])
        inside = logits[:rows, :columns].float().flatten()
        score, cell = inside.topk(min(self.config.decode.num_proposals, len(inside)))
        return score, cell // columns * logits.shape[1] + cell % columns

    def _merge(self, found: Sequence[tuple[Tensor, Tensor, Tensor]], slots: Sequence[Slot]) -> MaskProposals:
        """The best of all slots, and the masks of these."""
        scores = torch.cat([score for score, _, _ in found])
        cells = torch.cat([cell for _, cell, _ in found])
        hidden = torch.cat([values for _, _, values in found])
        window = torch.cat(
            [torch.full_like(cell, slot.window) for (_, cell, _), slot in zip(found, slots, strict=True)]
        )
        score, chosen = scores.topk(min(self.config.decode.num_proposals, len(scores)))
        logits = score.new_zeros(len(chosen), self.config.mask_side, self.config.mask_side)
        for index, network in enumerate(self._networks()):
            own = (window[chosen] == index).nonzero()[:, 0]
            logits[own] = network.masks(hidden[chosen[own]])
        return MaskProposals(score.sigmoid(), logits, cell_squares(cells[chosen], slots))

    def _networks(self) -> list[WindowNetwork]:
        return [network for network in self.networks if isinstance(network, WindowNetwork)]

    def _no_losses(self) -> dict[str, Tensor]:
        """Losses of a batch without images: zero, with zero gradients."""
        zero = torch.stack([p.sum() * 0 for p in self.parameters() if p.requires_grad]).sum()
        return dict.fromkeys(MASK_LOSSES, zero)
