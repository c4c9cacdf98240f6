"""RPN, Fast R-CNN and Faster R-CNN: the thesis's schedules, and light ones for two CPU cores (F, L).

The light recipes work at less than half the thesis's resolution, so anchors and the canonical size of regions
are halved too; what they lack against the full ones is width, not structure.
"""

from __future__ import annotations

from amidst.models.config import (
    EFFICIENTNET_LITE_PIXELS,
    BackboneConfig,
    BackboneName,
    FasterRCNNConfig,
    FastRCNNConfig,
    FPNConfig,
    RPNConfig,
)
from amidst.models.config_rcnn import (
    PoolingConfig,
    RegionHeadConfig,
    RegionLossConfig,
    RegionPartConfig,
    RPNAnchorConfig,
    RPNDecodeConfig,
    RPNPartConfig,
)
from amidst.recipes.recipe import Recipe
from amidst.training.config import (
    DataConfig,
    Experiment,
    OptimConfig,
    ResizeConfig,
    ScheduleConfig,
    TrainConfig,
)

FULL_DATA = DataConfig(batch_size=16, resize=ResizeConfig(short=800, long=1333), workers=4)
FULL_OPTIM = OptimConfig(kind="sgd", lr=0.02, lr_batch=16, momentum=0.9, weight_decay=1e-4)
FULL_TRAIN = TrainConfig(log_every=20, validate_every=10_000, checkpoint_every=2_500)

LITE_BACKBONE = BackboneConfig(name="efficientnet_lite0", norm="frozen", freeze_at=2)
LITE_RPN = RPNPartConfig(
    anchors=RPNAnchorConfig(sizes=(16.0, 32.0, 64.0, 128.0, 256.0)),
    decode=RPNDecodeConfig(train_candidates=500, train_count=1000, test_candidates=500),
)
LITE_ROI = RegionPartConfig(
    pooling=PoolingConfig(canonical_size=112.0),
    head=RegionHeadConfig(width=256),
    loss=RegionLossConfig(proposals=1000, sampled=128),
)
LITE_DATA = DataConfig(
    batch_size=16,
    resize=ResizeConfig(short=320, long=512),
    train_short_sides=(256, 288, 320, 352),
    crop_scale=(0.5, 1.25),
    colour_jitter=0.2,
    workers=1,
)
LITE_OPTIM = OptimConfig(
    kind="adamw", lr=1e-3, lr_batch=16, weight_decay=0.05, backbone_lr_factor=0.25, clip_norm=10.0
)
LITE_TRAIN = TrainConfig(precision="auto", ema_decay=0.998, log_every=10, checkpoint_every=100)


def rpn_r50_fpn() -> Experiment:
    """The thesis's RPN: ResNet-50, 800 px, 40k updates of 16 images (section 4.5.1).

    Hardware: 8 GPUs, 2 images each. Time: not measured here. Score: AR@1000 56.3 on COCO minival in the
    thesis (Table 4.1 c); not run here.
    Command: torchrun --nproc-per-node 8 -- -m amidst train rpn_r50_fpn --images images
        --train instances_trainval35k.json --val instances_minival.json --run runs/rpn
    """
    return Experiment(
        name="rpn_r50_fpn",
        model=RPNConfig(backbone=BackboneConfig(name="resnet50")),
        data=FULL_DATA,
        optim=FULL_OPTIM,
        schedule=_steps(40_000, (3 / 4,)),
        train=FULL_TRAIN,
    )


def fast_rcnn_r50_fpn() -> Experiment:
    """The thesis's Fast R-CNN on proposals from a file: ResNet-50, 80k updates of 16 images (section 4.5.2).

    Hardware: 8 GPUs, 2 images each. Time: not measured here. Score: 33.9 AP on COCO minival in the thesis
    (Table 4.2 c); not run here.
    Command: torchrun --nproc-per-node 8 -- -m amidst train fast_rcnn_r50_fpn --images images
        --train instances_trainval35k.json --proposals train_proposals.json
        --val instances_minival.json --val-proposals minival_proposals.json --run runs/fast
    """
    return Experiment(
        name="fast_rcnn_r50_fpn",
        model=FastRCNNConfig(backbone=BackboneConfig(name="resnet50")),
        data=FULL_DATA,
        optim=FULL_OPTIM,
        schedule=_steps(80_000, (3 / 4,)),
        train=FULL_TRAIN,
    )


def faster_rcnn_r50_fpn_1x() -> Experiment:
    """Faster R-CNN trained jointly: ResNet-50, 90k updates of 16 images (the release's 1x schedule, F.5).

    Hardware: 8 GPUs, 2 images each. Time: not measured here. Score: 33.9 AP on COCO minival in the thesis,
    which trains in steps (Table 4.3 c); not run here.
    Command: torchrun --nproc-per-node 8 -- -m amidst train faster_rcnn_r50_fpn_1x --images images
        --train instances_trainval35k.json --val instances_minival.json --run runs/faster
    """
    return _faster("faster_rcnn_r50_fpn_1x", "resnet50", 90_000)


def faster_rcnn_r101_fpn_2x() -> Experiment:
    """The thesis's best model of chapter 4: ResNet-101, twice as long (section 4.5.2), trained jointly.

    Hardware: 8 GPUs, 2 images each. Time: not measured here. Score: 35.2 AP on COCO minival and 36.2 on
    test-dev in the thesis (Tables 4.4 and 4.5); not run here.
    Command: as faster_rcnn_r50_fpn_1x.
    """
    return _faster("faster_rcnn_r101_fpn_2x", "resnet101", 180_000)


def rpn_lite() -> Experiment:
    """RPN on EfficientNet-Lite0 for a few thousand images on two CPU cores.

    Hardware: 2 CPU cores (bfloat16 where they have AMX). Time: not measured yet. Score: not measured yet.
    Command: amidst train rpn_lite --train ANN.json --images DIR --val ANN.json --run runs/rpn
    """
    return _lite(
        "rpn_lite",
        RPNConfig(pixels=EFFICIENTNET_LITE_PIXELS, backbone=LITE_BACKBONE, fpn=_lite_fpn(6), rpn=LITE_RPN),
        8,
    )


def fast_rcnn_lite() -> Experiment:
    """Fast R-CNN on EfficientNet-Lite0 for a few thousand images and a file of proposals, on two CPU cores.

    Hardware: 2 CPU cores (bfloat16 where they have AMX). Time: not measured yet. Score: not measured yet.
    Command: amidst train fast_rcnn_lite --train ANN.json --images DIR --val ANN.json --run runs/fast
        --proposals TRAIN_PROPOSALS.json --val-proposals VAL_PROPOSALS.json
    """
    return _lite(
        "fast_rcnn_lite",
        FastRCNNConfig(
            pixels=EFFICIENTNET_LITE_PIXELS, backbone=LITE_BACKBONE, fpn=_lite_fpn(5), roi=LITE_ROI
        ),
        16,
    )


def faster_rcnn_lite() -> Experiment:
    """Faster R-CNN on EfficientNet-Lite0, trained jointly, for a few thousand images on two CPU cores.

    Hardware: 2 CPU cores (bfloat16 where they have AMX). Time: not measured yet. Score: not measured yet.
    Command: amidst train faster_rcnn_lite --train ANN.json --images DIR --val ANN.json --run runs/faster
    """
    model = FasterRCNNConfig(
        pixels=EFFICIENTNET_LITE_PIXELS, backbone=LITE_BACKBONE, fpn=_lite_fpn(6), rpn=LITE_RPN, roi=LITE_ROI
    )
    return _lite("faster_rcnn_lite", model, 16)


def _steps(iterations: int, milestones: tuple[float, ...]) -> ScheduleConfig:
    return ScheduleConfig(kind="step", iterations=iterations, milestones=milestones, warmup_iterations=500)


def _faster(name: str, backbone: BackboneName, iterations: int) -> Experiment:
    return Experiment(
        name=name,
        model=FasterRCNNConfig(backbone=BackboneConfig(name=backbone)),
        data=FULL_DATA,
        optim=FULL_OPTIM,
        schedule=_steps(iterations, (6 / 9, 8 / 9)),
        train=FULL_TRAIN,
    )


def _lite_fpn(max_level: int) -> FPNConfig:
    return FPNConfig(channels=96, min_level=2, max_level=max_level, extra_from="pool")


def _lite(name: str, model: RPNConfig | FastRCNNConfig | FasterRCNNConfig, epochs: int) -> Experiment:
    return Experiment(
        name=name,
        model=model,
        data=LITE_DATA,
        optim=LITE_OPTIM,
        schedule=ScheduleConfig(kind="cosine", epochs=epochs, warmup_iterations=200, warmup_factor=0.01),
        train=LITE_TRAIN,
    )


RPN_R50_FPN = Recipe(
    name="rpn_r50_fpn",
    summary="the thesis's region proposal network: ResNet-50, 800 px",
    hardware="8 GPUs",
    time="40k updates of 16 images",
    score="AR@1000 56.3 on COCO minival in the thesis",
    make=rpn_r50_fpn,
)
FAST_RCNN_R50_FPN = Recipe(
    name="fast_rcnn_r50_fpn",
    summary="the thesis's Fast R-CNN on proposals from a file: ResNet-50, 800 px",
    hardware="8 GPUs",
    time="80k updates of 16 images",
    score="33.9 AP on COCO minival in the thesis",
    make=fast_rcnn_r50_fpn,
)
FASTER_RCNN_R50_FPN_1X = Recipe(
    name="faster_rcnn_r50_fpn_1x",
    summary="Faster R-CNN trained jointly: ResNet-50, 800 px",
    hardware="8 GPUs",
    time="90k updates of 16 images",
    score="33.9 AP on COCO minival in the thesis",
    make=faster_rcnn_r50_fpn_1x,
)
FASTER_RCNN_R101_FPN_2X = Recipe(
    name="faster_rcnn_r101_fpn_2x",
    summary="Faster R-CNN trained jointly: ResNet-101, 800 px",
    hardware="8 GPUs",
    time="180k updates of 16 images",
    score="35.2 AP on COCO minival in the thesis",
    make=faster_rcnn_r101_fpn_2x,
)
RPN_LITE = Recipe(
    name="rpn_lite",
    summary="region proposals on EfficientNet-Lite0 for machines without a GPU",
    hardware="2 CPU cores",
    time="not measured yet",
    score="not measured yet",
    make=rpn_lite,
)
FAST_RCNN_LITE = Recipe(
    name="fast_rcnn_lite",
    summary="Fast R-CNN on EfficientNet-Lite0 for machines without a GPU",
    hardware="2 CPU cores",
    time="not measured yet",
    score="not measured yet",
    make=fast_rcnn_lite,
)
FASTER_RCNN_LITE = Recipe(
    name="faster_rcnn_lite",
    summary="Faster R-CNN on EfficientNet-Lite0 for machines without a GPU",
    hardware="2 CPU cores",
    time="not measured yet",
    score="not measured yet",
    make=faster_rcnn_lite,
)
