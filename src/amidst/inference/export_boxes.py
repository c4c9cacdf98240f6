"""Detectors that give boxes, restated so that they can be exported: RetinaNet, RPN, Fast and Faster R-CNN.

The networks' own decoding looks at what passes a threshold, and its shapes follow what it finds. Here each
step has a fixed number of places, of which some stay empty (score minus infinity). The numbers are the same:

    per map     the best n anchors by their best class, of these the best n (anchor, class) pairs: the pairs
                that are among the best n of all pairs belong to such anchors
    anchors     of the chosen places alone, from their number
    suppress    `export_ops`; then the best of what is left, `count` of them real

Boxes are clipped to the image and empty ones dropped before suppression or after it, and strides are nominal
or fitted to the padded image, as the configuration says (`models.box_rules`).

Shapes: B images, n candidates of a map, M of all maps, K classes, A anchors of a cell, R regions of an image,
T = detections of an image at most, D channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.errors import UsageError
from amidst.inference.export_ops import pool_regions, suppress
from amidst.models.box_rules import SMALLEST
from amidst.models.config_parts import BoxRulesConfig, Clamp, GridConfig
from amidst.models.config_rcnn import RegionPartConfig, RPNPartConfig
from amidst.models.fast_rcnn import FastRCNN
from amidst.models.fast_rcnn_head import RegionHead
from amidst.models.fast_rcnn_loss import CODE_WEIGHTS
from amidst.models.faster_rcnn import FasterRCNN
from amidst.models.norms import ConvNorm, conv_norm_relu
from amidst.models.rcnn_maps import MapNetwork
from amidst.models.retinanet import RetinaNet
from amidst.models.retinanet_decode import logit
from amidst.models.rpn import RPN
from amidst.models.rpn_decode import SINGLE_MAP
from amidst.models.rpn_head import RPNHead
from amidst.ops.anchors import cell_anchors
from amidst.ops.coding import decode
from amidst.ops.regions import level_of

EMPTY = -math.inf  # score of a place that holds nothing

Found = tuple[Tensor, Tensor, Tensor, Tensor]  # boxes (B, T, 4), scores (B, T), class (B, T), count (B,)


def top(values: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """The `number` best of (B, n) in descending order and their places; beyond n they are `EMPTY`."""
    best, place = F.pad(values, (0, number), value=EMPTY).topk(number, dim=1)
    return best, place.clamp(max=values.shape[1] - 1)


def rows(values: Tensor, place: Tensor) -> Tensor:
    """Of (B, n, C) the rows at (B, m): (B, m, C)."""
    return values.gather(1, place[:, :, None].expand(-1, -1, values.shape[2]))


def clip(boxes_xyxy: Tensor, sizes_hw: Tensor) -> Tensor:
    """Boxes (B, M, 4) cut to their images of sizes (B, 2)."""
    limits = sizes_hw.flip(1).repeat(1, 2).to(boxes_xyxy.dtype)[:, None]  # (B, 1, 4): w, h, w, h
    return torch.minimum(boxes_xyxy.clamp(min=0), limits)


class Grid(NamedTuple):
    """How anchors stand on a map, and how their codes are read."""

    cell: Tensor  # (A, 4) around the origin
    columns: Tensor  # (1,) cells of a row
    strides_xy: tuple[Tensor | int, Tensor | int]  # pixels between neighbouring centres
    offset: float  # of the centre within its cell, in strides
    clamp: Clamp


def grid_of(cell: Tensor, x: Tensor, images: Tensor, stride: int, config: GridConfig, clamp: Clamp) -> Grid:
    """The grid of a map (B, D, h, w) of padded images (B, 3, H, W)."""
    # Sizes are symbols while a graph is traced: what divides must be a tensor.
    columns = torch.full((1,), x.shape[3], dtype=torch.int64)
    strides: tuple[Tensor | int, Tensor | int] = (stride, stride)
    if config.stride == "fitted":
        rows = torch.full((1,), x.shape[2], dtype=torch.int64)
        strides = (torch.full((1,), images.shape[3]) // columns, torch.full((1,), images.shape[2]) // rows)
    return Grid(cell, columns, strides, 0.0 if config.centre == "corner" else 0.5, clamp)


def anchors_at(place: Tensor, grid: Grid) -> Tensor:
    """Anchors (B, n, 4) at the places (B, n) of a map."""
    number = place // len(grid.cell)
    x = (number % grid.columns + grid.offset) * grid.strides_xy[0]
    y = (number // grid.columns + grid.offset) * grid.strides_xy[1]
    return grid.cell[place % len(grid.cell)] + torch.stack((x, y, x, y), dim=-1)


def candidates(logits: Tensor, codes: Tensor, grid: Grid, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (B, N, K) and codes (B, N, 4) of a map -> boxes (B, n, 4), logits (B, n), classes (B, n)."""
    classes = logits.shape[2]
    if classes == 1:
        values, anchor = top(logits[:, :, 0], number)
        class_index = torch.zeros_like(anchor)
    else:
        _, anchor = top(logits.amax(dim=2), number)
        # A place twice is only one beyond the end, all of whose pairs are worse than what is wanted: the
        # padding is told by its score below.
        inside = torch.arange(number, device=logits.device) < logits.shape[1]
        pairs = torch.where(inside[None, :, None], rows(logits, anchor), EMPTY).flatten(1)  # (B, n * K)
        values, pair = top(pairs, number)
        class_index = pair % classes
        anchor = anchor.gather(1, pair // classes)
    boxes = decode(rows(codes, anchor), anchors_at(anchor, grid), clamp=grid.clamp)
    return boxes, values, class_index


def best(boxes: Tensor, scores: Tensor, class_index: Tensor, kept: Tensor, number: int) -> Found:
    """Of (B, M) candidates the best that are kept."""
    values, place = top(torch.where(kept, scores, EMPTY), number)
    count = (values > EMPTY).sum(dim=1)
    found = values.clamp(min=0) * (values > EMPTY)
    return rows(boxes, place), found, class_index.gather(1, place), count


def by_class(scores: Tensor, class_index: Tensor, classes: int) -> Tensor:
    """Scores (B, M) of boxes of one class each -> (B, C, M), `EMPTY` for the other classes."""
    own = class_index[:, None] == torch.arange(classes, device=scores.device)[None, :, None]
    return torch.where(own, scores[:, None], EMPTY)


def has_area(boxes_xyxy: Tensor, least: float = 0.0) -> Tensor:
    """Boxes (B, M, 4) -> bool (B, M): both sides are longer than 0, and at least `least`."""
    sides = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]
    return (sides >= max(least, SMALLEST)).all(dim=-1)


def before_suppression(boxes_xyxy: Tensor, sizes_hw: Tensor, rules: BoxRulesConfig) -> tuple[Tensor, Tensor]:
    """Boxes (B, M, 4) as suppression compares them, and which (B, M) take part."""
    boxes = clip(boxes_xyxy, sizes_hw) if rules.clip == "before_nms" else boxes_xyxy
    if rules.drop_empty == "before_nms":
        return boxes, has_area(boxes, rules.min_side)
    return boxes, torch.ones_like(boxes[..., 0], dtype=torch.bool)


def after_suppression(found: Found, sizes_hw: Tensor, rules: BoxRulesConfig) -> Found:
    """What is found, as it is reported: those dropped here leave their places to no others."""
    boxes, scores, class_index, count = found
    if rules.clip == "after_nms":
        boxes = clip(boxes, sizes_hw)
    if rules.drop_empty != "after_nms":
        return boxes, scores, class_index, count
    number = boxes.shape[1]
    real = torch.arange(number, device=boxes.device) < count[:, None]
    return best(boxes, scores, class_index, real & has_area(boxes, rules.min_side), number)


class ExportedRetinaNet(nn.Module):
    """images (B, 3, H, W), sizes_hw (B, 2) -> `Found`."""

    def __init__(self, model: RetinaNet) -> None:
        super().__init__()
        self.model = model
        anchors = model.config.anchors
        for index, stride in enumerate(model.fpn.strides):
            whole = anchors.grid.whole_pixels
            cell = cell_anchors(anchors.base * stride, anchors.octave_scales, anchors.aspects, whole)
            self.register_buffer(f"cell{index}", cell)

    def forward(self, images: Tensor, sizes_hw: Tensor) -> Found:
        """Detections of each image."""
        model, config = self.model, self.model.config
        pyramid = model.fpn(model.backbone(images))
        logits, codes = model.class_subnet(pyramid), model.box_subnet(pyramid)
        rules, parts = config.decode.boxes, []
        for index, x in enumerate(pyramid):
            cell, stride = self.get_buffer(f"cell{index}"), model.fpn.strides[index]
            grid = grid_of(cell, x, images, stride, config.anchors.grid, rules.clamp)
            parts.append(candidates(logits[index], codes[index], grid, config.decode.candidates_per_level))
        boxes, values, class_index = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        boxes, large = before_suppression(boxes, sizes_hw, rules)
        real = (values > logit(config.decode.score_threshold)) & large
        scores = torch.where(real, values.sigmoid(), EMPTY)
        grouped = by_class(scores, class_index, config.num_classes)
        kept = suppress(boxes, grouped, config.decode.nms_iou, config.decode.max_detections)
        found = best(boxes, scores, class_index, kept, config.decode.max_detections)
        return after_suppression(found, sizes_hw, rules)


class ProposalPart(nn.Module):
    """maps, images, sizes_hw -> `Found`: what an RPN proposes, alone or within Faster R-CNN."""

    def __init__(self, head: RPNHead, config: RPNPartConfig) -> None:
        super().__init__()
        self.head, self.config = head, config.decode
        for index, sides in enumerate(head.sizes):
            whole = head.grid.whole_pixels
            cell = torch.cat([cell_anchors(side, 1, head.aspects, whole) for side in sides])
            self.register_buffer(f"cell{index}", cell)

    def forward(self, maps: Sequence[Tensor], images: Tensor, sizes_hw: Tensor) -> Found:
        """The best proposals of each image."""
        head, config = self.head, self.config
        branches = list(head.branches) * (len(maps) // len(head.branches))
        number = config.test_candidates * (SINGLE_MAP if len(maps) == 1 else 1)
        parts = []
        for index, (branch, x) in enumerate(zip(branches, maps, strict=True)):
            logits, codes = branch(x)
            cell = self.get_buffer(f"cell{index}")
            grid = grid_of(cell, x, images, head.strides[index], head.grid, config.clamp)
            parts.append(candidates(logits, codes, grid, number))
        boxes, values, class_index = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        boxes = clip(boxes, sizes_hw)
        scores = torch.where(has_area(boxes, config.min_side), values, EMPTY)
        level = torch.arange(len(maps), device=boxes.device).repeat_interleave(number)[None]
        grouped = by_class(scores, level.expand_as(class_index), len(maps))
        kept = suppress(boxes, grouped, config.nms_iou, config.test_count)
        values, place = top(torch.where(kept, scores, EMPTY), config.test_count)
        count = (values > EMPTY).sum(dim=1)
        return rows(boxes, place), values.sigmoid(), class_index.gather(1, place), count


class ExportedRPN(nn.Module):
    """images (B, 3, H, W), sizes_hw (B, 2) -> `Found`, all of class 0."""

    def __init__(self, model: RPN) -> None:
        super().__init__()
        self.model = model
        self.proposals = ProposalPart(model.rpn_head, model.config.rpn)

    def forward(self, images: Tensor, sizes_hw: Tensor) -> Found:
        """Proposals of each image."""
        found: Found = self.proposals(self.model.maps(images), images, sizes_hw)
        return found


class RegionPart(nn.Module):
    """maps, proposals (B, R, 4), how many of them count (B, R) bool, sizes_hw -> `Found`."""

    def __init__(self, head: RegionHead, config: RegionPartConfig, last_stage: Sequence[nn.Module]) -> None:
        super().__init__()
        if config.pooling.kind == "max":
            raise UsageError(
                'roi.pooling.kind="max" is not exported: ONNX rounds the corners of bins differently'
            )
        self.head, self.config = head, config
        self.last_stage = nn.ModuleList(last_stage)

    def forward(self, maps: Sequence[Tensor], boxes: Tensor, real: Tensor, sizes_hw: Tensor) -> Found:
        """Detections of each image."""
        images, regions = boxes.shape[:2]
        logits, codes = self._judge(maps, boxes)
        classes = self.head.num_classes
        scores = logits.softmax(dim=1)[:, :classes].view(images, regions, classes)
        flat = boxes.flatten(0, 1)[:, None].expand(-1, classes, -1)
        rules = self.config.decode.boxes
        found = decode(codes, flat, CODE_WEIGHTS, rules.clamp).view(images, regions * classes, 4)
        found, large = before_suppression(found, sizes_hw, rules)
        found, large = found.view(images, regions, classes, 4), large.view(images, regions, classes)
        counts = (scores > self.config.decode.score_threshold) & large & real[:, :, None]
        scores = torch.where(counts, scores, EMPTY)
        decoding = self.config.decode
        # Each class of each image is a scene of its own, for each has boxes of its own.
        kept = suppress(
            found.transpose(1, 2).flatten(0, 1),  # (B * K, R, 4)
            scores.transpose(1, 2).reshape(images * classes, 1, regions),
            decoding.nms_iou,
            decoding.max_detections,
        )
        kept = kept.view(images, classes, regions).transpose(1, 2).flatten(1)  # (B, R * K)
        class_index = torch.arange(classes, device=boxes.device).expand(images, regions, classes).flatten(1)
        most = decoding.max_detections
        return after_suppression(
            best(found.flatten(1, 2), scores.flatten(1), class_index, kept, most), sizes_hw, rules
        )

    def _judge(self, maps: Sequence[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        """(B, R, 4) -> class logits (B * R, K + 1), codes (B * R, K, 4)."""
        head, pooling = self.head, self.config.pooling
        flat = boxes.flatten(0, 1)
        image = torch.arange(boxes.shape[0], device=boxes.device)[:, None].expand(boxes.shape[:2]).flatten()
        first, last = head.levels[0], head.levels[-1]
        level = level_of(flat, first, last, canonical_size=pooling.canonical_size) - first
        x = pool_regions(
            list(maps[: len(head.levels)]),
            flat,
            image,
            level,
            [2**number for number in head.levels],
            2 * pooling.size if head.conv5 else pooling.size,
            pooling.sampling,
            pooling.kind,
        )
        for stage in self.last_stage:
            x = stage(x)
        for conv in head.convs:
            assert isinstance(conv, ConvNorm)
            x = conv_norm_relu(x, conv.conv, conv.norm)
        x = x.mean(dim=(2, 3)) if head.conv5 else x.flatten(1)
        for fc in head.fcs:
            x = F.relu(fc(x))
        return head.class_logits(x), head.box_codes(x).view(-1, head.num_classes, 4)


class ExportedFasterRCNN(nn.Module):
    """images (B, 3, H, W), sizes_hw (B, 2) -> `Found`."""

    def __init__(self, model: FasterRCNN) -> None:
        super().__init__()
        self.model = model
        self.proposals = ProposalPart(model.rpn_head, model.config.rpn)
        self.regions = _region_part(model)

    def forward(self, images: Tensor, sizes_hw: Tensor) -> Found:
        """Detections of each image."""
        maps = self.model.maps(images)
        boxes, _, _, count = self.proposals(maps, images, sizes_hw)
        boxes = boxes[:, : self.model.config.roi.decode.proposals]
        real = torch.arange(boxes.shape[1], device=boxes.device) < count[:, None]
        found: Found = self.regions(maps, boxes, real, sizes_hw)
        return found


class ExportedFastRCNN(nn.Module):
    """images (B, 3, H, W), sizes_hw (B, 2), proposals (B, R, 4) -> `Found`.

    Proposals are in pixels of the images; one without area is a place that holds nothing.
    """

    def __init__(self, model: FastRCNN) -> None:
        super().__init__()
        self.model = model
        self.regions = _region_part(model)

    def forward(self, images: Tensor, sizes_hw: Tensor, proposals_xyxy: Tensor) -> Found:
        """Detections of each image."""
        boxes = clip(proposals_xyxy, sizes_hw)
        found: Found = self.regions(self.model.maps(images), boxes, has_area(boxes), sizes_hw)
        return found


def _region_part(model: MapNetwork) -> RegionPart:
    assert isinstance(model, FastRCNN | FasterRCNN)
    return RegionPart(model.region_head, model.config.roi, model.last_stage_on_regions())
