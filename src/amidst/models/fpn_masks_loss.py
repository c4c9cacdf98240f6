"""Targets and losses of FPN mask proposals (G, thesis section 4.6).

    cells    128 of an image, at most a quarter with an object, over all levels and both window networks
    score    sigmoid cross-entropy, mean over the sampled cells of the batch
    mask     sigmoid cross-entropy, mean over the pixels, then over the cells with an object; times 10

The mask of an object is its mean over each of m x m parts of the cell's square, cut at one half.

Everything but the networks is computed in float32. Images without objects have only cells without; a batch
may have no objects.

Shapes: B images, G objects of an image, N cells of all slots, n sampled cells of the batch, P of them with an
object, E hidden channels, m mask side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from amidst.models.config_fpn_masks import CellConfig
from amidst.models.fpn_masks_geometry import (
    Slot,
    cell_squares,
    match_cells,
    rows_and_columns,
    slot_of_cell,
)
from amidst.models.fpn_masks_head import WindowNetwork
from amidst.models.structures import Target
from amidst.ops.mask_targets import grid_means
from amidst.ops.matching import BACKGROUND
from amidst.ops.sampling import sample

MASK_LOSSES = ("score_loss", "mask_loss")


@dataclass(frozen=True)
class CellTargets:
    """What the sampled cells of a batch should say."""

    image: Tensor  # (n,) int64
    cell: Tensor  # (n,) int64, counted through the slots
    label: Tensor  # (n,) float32, 1 with an object
    masks: Tensor  # (n, m, m) float32 of 0 and 1, only where the label is 1


def mask_losses(
    pyramid: Sequence[Tensor],
    networks: Sequence[WindowNetwork],
    slots: Sequence[Slot],
    targets: Sequence[Target],
    config: CellConfig,
) -> dict[str, Tensor]:
    """{"score_loss": scalar, "mask_loss": scalar}, weighted: their sum is to be minimised."""
    wanted = sample_cells(slots, targets, networks[0].mask_side, config)
    slot = slot_of_cell(wanted.cell, slots)
    scores, masks, order = [], [], []
    for number, place in enumerate(slots):
        chosen = (slot == number).nonzero()[:, 0]
        row, column = rows_and_columns(wanted.cell[chosen], place)
        network = networks[place.window]
        hidden = network.at_cells(pyramid[place.level], wanted.image[chosen], row, column)
        scores.append(network.score(hidden)[:, 0].float())
        masks.append(network.masks(hidden))
        order.append(chosen)
    label, target = wanted.label[torch.cat(order)], wanted.masks[torch.cat(order)]
    score_loss = F.binary_cross_entropy_with_logits(torch.cat(scores), label, reduction="sum")
    pixels = F.binary_cross_entropy_with_logits(torch.cat(masks), target, reduction="none")  # (n, m, m)
    mask_loss = (pixels.mean(dim=(1, 2)) * label).sum() / label.sum().clamp(min=1)
    values = (score_loss / max(len(label), 1), mask_loss * config.mask_weight)
    return dict(zip(MASK_LOSSES, values, strict=True))


@torch.no_grad()
def sample_cells(
    slots: Sequence[Slot], targets: Sequence[Target], mask_side: int, config: CellConfig
) -> CellTargets:
    """Cells to look at in each of B images, and what they should say."""
    images, cells, labels, masks = [], [], [], []
    for index, target in enumerate(targets):
        matched = torch.full((slots[-1].end,), BACKGROUND, device=target.boxes_xyxy.device)
        cell, owner = match_cells(target.boxes_xyxy, slots)
        matched[cell] = owner
        generator = torch.Generator().manual_seed(target.seed)
        positives, negatives = sample(matched, config.sampled, config.positive_share, generator)
        chosen = torch.cat((positives, negatives))
        images.append(torch.full_like(chosen, index))
        cells.append(chosen)
        labels.append((matched[chosen] >= 0).float())
        found = chosen.new_zeros(len(chosen), mask_side, mask_side, dtype=torch.float32)
        if len(positives):
            assert target.masks is not None
            squares = cell_squares(positives, slots)
            means = grid_means(target.masks, matched[positives], squares, mask_side)
            found[: len(positives)] = (means > 0.5).float()
        masks.append(found)
    return CellTargets(torch.cat(images), torch.cat(cells), torch.cat(labels), torch.cat(masks))
