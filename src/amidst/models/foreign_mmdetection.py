"""mmdetection 3.x: RetinaNet and Faster R-CNN on a ResNet with a feature pyramid.

What changes numbers against ours (docs/weights.md has the whole list):

    pixels      RGB, 0..255, mean and deviation; OpenCV's bilinear resizing; padded to 32
    pyramid     no relu before P7
    anchors     centred at the corner of a cell; exact; by aspect, then size
    decoding    logarithms of sides are clamped on both sides; Faster R-CNN keeps boxes without area
    proposals   all with an area
    RoIAlign    as many samples as cells; background last

Configurations of the style "caffe" have the same names of weights, but BGR pixels that are not divided, and
the stride in the first 1x1 convolution. The configuration inside the file tells; without one it is "pytorch".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

ANCHORS = 9
PYTORCH = PixelConfig(
    scale=1.0, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), resample="bilinear", divisor=32
)
CAFFE = PixelConfig(
    order="bgr",
    scale=1.0,
    mean=(103.53, 116.28, 123.675),
    std=(1.0, 1.0, 1.0),
    resample="bilinear",
    divisor=32,
)
GRID = GridConfig(centre="corner")


def recognise(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Layout | None:
    """The layout of these tensors, or None. Raises WeightsError for a variant that we do not have."""
    if "backbone.conv1.weight" not in tensors or "neck.lateral_convs.0.conv.weight" not in tensors:
        return None
    caffe = is_caffe(facts)
    pixels = CAFFE if caffe else PYTORCH
    if "bbox_head.retina_cls.weight" in tensors:
        return _retinanet(tensors, _backbone(tensors, caffe), pixels)
    if "roi_head.bbox_head.fc_cls.weight" in tensors:
        return _faster_rcnn(tensors, _backbone(tensors, caffe), pixels)
    return None


def is_caffe(facts: Mapping[str, Any]) -> bool:
    """Whether the configuration inside the file says so."""
    meta = facts.get("meta")
    text = str(meta.get("cfg") or meta.get("config") or "") if isinstance(meta, Mapping) else ""
    return "style='caffe'" in text.replace('"', "'").replace(" ", "")


def class_names(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes that the file says it is of; none where it does not."""
    meta = facts.get("meta")
    if not isinstance(meta, Mapping):
        return ()
    dataset = meta.get("dataset_meta")
    names = dataset.get("classes", ()) if isinstance(dataset, Mapping) else meta.get("CLASSES", ())
    return tuple(str(name) for name in names) if isinstance(names, list | tuple) else ()


def _backbone(tensors: Mapping[str, Tensor], caffe: bool) -> BackboneConfig:
    return BackboneConfig(name=resnet_name(tensors, "backbone.layer{}"), stride_in_1x1=caffe)


def _shared(tensors: Mapping[str, Tensor], first: int, levels: int) -> Modules:
    """Backbone and pyramid."""
    modules = resnet_modules(tensors, "backbone.")
    modules |= numbered("neck.lateral_convs.{}.conv", "fpn.lateral.{}.conv", levels, first)
    return modules | numbered("neck.fpn_convs.{}.conv", "fpn.output.{}.conv", levels, first)


def _retinanet(tensors: Mapping[str, Tensor], backbone: BackboneConfig, pixels: PixelConfig) -> Layout:
    convs = count(tensors, "bbox_head.cls_convs.{}.conv.weight")
    modules = _shared(tensors, first=3, levels=3)
    modules |= numbered("bbox_head.cls_convs.{}.conv", "class_subnet.tower.{}.conv", convs)
    modules |= numbered("bbox_head.reg_convs.{}.conv", "box_subnet.tower.{}.conv", convs)
    modules |= {
        "neck.fpn_convs.3.conv": "fpn.extra.6",
        "neck.fpn_convs.4.conv": "fpn.extra.7",
        "bbox_head.retina_cls": "class_subnet.predict",
        "bbox_head.retina_reg": "box_subnet.predict",
    }
    outputs = first_size(tensors, "bbox_head.retina_cls.weight")
    config = RetinaNetConfig(
        pixels=pixels,
        backbone=backbone,
        fpn=FPNConfig(channels=first_size(tensors, "neck.fpn_convs.0.conv.weight"), relu_before_extra=False),
        anchors=AnchorConfig(grid=GRID),
        head=HeadConfig(convs=convs, channels=first_size(tensors, "bbox_head.cls_convs.0.conv.weight")),
        decode=DecodeConfig(boxes=BoxRulesConfig(clamp="both")),
    )
    return Layout(
        "mmdetection",
        f"RetinaNet {backbone.name} FPN",
        config,
        modules,
        per_anchor(outputs, ANCHORS, "bbox_head.retina_cls"),
        "none",
        aspects_first=True,
    )


def _faster_rcnn(tensors: Mapping[str, Tensor], backbone: BackboneConfig, pixels: PixelConfig) -> Layout:
    fcs = count(tensors, "roi_head.bbox_head.shared_fcs.{}.weight")
    modules = _shared(tensors, first=2, levels=4)
    modules |= numbered("roi_head.bbox_head.shared_fcs.{}", "region_head.fcs.{}", fcs)
    modules |= {
        "rpn_head.rpn_conv": "rpn_head.branches.0.conv.conv",
        "rpn_head.rpn_cls": "rpn_head.branches.0.objectness",
        "rpn_head.rpn_reg": "rpn_head.branches.0.codes",
        "roi_head.bbox_head.fc_cls": "region_head.class_logits",
        "roi_head.bbox_head.fc_reg": "region_head.box_codes",
    }
    width = first_size(tensors, "roi_head.bbox_head.shared_fcs.0.weight")
    config = FasterRCNNConfig(
        pixels=pixels,
        backbone=backbone,
        fpn=FPNConfig(
            channels=first_size(tensors, "neck.fpn_convs.0.conv.weight"),
            min_level=2,
            max_level=6,
            extra_from="pool",
        ),
        rpn=RPNPartConfig(
            anchors=RPNAnchorConfig(grid=GRID), decode=RPNDecodeConfig(min_side=0.0, clamp="both")
        ),
        roi=RegionPartConfig(
            pooling=PoolingConfig(sampling=0),
            head=RegionHeadConfig(fcs=fcs, width=width),
            decode=RegionDecodeConfig(boxes=BoxRulesConfig(clamp="both", drop_empty="never")),
        ),
    )
    return Layout(
        "mmdetection",
        f"Faster R-CNN {backbone.name} FPN",
        config,
        modules,
        first_size(tensors, "roi_head.bbox_head.fc_cls.weight"),
        "last",
    )
