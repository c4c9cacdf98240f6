"""Mask proposals from patches: DeepMask and SharpMask (thesis chapter 3; C, D)."""

from __future__ import annotations

from amidst.models.config import (
    CAFFE_PIXELS,
    EFFICIENTNET_LITE_PIXELS,
    BackboneConfig,
    DeepMaskConfig,
    SharpMaskConfig,
)
from amidst.recipes.recipe import Recipe
from amidst.training.config import (
    DataConfig,
    Experiment,
    InitConfig,
    OptimConfig,
    PatchConfig,
    ResizeConfig,
    ScheduleConfig,
    TrainConfig,
)

LONG_SIDE_640 = ResizeConfig(short=640, long=640)  # the size of COCO's images, to which the scales refer
R50 = BackboneConfig(name="resnet50", stride_in_1x1=True, freeze_at=0)
LITE = BackboneConfig(name="efficientnet_lite0", freeze_at=2)
LITE_TRUNK = "W160-P4-D32-F128"


def deepmask_r50() -> Experiment:
    """The thesis's DeepMask ("DeepMask-ours"): ResNet-50 up to res4, head C (Tables 3.1-3.3).

    A batch is 8 images of 4 patches. 1,200,000 updates are the release's 300 epochs; its rate falls after 50
    of them to 1/2 and after 120 to 1/10: here to 10^-1/2 and 1/10, for the same end.
    The ImageNet weights are the original ones, given as a file.

    Hardware: one GPU. Time: not measured here (the thesis: 5 days for its first DeepMask). Score: mask AR@100
    25.8 on COCO in the thesis (Table 3.3); not run here.
    Command: amidst train deepmask_r50 --train ANN.json --images DIR --val ANN.json --run runs/deepmask
        --set init.backbone=resnet50_imagenet_caffe_bgr_fp16_backbone.npz
    """
    return Experiment(
        name="deepmask_r50",
        model=DeepMaskConfig(pixels=CAFFE_PIXELS, backbone=R50),
        data=DataConfig(batch_size=8, resize=LONG_SIDE_640, patches=PatchConfig(per_image=4), workers=4),
        optim=OptimConfig(kind="sgd", lr=1e-3, lr_batch=8, momentum=0.9, weight_decay=5e-4),
        schedule=ScheduleConfig(
            kind="step",
            iterations=1_200_000,
            milestones=(50 / 300, 120 / 300),
            gamma=0.1**0.5,
            warmup_iterations=0,
        ),
        train=TrainConfig(precision="auto", log_every=20, checkpoint_every=1000),
    )


def sharpmask_r50() -> Experiment:
    """The thesis's SharpMask, on a trained `deepmask_r50` of which nothing changes any more (D.4).

    Hardware: one GPU. Time: not measured here (the thesis: 2 days). Score: mask AR@100 27.6 on COCO in the
    thesis (Table 3.3); not run here.
    Command: amidst train sharpmask_r50 --train ANN.json --images DIR --val ANN.json --run runs/sharpmask
        --set init.model=runs/deepmask
    """
    return Experiment(
        name="sharpmask_r50",
        model=SharpMaskConfig(pixels=CAFFE_PIXELS, backbone=R50),
        init=InitConfig(backbone=None),
        data=DataConfig(batch_size=8, resize=LONG_SIDE_640, patches=PatchConfig(per_image=4), workers=4),
        optim=OptimConfig(kind="sgd", lr=1e-3, lr_batch=8, momentum=0.0, weight_decay=0.0),
        schedule=ScheduleConfig(kind="step", iterations=400_000, milestones=(), warmup_iterations=0),
        train=TrainConfig(precision="auto", log_every=20, checkpoint_every=1000),
    )


def deepmask_lite() -> Experiment:
    """DeepMask on EfficientNet-Lite0 up to stride 16, for a few hundred images on two CPU cores.

    The trunk pads with zeros, as its weights were trained; AdamW and a cosine instead of the thesis's
    schedule of days.

    Hardware: 2 CPU cores (bfloat16 where they have AMX). Time: 25 min for 337 images, on one thread of a busy
    machine. Score: mask AR@10, 100 and 1,000 of 0.067, 0.151 and 0.223, AUC 0.114, on 206 other images.
    Command: amidst train deepmask_lite --train ANN.json --images DIR --val ANN.json --run runs/deepmask
    """
    return Experiment(
        name="deepmask_lite",
        model=DeepMaskConfig(
            pixels=EFFICIENTNET_LITE_PIXELS, backbone=LITE, trunk=LITE_TRUNK, padding="zeros"
        ),
        data=DataConfig(batch_size=8, resize=LONG_SIDE_640, patches=PatchConfig(per_image=4), workers=1),
        optim=OptimConfig(
            kind="adamw", lr=1e-3, lr_batch=8, weight_decay=0.05, backbone_lr_factor=0.25, clip_norm=10.0
        ),
        schedule=ScheduleConfig(kind="cosine", epochs=20, warmup_iterations=50, warmup_factor=0.01),
        train=TrainConfig(precision="auto", ema_decay=0.998, log_every=20, checkpoint_every=200),
    )


def sharpmask_lite() -> Experiment:
    """SharpMask on a trained `deepmask_lite` of which nothing changes any more.

    Hardware: 2 CPU cores (bfloat16 where they have AMX). Time: 6 min for 337 images, on one thread of a busy
    machine. Score: mask AR@10, 100 and 1,000 of 0.077, 0.175 and 0.258, AUC 0.131, on the same images.
    Command: amidst train sharpmask_lite --train ANN.json --images DIR --val ANN.json --run runs/sharpmask
        --set init.model=runs/deepmask
    """
    return Experiment(
        name="sharpmask_lite",
        model=SharpMaskConfig(
            pixels=EFFICIENTNET_LITE_PIXELS, backbone=LITE, trunk=LITE_TRUNK, padding="zeros"
        ),
        init=InitConfig(backbone=None),
        data=DataConfig(batch_size=8, resize=LONG_SIDE_640, patches=PatchConfig(per_image=4), workers=1),
        optim=OptimConfig(kind="adamw", lr=1e-3, lr_batch=8, weight_decay=0.0, clip_norm=10.0),
        schedule=ScheduleConfig(kind="cosine", epochs=8, warmup_iterations=30, warmup_factor=0.01),
        train=TrainConfig(precision="auto", ema_decay=0.998, log_every=20, checkpoint_every=200),
    )


DEEPMASK_R50 = Recipe(
    name="deepmask_r50",
    summary="the thesis's DeepMask: mask proposals from patches, ResNet-50",
    hardware="1 GPU",
    time="1.2M updates of 32 patches",
    score="25.8 mask AR@100 on COCO in the thesis",
    make=deepmask_r50,
)
SHARPMASK_R50 = Recipe(
    name="sharpmask_r50",
    summary="the thesis's SharpMask: finer masks on a trained deepmask_r50",
    hardware="1 GPU",
    time="400k updates of 32 patches",
    score="27.6 mask AR@100 on COCO in the thesis",
    make=sharpmask_r50,
)
DEEPMASK_LITE = Recipe(
    name="deepmask_lite",
    summary="DeepMask for machines without a GPU",
    hardware="2 CPU cores",
    time="25 min for 337 images",
    score="0.151 mask AR@100, COCO photographs",
    make=deepmask_lite,
)
SHARPMASK_LITE = Recipe(
    name="sharpmask_lite",
    summary="SharpMask on a trained deepmask_lite",
    hardware="2 CPU cores",
    time="6 min for 337 images",
    score="0.175 mask AR@100, COCO photographs",
    make=sharpmask_lite,
)
