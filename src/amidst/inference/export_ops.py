"""Two operations of the decoding that an exported graph has as operators of its own.

    suppress       non-maximum suppression within each class     ONNX NonMaxSuppression
    pool_regions   features of regions on a pyramid              ONNX RoiAlign, once for each level

Both give tensors whose shape is known from their arguments', so that nothing in an exported graph depends on
what the network sees. Run in torch they are the functions that the networks use, which makes the restated
decoding (`export_boxes`) comparable with the networks' own, without any runtime.

Shapes: S scenes side by side, C classes, N boxes; R regions, D channels, p = `size`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import FLOAT, INT64, opset18
from torch import Tensor

from amidst.ops.nms import nms_by_class
from amidst.ops.regions import pool_pyramid

op: Any = opset18  # its types are those of tensors that it is run on, not of a graph that it builds
LOWEST = -1e30  # a score below is no candidate
BOOL = 9  # ONNX's number of the type
MODES = {"align": "half_pixel", "align_legacy": "output_half_pixel"}


@torch.library.custom_op("amidst::suppress", mutates_args=())
def suppress(boxes_xyxy: Tensor, scores: Tensor, iou: float, most: int) -> Tensor:  # noqa: ARG001
    """boxes (S, N, 4), scores (S, C, N) -> which (S, N) bool are kept, of each class at most `most`.

    A score below `LOWEST` (minus infinity) says that a box is no candidate of a class; it is one of at most
    one class.
    """
    kept = torch.zeros_like(boxes_xyxy[..., 0], dtype=torch.bool)
    for scene, (boxes, by_class) in enumerate(zip(boxes_xyxy, scores, strict=True)):
        values, class_index = by_class.max(dim=0)
        chosen = (values > LOWEST).nonzero()[:, 0]
        found = nms_by_class(boxes[chosen], values[chosen], class_index[chosen], iou)
        kept[scene, chosen[found]] = True
    return kept


@suppress.register_fake
def _(boxes_xyxy: Tensor, scores: Tensor, iou: float, most: int) -> Tensor:  # noqa: ARG001
    return torch.empty_like(boxes_xyxy[..., 0], dtype=torch.bool)


def _suppress_in_onnx(boxes_xyxy: FLOAT, scores: FLOAT, iou: float, most: int) -> Any:
    chosen = op.NonMaxSuppression(
        boxes_xyxy,
        scores,
        op.Constant(value_ints=[most]),
        op.Constant(value_floats=[iou]),
        op.Constant(value_floats=[LOWEST]),
    )  # rows of scene, class, box
    place = op.Gather(chosen, op.Constant(value_ints=[0, 2]), axis=1)
    nothing = op.Expand(op.Constant(value_int=0), op.Shape(boxes_xyxy, start=0, end=2))
    ones = op.Expand(op.Constant(value_int=1), op.Shape(place, start=0, end=1))
    return op.Cast(op.ScatterND(nothing, place, ones), to=BOOL)


@torch.library.custom_op("amidst::pool_regions", mutates_args=())
def pool_regions(
    maps: Sequence[Tensor],
    boxes_xyxy: Tensor,
    image_index: Tensor,
    level: Tensor,
    strides: Sequence[int],
    size: int,
    sampling: int,
    kind: str,
) -> Tensor:
    """Maps (B, D, H, W), boxes (R, 4), their image and map (R,) -> (R, D, p, p)."""
    pooled = maps[0].new_zeros(len(boxes_xyxy), maps[0].shape[1], size, size)
    for index, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        here = (level == index).nonzero()[:, 0]
        pooled[here] = pool_pyramid(
            [features],
            boxes_xyxy[here],
            image_index[here],
            size=size,
            strides=[stride],
            levels=(0, 0),
            kind="align" if kind == "align" else "align_legacy",
            sampling=sampling,
        )
    return pooled


@pool_regions.register_fake
def _(
    maps: Sequence[Tensor],
    boxes_xyxy: Tensor,
    image_index: Tensor,  # noqa: ARG001
    level: Tensor,  # noqa: ARG001
    strides: Sequence[int],  # noqa: ARG001
    size: int,
    sampling: int,  # noqa: ARG001
    kind: str,  # noqa: ARG001
) -> Tensor:
    return maps[0].new_empty(boxes_xyxy.shape[0], maps[0].shape[1], size, size)


def _pool_in_onnx(
    maps: Sequence[FLOAT],
    boxes_xyxy: FLOAT,
    image_index: INT64,
    level: INT64,
    strides: Sequence[int],
    size: int,
    sampling: int,
    kind: str,
) -> Any:
    regions = op.Shape(boxes_xyxy, start=0, end=1)
    channels = op.Shape(maps[0], start=1, end=2)
    shape = op.Concat(regions, channels, op.Constant(value_ints=[size, size]), axis=0)
    pooled = op.Expand(op.Constant(value_float=0.0), shape)
    for index, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        here = op.NonZero(op.Equal(level, op.Constant(value_int=index)))  # (1, r)
        here = op.Reshape(here, op.Constant(value_ints=[-1]))
        values = op.RoiAlign(
            features,
            op.Gather(boxes_xyxy, here),
            op.Gather(image_index, here),
            output_height=size,
            output_width=size,
            sampling_ratio=sampling,
            spatial_scale=1.0 / stride,
            mode="avg",
            coordinate_transformation_mode=MODES[kind],
        )
        pooled = op.ScatterND(pooled, op.Unsqueeze(here, op.Constant(value_ints=[1])), values)
    return pooled


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What the exporter makes of the two operations."""
    return {
        torch.ops.amidst.suppress.default: _suppress_in_onnx,
        torch.ops.amidst.pool_regions.default: _pool_in_onnx,
    }
