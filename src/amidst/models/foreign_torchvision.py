"""torchvision: retinanet_resnet50_fpn and fasterrcnn_resnet50_fpn, v1 and v2.

What changes numbers against ours (docs/weights.md has the whole list):

    pixels      RGB; sides after resizing rounded down, two neighbours a side, on floats; padded to 32
    anchors     centred at the corner of a cell; sides and corners in whole pixels; strides are padded sides
                // cells; by aspect, then size
    frozen norms of v1 have eps 0; the batch norms of v2 1e-5
    P6          of P5 in RetinaNet v1, of C5 in v2
    classes     91 outputs, one for each category id of COCO and id 0: background (Faster R-CNN) or unused
    decoding    RetinaNet: 300 detections, boxes without area stay; Faster R-CNN: sides below 0.01 are dropped
    RoIAlign    without the half-pixel shift

Files before torchvision 0.13 have older names of the same layers; both are known.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from amidst.models.config import (
    AnchorConfig,
    BackboneConfig,
    BoxRulesConfig,
    DecodeConfig,
    FasterRCNNConfig,
    FPNConfig,
    GridConfig,
    HeadConfig,
    PixelConfig,
    RetinaNetConfig,
)
from amidst.models.config_rcnn import (
    PoolingConfig,
    RegionDecodeConfig,
    RegionHeadConfig,
    RegionPartConfig,
    RPNAnchorConfig,
    RPNDecodeConfig,
    RPNHeadConfig,
    RPNPartConfig,
)
from amidst.models.foreign_layout import (
    Layout,
    Modules,
    count,
    first_size,
    numbered,
    per_anchor,
    resnet_modules,
    resnet_name,
)

BODY = "backbone.body."
CLASSES, BOXES = "head.classification_head.", "head.regression_head."
ANCHORS = 9
PIXELS = PixelConfig(resample="bilinear_unrounded", side_rounding="down", divisor=32)
GRID = GridConfig(centre="corner", stride="fitted", whole_pixels=True)


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout of these tensors, or None. Raises WeightsError for a variant that we do not have."""
    if f"{BODY}conv1.weight" not in tensors:
        return None
    if f"{CLASSES}cls_logits.weight" in tensors:
        return _retinanet(tensors)
    return _faster_rcnn(tensors) if "roi_heads.box_predictor.cls_score.weight" in tensors else None


def _backbone(tensors: Mapping[str, Tensor]) -> BackboneConfig:
    """Live batch norms count their batches; frozen ones are v1's."""
    live = f"{BODY}bn1.num_batches_tracked" in tensors
    return BackboneConfig(name=resnet_name(tensors, BODY + "layer{}"), norm_eps=1e-5 if live else 0.0)


def _pyramid(tensors: Mapping[str, Tensor], first: int, levels: int) -> Modules:
    modules: Modules = {}
    for theirs, ours in (("inner_blocks", "lateral"), ("layer_blocks", "output")):
        for old in ("", ".0"):
            name = f"backbone.fpn.{theirs}.{{}}{old}"
            modules |= numbered(name, f"fpn.{ours}.{{}}.conv", levels, first)
        modules |= numbered(f"backbone.fpn.{theirs}.{{}}.1", f"fpn.{ours}.{{}}.norm", levels, first)
    return modules | resnet_modules(tensors, BODY)


def _width(tensors: Mapping[str, Tensor]) -> int:
    name = "backbone.fpn.layer_blocks.0{}.weight"
    return first_size(tensors, name.format(".0" if name.format(".0") in tensors else ""))


def _retinanet(tensors: Mapping[str, Tensor]) -> Layout:
    width, normed = _width(tensors), f"{CLASSES}conv.0.1.weight" in tensors
    new = count(tensors, CLASSES + "conv.{}.0.weight")
    old = [index for index in range(0, 16, 2) if f"{CLASSES}conv.{index}.weight" in tensors]
    p6 = tensors.get("backbone.fpn.extra_blocks.p6.weight")
    outputs = first_size(tensors, f"{CLASSES}cls_logits.weight")
    modules = _pyramid(tensors, first=3, levels=3)
    for theirs, ours in ((CLASSES, "class_subnet"), (BOXES, "box_subnet")):
        modules |= numbered(theirs + "conv.{}.0", ours + ".tower.{}.conv", new)
        modules |= numbered(theirs + "conv.{}.1", ours + ".tower.{}.norm", new)
        if not new:  # relus between them had numbers
            modules |= {f"{theirs}conv.{index}": f"{ours}.tower.{index // 2}.conv" for index in old}
    modules |= {
        f"{CLASSES}cls_logits": "class_subnet.predict",
        f"{BOXES}bbox_reg": "box_subnet.predict",
        "backbone.fpn.extra_blocks.p6": "fpn.extra.6",
        "backbone.fpn.extra_blocks.p7": "fpn.extra.7",
    }
    from_p5 = p6 is not None and p6.ndim == 4 and p6.shape[1] == width
    config = RetinaNetConfig(
        pixels=PIXELS,
        backbone=_backbone(tensors),
        fpn=FPNConfig(channels=width, extra_from="P5" if from_p5 else "C5"),
        anchors=AnchorConfig(grid=GRID),
        head=HeadConfig(convs=new or len(old), channels=width, norm="group" if normed else "none"),
        decode=DecodeConfig(max_detections=300, boxes=BoxRulesConfig(drop_empty="never")),
    )
    return Layout(
        "torchvision",
        f"retinanet_{config.backbone.name}_fpn{'_v2' if normed else ''}",
        config,
        modules,
        per_anchor(outputs, ANCHORS, f"{CLASSES}cls_logits"),
        "none",
        aspects_first=True,
    )


def _faster_rcnn(tensors: Mapping[str, Tensor]) -> Layout:
    width = _width(tensors)
    normed = "backbone.fpn.inner_blocks.0.1.weight" in tensors
    proposing = max(count(tensors, "rpn.head.conv.{}.0.weight"), 1)
    convs = count(tensors, "roi_heads.box_head.{}.0.weight")
    first_fc = f"roi_heads.box_head.{convs + 1}" if convs else "roi_heads.box_head.fc6"
    modules = _pyramid(tensors, first=2, levels=4)
    branch = "rpn_head.branches.0."
    modules |= {
        "rpn.head.conv": f"{branch}conv.conv",
        "rpn.head.conv.0.0": f"{branch}conv.conv",
        "rpn.head.cls_logits": f"{branch}objectness",
        "rpn.head.bbox_pred": f"{branch}codes",
        first_fc: "region_head.fcs.0",
        "roi_heads.box_predictor.cls_score": "region_head.class_logits",
        "roi_heads.box_predictor.bbox_pred": "region_head.box_codes",
    }
    modules |= {f"rpn.head.conv.{i}.0": f"{branch}further.{i - 1}.conv" for i in range(1, proposing)}
    modules |= numbered("roi_heads.box_head.{}.0", "region_head.convs.{}.conv", convs)
    modules |= numbered("roi_heads.box_head.{}.1", "region_head.convs.{}.norm", convs)
    if not convs:
        modules["roi_heads.box_head.fc7"] = "region_head.fcs.1"
    head = RegionHeadConfig(
        fcs=1 if convs else 2,
        width=first_size(tensors, f"{first_fc}.weight"),
        convs=convs,
        norm="frozen" if convs else "none",
    )
    config = FasterRCNNConfig(
        pixels=PIXELS,
        backbone=_backbone(tensors),
        fpn=FPNConfig(
            channels=width, min_level=2, max_level=6, extra_from="pool", norm="frozen" if normed else "none"
        ),
        rpn=RPNPartConfig(
            anchors=RPNAnchorConfig(grid=GRID),
            head=RPNHeadConfig(convs=proposing),
            decode=RPNDecodeConfig(min_side=1e-3),
        ),
        roi=RegionPartConfig(
            pooling=PoolingConfig(kind="align_legacy", sampling=2),
            head=head,
            decode=RegionDecodeConfig(boxes=BoxRulesConfig(min_side=1e-2)),
        ),
    )
    return Layout(
        "torchvision",
        f"fasterrcnn_{config.backbone.name}_fpn{'_v2' if convs else ''}",
        config,
        modules,
        first_size(tensors, "roi_heads.box_predictor.cls_score.weight"),
        "first",
    )
