"""detectron2: RetinaNet and Faster R-CNN on ResNet-50 and 101 with a feature pyramid.

What changes numbers against ours (docs/weights.md has the whole list):

    pixels      BGR, 0..255, mean subtracted, not divided; Pillow's bilinear filter; padded to 32
    backbone    stride in the first 1x1 convolution (the original Caffe models)
    anchors     centred at the corner of a cell; exact; by size, then aspect, as ours
    decoding    RetinaNet clips to the image after suppression; boxes without area are dropped at the very end
    proposals   all with an area
    RoIAlign    as many samples as cells; background last

Networks trained on other pixels have the same names. Where a file holds the mean and the deviation, they are
checked.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from amidst.errors import WeightsError
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
from amidst.models.foreign_layout import Layout, Modules, count, first_size, per_anchor, resnet_name

BODY = "backbone.bottom_up."
ANCHORS = 9
PIXELS = PixelConfig(order="bgr", scale=1.0, mean=(103.53, 116.28, 123.675), std=(1.0, 1.0, 1.0), divisor=32)
GRID = GridConfig(centre="corner")
LEFT_OUT = {
    "pixel_mean": "checked: the pixels of the configuration",
    "pixel_std": "checked: the pixels of the configuration",
    "anchor_generator.": "made anew from the configuration",
    "proposal_generator.anchor_generator.": "made anew from the configuration",
}


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout of these tensors, or None. Raises WeightsError for a variant that we do not have."""
    if f"{BODY}stem.conv1.weight" not in tensors:
        return None
    _check_pixels(tensors)
    if "head.cls_score.weight" in tensors:
        return _retinanet(tensors)
    return _faster_rcnn(tensors) if "roi_heads.box_predictor.cls_score.weight" in tensors else None


def _check_pixels(tensors: Mapping[str, Tensor]) -> None:
    for name, expected in (("pixel_mean", PIXELS.mean), ("pixel_std", PIXELS.std)):
        found = tensors[name].flatten().tolist() if name in tensors else list(expected)
        if len(found) != 3 or any(abs(a - b) > 0.01 for a, b in zip(found, expected, strict=True)):
            raise WeightsError(
                f"{name} is {found}, expected {list(expected)}: a network trained on other pixels than "
                "detectron2's default, whose channel order and place of strides its file does not tell"
            )


def _backbone(tensors: Mapping[str, Tensor]) -> BackboneConfig:
    stages = {  # named as torchvision's, to be counted
        name.replace(f"{BODY}res{number + 1}.", f"layer{number}."): tensor
        for name, tensor in tensors.items()
        for number in range(1, 5)
        if name.startswith(f"{BODY}res{number + 1}.")
    }
    return BackboneConfig(name=resnet_name(stages, "layer{}"), stride_in_1x1=True)


def _shared(tensors: Mapping[str, Tensor], first: int) -> Modules:
    """Backbone and pyramid."""
    modules = {f"{BODY}stem.conv1": "backbone.conv1", f"{BODY}stem.conv1.norm": "backbone.bn1"}
    for number in range(1, 5):
        stage = f"{BODY}res{number + 1}"
        for block in range(count(tensors, stage + ".{}.conv1.weight")):
            ours = f"backbone.layer{number}.{block}"
            for conv in (1, 2, 3):
                modules[f"{stage}.{block}.conv{conv}"] = f"{ours}.conv{conv}"
                modules[f"{stage}.{block}.conv{conv}.norm"] = f"{ours}.bn{conv}"
            modules[f"{stage}.{block}.shortcut"] = f"{ours}.downsample.0"
            modules[f"{stage}.{block}.shortcut.norm"] = f"{ours}.downsample.1"
    for level in range(first, 6):
        modules[f"backbone.fpn_lateral{level}"] = f"fpn.lateral.{level}.conv"
        modules[f"backbone.fpn_output{level}"] = f"fpn.output.{level}.conv"
    return modules


def _retinanet(tensors: Mapping[str, Tensor]) -> Layout:
    convs = [index for index in range(0, 16, 2) if f"head.cls_subnet.{index}.weight" in tensors]
    width = first_size(tensors, "backbone.fpn_output3.weight")
    modules = _shared(tensors, first=3)
    for theirs, ours in (("cls", "class"), ("bbox", "box")):
        modules |= {
            f"head.{theirs}_subnet.{index}": f"{ours}_subnet.tower.{index // 2}.conv" for index in convs
        }
    modules |= {
        "head.cls_score": "class_subnet.predict",
        "head.bbox_pred": "box_subnet.predict",
        "backbone.top_block.p6": "fpn.extra.6",
        "backbone.top_block.p7": "fpn.extra.7",
    }
    config = RetinaNetConfig(
        pixels=PIXELS,
        backbone=_backbone(tensors),
        fpn=FPNConfig(channels=width),
        anchors=AnchorConfig(grid=GRID),
        head=HeadConfig(convs=len(convs), channels=first_size(tensors, "head.cls_subnet.0.weight")),
        decode=DecodeConfig(boxes=BoxRulesConfig(clip="after_nms", drop_empty="after_nms")),
    )
    outputs = first_size(tensors, "head.cls_score.weight")
    return Layout(
        "detectron2",
        f"RetinaNet {config.backbone.name} FPN",
        config,
        modules,
        per_anchor(outputs, ANCHORS, "head.cls_score"),
        "none",
        left_out=LEFT_OUT,
    )


def _faster_rcnn(tensors: Mapping[str, Tensor]) -> Layout:
    fcs = sum(f"roi_heads.box_head.fc{number}.weight" in tensors for number in range(1, 9))
    modules = _shared(tensors, first=2)
    modules |= {f"roi_heads.box_head.fc{number + 1}": f"region_head.fcs.{number}" for number in range(fcs)}
    proposing = "proposal_generator.rpn_head."
    modules |= {
        f"{proposing}conv": "rpn_head.branches.0.conv.conv",
        f"{proposing}objectness_logits": "rpn_head.branches.0.objectness",
        f"{proposing}anchor_deltas": "rpn_head.branches.0.codes",
        "roi_heads.box_predictor.cls_score": "region_head.class_logits",
        "roi_heads.box_predictor.bbox_pred": "region_head.box_codes",
    }
    config = FasterRCNNConfig(
        pixels=PIXELS,
        backbone=_backbone(tensors),
        fpn=FPNConfig(
            channels=first_size(tensors, "backbone.fpn_output2.weight"),
            min_level=2,
            max_level=6,
            extra_from="pool",
        ),
        rpn=RPNPartConfig(anchors=RPNAnchorConfig(grid=GRID), decode=RPNDecodeConfig(min_side=0.0)),
        roi=RegionPartConfig(
            pooling=PoolingConfig(sampling=0),
            head=RegionHeadConfig(fcs=fcs, width=first_size(tensors, "roi_heads.box_head.fc1.weight")),
            decode=RegionDecodeConfig(boxes=BoxRulesConfig(drop_empty="after_nms")),
        ),
    )
    return Layout(
        "detectron2",
        f"Faster R-CNN {config.backbone.name} FPN",
        config,
        modules,
        first_size(tensors, "roi_heads.box_predictor.cls_score.weight"),
        "last",
        left_out=LEFT_OUT,
    )
