"""Targets and losses of Fast R-CNN (F.4, thesis section 4.4.2).

    candidates  an image's best proposals, and its objects themselves: at the start no proposal fits them
    assignment  the object a candidate overlaps most if IoU >= .5, else background
    sampling    512 candidates of an image, at most a quarter of them foreground
    class       softmax cross-entropy, mean over the sampled regions
    box         smooth L1 of the codes of the true class, summed over foreground / number of sampled regions

Both are taken over each image and averaged over images, so that it does not matter how many processes share a
batch. Where every image fills its sample, as with 2,000 proposals, that is the mean over all regions.

Codes are those of `ops.coding` with the weights (10, 10, 5, 5). Everything is computed in float32 whatever
the precision of the network. An image may have no proposals, no objects, or neither: then it has no regions.

Shapes: B images, P proposals and G objects of an image, R sampled regions of the batch, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from amidst.models.config_rcnn import RegionLossConfig
from amidst.models.fast_rcnn_head import RegionOutputs, Regions
from amidst.models.structures import Target
from amidst.ops.boxes import pairwise_iou
from amidst.ops.coding import encode
from amidst.ops.losses import smooth_l1
from amidst.ops.matching import match
from amidst.ops.sampling import sample

CODE_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
REGION_LOSSES = ("class_loss", "box_loss")


@dataclass(frozen=True)
class RegionTargets:
    """Sampled regions of a batch and what they should say."""

    regions: Regions
    class_index: Tensor  # (R,) int64; background is the last logit
    boxes_xyxy: Tensor  # (R, 4) of the object; meaningless for background
    weights: Tensor  # (R,) 1 / (regions of its image * B)


@torch.no_grad()
def sample_regions(
    proposals_xyxy: Sequence[Tensor], targets: Sequence[Target], background: int, config: RegionLossConfig
) -> RegionTargets:
    """B of (P, 4), by descending score, and the objects of B images -> what the head learns from."""
    boxes, images, classes, objects = [], [], [], []
    for index, (proposals, target) in enumerate(zip(proposals_xyxy, targets, strict=True)):
        candidates = torch.cat((proposals[: config.proposals], target.boxes_xyxy))  # (P + G, 4)
        iou = pairwise_iou(target.boxes_xyxy, candidates)  # (G, P + G)
        matched = match(iou, config.positive_iou, config.positive_iou)
        generator = torch.Generator().manual_seed(target.seed)
        positives, negatives = sample(matched, config.sampled, config.positive_share, generator)
        chosen = torch.cat((positives, negatives))
        none = torch.full_like(negatives, background)
        boxes.append(candidates[chosen])
        images.append(torch.full_like(chosen, index))
        classes.append(torch.cat((target.class_index[matched[positives]], none)))
        objects.append(torch.cat((target.boxes_xyxy[matched[positives]], candidates[negatives])))
    image = torch.cat(images)
    weights = 1 / (torch.bincount(image, minlength=len(targets)) * len(targets)).float()
    return RegionTargets(
        Regions(torch.cat(boxes), image), torch.cat(classes), torch.cat(objects), weights[image]
    )


def region_losses(
    outputs: RegionOutputs, wanted: RegionTargets, config: RegionLossConfig
) -> dict[str, Tensor]:
    """{"class_loss": scalar, "box_loss": scalar}, weighted: their sum is to be minimised."""
    with torch.autocast(outputs.class_logits.device.type, enabled=False):
        logits = outputs.class_logits.float()  # (R, K + 1)
        class_loss = F.cross_entropy(logits, wanted.class_index, reduction="none") * wanted.weights
        objects = (wanted.class_index < outputs.box_codes.shape[1]).nonzero().squeeze(1)
        codes = outputs.box_codes[objects, wanted.class_index[objects]].float()
        around = wanted.regions.boxes_xyxy[objects]
        code = encode(wanted.boxes_xyxy[objects], around, CODE_WEIGHTS)
        box_loss = smooth_l1(codes, code, config.beta).sum(dim=1) * wanted.weights[objects]
        values = (class_loss.sum(), box_loss.sum() * config.box_weight)
        return dict(zip(REGION_LOSSES, values, strict=True))
