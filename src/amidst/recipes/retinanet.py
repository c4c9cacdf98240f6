"""RetinaNet: the thesis's two schedules, and two for small data and small machines (chapter 5, I.6)."""

from __future__ import annotations

from amidst.models.config import (
    CAFFE_PIXELS,
    EFFICIENTNET_LITE_PIXELS,
    AnchorConfig,
    BackboneConfig,
    FPNConfig,
    HeadConfig,
    LossConfig,
    MatchConfig,
    RetinaNetConfig,
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


def r50_fpn_1x() -> Experiment:
    """The thesis's ablation model: ResNet-50, 600 px, 90k updates of 16 images, flips only (section 5.4.2).

    Hardware: 8 GPUs, 2 images each. Time: not measured here. Score: 34.0 AP on COCO minival in the thesis
    (Table 5.1); not run here.
    Command: torchrun --nproc-per-node 8 -- -m amidst train retinanet_r50_fpn_1x --images images
        --train instances_trainval35k.json --val instances_minival.json --run runs/r50
    """
    return Experiment(
        name="retinanet_r50_fpn_1x",
        model=RetinaNetConfig(backbone=BackboneConfig(name="resnet50")),
        data=DataConfig(batch_size=16, resize=ResizeConfig(short=600, long=1000), workers=4),
        optim=OptimConfig(kind="sgd", lr=0.01, lr_batch=16, momentum=0.9, weight_decay=1e-4),
        schedule=ScheduleConfig(
            kind="step", iterations=90_000, milestones=(6 / 9, 8 / 9), warmup_iterations=500
        ),
        train=TrainConfig(log_every=20, validate_every=10_000, checkpoint_every=2_500),
    )


def r101_fpn_15x() -> Experiment:
    """The thesis's best model: ResNet-101, 800 px, 1.5 times as long (Table 5.2).

    Hardware: 8 GPUs, 2 images each. Time: not measured here. Score: 37.8 AP on COCO test-dev in the thesis
    (Table 5.1e); not run here.
    Command: as retinanet_r50_fpn_1x.
    """
    return Experiment(
        name="retinanet_r101_fpn_1.5x",
        model=RetinaNetConfig(backbone=BackboneConfig(name="resnet101")),
        data=DataConfig(batch_size=16, resize=ResizeConfig(short=800, long=1333), workers=4),
        optim=OptimConfig(kind="sgd", lr=0.01, lr_batch=16, momentum=0.9, weight_decay=1e-4),
        schedule=ScheduleConfig(
            kind="step", iterations=135_000, milestones=(6 / 9, 8 / 9), warmup_iterations=500
        ),
        train=TrainConfig(log_every=20, validate_every=10_000, checkpoint_every=2_500),
    )


def r50_fpn() -> Experiment:
    """ResNet-50 for a few thousand images of moderate size on one GPU.

    The original ImageNet weights (Caffe style) are given as a file; torchvision's need other pixels and
    stride: --set model.backbone.stride_in_1x1=false and the default pixels.

    Hardware: one GPU of 16 GB. Time: not measured there. Score: 0.092 AP after one of its 36
    epochs, 17 min on 2 CPU cores (benchmarks/results/person_r50.json); goal 0.30.
    Command: amidst train retinanet_r50_fpn --train ANN.json --images DIR --val ANN.json --run runs/r50
        --set init.backbone=resnet50_imagenet_caffe_bgr_fp16_backbone.npz
    """
    return Experiment(
        name="retinanet_r50_fpn",
        model=RetinaNetConfig(
            pixels=CAFFE_PIXELS,
            backbone=BackboneConfig(name="resnet50", stride_in_1x1=True),
            head=HeadConfig(norm="group"),
            match=MatchConfig(low_quality="all"),
            loss=LossConfig(box="giou", box_weight=2.0),
        ),
        data=DataConfig(
            batch_size=16,
            resize=ResizeConfig(short=384, long=640),
            train_short_sides=(320, 352, 384, 416, 448),
            crop_scale=(0.5, 1.25),
            colour_jitter=0.2,
            workers=4,
        ),
        optim=OptimConfig(kind="sgd", lr=0.01, lr_batch=16, clip_norm=10.0),
        schedule=ScheduleConfig(kind="cosine", epochs=36, warmup_iterations=500, warmup_factor=0.01),
        train=TrainConfig(precision="auto", ema_decay=0.999, log_every=20, checkpoint_every=250),
    )


def lite_320() -> Experiment:
    """EfficientNet-Lite0 for a few thousand images on two CPU cores.

    Hardware: 2 CPU cores (bfloat16 where they have AMX). Time: 85 min for 1,784 images of 384 px, on a
    machine shared with other work. Score: 0.243 AP on the persons of 218 photographs
    (benchmarks/results/person.json).
    Command: amidst train retinanet_lite_320 --train ANN.json --images DIR --val ANN.json --run runs/lite
    """
    return Experiment(
        name="retinanet_lite_320",
        model=RetinaNetConfig(
            pixels=EFFICIENTNET_LITE_PIXELS,
            backbone=BackboneConfig(name="efficientnet_lite0", norm="frozen", freeze_at=2),
            fpn=FPNConfig(channels=96, min_level=3, max_level=6, norm="group"),
            anchors=AnchorConfig(base=3.0),
            head=HeadConfig(convs=3, channels=96, norm="group"),
            match=MatchConfig(low_quality="all"),
            loss=LossConfig(box="giou", box_weight=2.0),
        ),
        data=DataConfig(
            batch_size=16,
            resize=ResizeConfig(short=320, long=512),
            train_short_sides=(256, 288, 320, 352),
            crop_scale=(0.5, 1.25),
            colour_jitter=0.2,
            workers=1,
        ),
        optim=OptimConfig(
            kind="adamw", lr=1e-3, lr_batch=16, weight_decay=0.05, backbone_lr_factor=0.25, clip_norm=10.0
        ),
        schedule=ScheduleConfig(kind="cosine", epochs=16, warmup_iterations=200, warmup_factor=0.01),
        train=TrainConfig(precision="auto", ema_decay=0.998, log_every=10, checkpoint_every=100),
    )


R50_FPN_1X = Recipe(
    name="retinanet_r50_fpn_1x",
    summary="the thesis's ablation model: ResNet-50, 600 px",
    hardware="8 GPUs",
    time="90k updates of 16 images",
    score="34.0 AP on COCO minival in the thesis",
    make=r50_fpn_1x,
)
R101_FPN_1_5X = Recipe(
    name="retinanet_r101_fpn_1.5x",
    summary="the thesis's best model: ResNet-101, 800 px",
    hardware="8 GPUs",
    time="135k updates of 16 images",
    score="37.8 AP on COCO test-dev in the thesis",
    make=r101_fpn_15x,
)
R50_FPN = Recipe(
    name="retinanet_r50_fpn",
    summary="ResNet-50 for a few thousand images",
    hardware="1 GPU",
    time="36 epochs",
    score="0.092 AP after 1 of 36 epochs; goal 0.30",
    make=r50_fpn,
)
LITE_320 = Recipe(
    name="retinanet_lite_320",
    summary="EfficientNet-Lite0 for machines without a GPU",
    hardware="2 CPU cores",
    time="85 min for 1,784 images",
    score="0.243 AP, persons of COCO photographs",
    make=lite_320,
)
