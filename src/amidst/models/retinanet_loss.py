"""Targets and losses of RetinaNet (H, I.4, I.5; thesis section 5.4.2).

    targets   every anchor gets the object it overlaps most, background, or nothing (`ops.matching`)
    class     loss of `LossConfig.kind` over all anchors and classes that are not ignored
    box       smooth L1 of the codes, or 1 - GIoU of the boxes, over the anchors that have an object

Normaliser "image": both sums of an image are divided by its number of anchors with an object (at least 1) and
averaged over images (thesis). "batch": the sums over all images are divided by the number over all images,
plus one for each image (the authors' release).

With hard example mining (`LossConfig.mining`) only the selected anchors count, in both losses, and both are
divided by their number (at least 1) instead; in the mode "batch", by their number over all images.

Everything is computed in float32 whatever the precision of the network. Images without objects have only
background anchors; a batch may have no objects, or no images.

Shapes: B images, L levels, n_l anchors of level l, N anchors of all, K classes, G objects of an image,
P anchors with an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from amidst.models.config import LossConfig, MatchConfig
from amidst.models.structures import DenseOutputs, Target
from amidst.ops.boxes import pairwise_iou
from amidst.ops.coding import decode, encode
from amidst.ops.dense_losses import dense_loss_sum
from amidst.ops.hard_examples import anchor_cross_entropy, ohem, ohem_1_3
from amidst.ops.losses import giou, smooth_l1
from amidst.ops.matching import IGNORED, match


@dataclass(frozen=True)
class AnchorTargets:
    """What the anchors of a batch should say."""

    class_index: Tensor  # (B, N) int64: class, or BACKGROUND, or IGNORED
    image: Tensor  # (P,) image of each anchor with an object
    anchor: Tensor  # (P,) its place in 0..N-1
    boxes_xyxy: Tensor  # (P, 4) its object's box


def detection_losses(
    outputs: DenseOutputs, targets: Sequence[Target], matching: MatchConfig, config: LossConfig
) -> dict[str, Tensor]:
    """{"class_loss": scalar, "box_loss": scalar}, weighted: their sum is to be minimised."""
    device_type = outputs.box_codes[0].device.type
    with torch.autocast(device_type, enabled=False):
        anchors = torch.cat(outputs.anchors_xyxy)  # (N, 4)
        codes = torch.cat(outputs.box_codes, dim=1)  # (B, N, 4)
        wanted = assign(anchors, targets, matching)
        if config.mining.kind == "none":
            counts = torch.bincount(wanted.image, minlength=len(targets))  # (B,)
            released = counts + 1
        else:
            wanted = mine(outputs.class_logits, codes, anchors, wanted, config)
            counts = released = (wanted.class_index != IGNORED).sum(dim=1)  # (B,)
        class_sums = class_loss_sums(outputs.class_logits, wanted.class_index, config)  # (B,)
        box_sums = box_loss_sums(codes, anchors, wanted, config)  # (B,)
        divisors = released if config.normaliser == "batch" else counts
        return {
            "class_loss": _normalise(class_sums, divisors, config),
            "box_loss": _normalise(box_sums, divisors, config) * config.box_weight,
        }


@torch.no_grad()
def assign(anchors: Tensor, targets: Sequence[Target], config: MatchConfig) -> AnchorTargets:
    """Anchors (N, 4) and the objects of B images -> what each anchor should say."""
    classes, images, places, boxes = [], [], [], []
    for index, target in enumerate(targets):
        iou = pairwise_iou(target.boxes_xyxy, anchors)  # (G, N)
        matched = match(iou, config.positive_iou, config.negative_iou, config.low_quality)
        place = (matched >= 0).nonzero()[:, 0]
        chosen = matched[place]
        matched[place] = target.class_index[chosen]
        classes.append(matched)
        images.append(torch.full_like(place, index))
        places.append(place)
        boxes.append(target.boxes_xyxy[chosen])
    if not targets:
        none = torch.zeros(0, dtype=torch.int64, device=anchors.device)
        return AnchorTargets(none.new_zeros(0, len(anchors)), none, none, anchors.new_zeros(0, 4))
    return AnchorTargets(torch.stack(classes), torch.cat(images), torch.cat(places), torch.cat(boxes))


def class_loss_sums(logits: Sequence[Tensor], class_index: Tensor, config: LossConfig) -> Tensor:
    """L of (B, n_l, K) and (B, N) -> sum per image (B,), level by level to spare a copy of the logits."""
    sizes = [level.shape[1] for level in logits]
    sums = [
        dense_loss_sum(
            level,
            wanted,
            kind=config.kind,
            gamma=config.gamma,
            alpha=config.alpha,
            star_beta=config.star_beta,
            hinge_margin=config.hinge_margin,
            tau=config.tau,
            tau_mode=config.tau_mode,
        )
        for level, wanted in zip(logits, torch.split(class_index, sizes, dim=1), strict=True)
    ]
    return torch.stack(sums).sum(dim=0)


def box_loss_sums(codes: Tensor, anchors: Tensor, wanted: AnchorTargets, config: LossConfig) -> Tensor:
    """Codes (B, N, 4) and anchors (N, 4) -> sum per image (B,)."""
    losses = _box_losses(codes, anchors, wanted, config)
    return losses.new_zeros(len(codes)).index_add(0, wanted.image, losses)


@torch.no_grad()
def mine(
    logits: Sequence[Tensor], codes: Tensor, anchors: Tensor, wanted: AnchorTargets, config: LossConfig
) -> AnchorTargets:
    """The same targets with all but the hard examples of each image (H) ignored.

    logits: L of (B, n_l, K), codes (B, N, 4), anchors (N, 4).
    """
    mining = config.mining
    choose = {"ohem": ohem, "ohem_1_3": ohem_1_3}[mining.kind]
    box_losses = _box_losses(codes, anchors, wanted, config) * config.box_weight  # (P,)
    kept = torch.full_like(wanted.class_index, IGNORED)
    for image, class_index in enumerate(wanted.class_index):
        losses = anchor_cross_entropy([level[image] for level in logits], class_index)  # (N,)
        here = wanted.image == image
        losses[wanted.anchor[here]] += box_losses[here]
        selected = choose(
            anchors,
            losses,
            class_index,
            batch=mining.batch,
            nms_iou=mining.nms_iou,
            preselect=mining.preselect,
        )
        kept[image, selected] = class_index[selected]
    hard = kept[wanted.image, wanted.anchor] != IGNORED  # (P,)
    return replace(
        wanted,
        class_index=kept,
        image=wanted.image[hard],
        anchor=wanted.anchor[hard],
        boxes_xyxy=wanted.boxes_xyxy[hard],
    )


def _box_losses(codes: Tensor, anchors: Tensor, wanted: AnchorTargets, config: LossConfig) -> Tensor:
    """Loss of each anchor with an object (P,)."""
    chosen = codes[wanted.image, wanted.anchor].float()  # (P, 4)
    around = anchors[wanted.anchor]
    if config.box == "giou":
        return giou(decode(chosen, around), wanted.boxes_xyxy)
    return smooth_l1(chosen, encode(wanted.boxes_xyxy, around), config.beta).sum(dim=1)


def _normalise(sums: Tensor, divisors: Tensor, config: LossConfig) -> Tensor:
    """Sums (B,) and what they are divided by (B,) -> scalar."""
    if config.normaliser == "batch":
        return sums.sum() / divisors.sum().clamp(min=1)
    return (sums / divisors.clamp(min=1)).sum() / max(len(sums), 1)
