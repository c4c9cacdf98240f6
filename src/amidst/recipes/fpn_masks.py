"""Mask proposals on a feature pyramid (thesis section 4.6, G)."""

from __future__ import annotations

from amidst.models.config import (
    EFFICIENTNET_LITE_PIXELS,
    BackboneConfig,
    FPNConfig,
    FPNMasksConfig,
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


def r50() -> Experiment:
    """The thesis's network: ResNet-50, 800 px, windows of 5 and 7 cells, masks of 14 x 14 (Table 4.6).

    The finer masks: --set model.mask_side=28. One window network: --set model.windows=[5].
    Hardware: 8 GPUs, 2 images each. Time: not measured here. Score: 45.7 AR@1000 on COCO in the thesis
    (Table 4.6); not run here.
    Command: torchrun --nproc-per-node 8 -- -m amidst train fpn_masks_r50 --images images
        --train instances_train.json --val instances_val.json --run runs/fpn_masks
    """
    return Experiment(
        name="fpn_masks_r50",
        model=FPNMasksConfig(backbone=BackboneConfig(name="resnet50")),
        data=DataConfig(batch_size=16, resize=ResizeConfig(short=800, long=1333), workers=4),
        optim=OptimConfig(kind="sgd", lr=0.03, lr_batch=16, momentum=0.9, weight_decay=1e-4),
        schedule=ScheduleConfig(kind="step", iterations=80_000, milestones=(0.75,), warmup_iterations=500),
        train=TrainConfig(log_every=20, validate_every=20_000, checkpoint_every=2_500),
    )


def lite() -> Experiment:
    """EfficientNet-Lite0 for two CPU cores.

    Hardware: 2 CPU cores (bfloat16 where they have AMX). Time: 25 min for 337 images on one core of a busy
    machine. Score: mask AR@100 0.092, AR@1000 0.190 on 206 COCO photographs (docs/studies/mask-proposals.md).
    Command: amidst train fpn_masks_lite --train ANN.json --images DIR --val ANN.json --run runs/fpn_masks
    """
    return Experiment(
        name="fpn_masks_lite",
        model=FPNMasksConfig(
            pixels=EFFICIENTNET_LITE_PIXELS,
            backbone=BackboneConfig(name="efficientnet_lite0", freeze_at=2),
            fpn=FPNConfig(channels=96, min_level=2, max_level=6, extra_from="pool", norm="group"),
            hidden=256,
        ),
        data=DataConfig(
            batch_size=8,
            resize=ResizeConfig(short=320, long=512),
            train_short_sides=(224, 256, 288),
            colour_jitter=0.2,
            workers=1,
        ),
        optim=OptimConfig(
            kind="adamw", lr=5e-4, lr_batch=8, weight_decay=0.05, backbone_lr_factor=0.25, clip_norm=10.0
        ),
        schedule=ScheduleConfig(kind="cosine", epochs=12, warmup_iterations=100, warmup_factor=0.01),
        train=TrainConfig(precision="auto", ema_decay=0.998, log_every=10, checkpoint_every=100),
    )


R50 = Recipe(
    name="fpn_masks_r50",
    summary="mask proposals on a pyramid as in the thesis: ResNet-50, 800 px",
    hardware="8 GPUs",
    time="80k updates of 16 images",
    score="45.7 AR@1000 (masks) on COCO in the thesis",
    make=r50,
)
LITE = Recipe(
    name="fpn_masks_lite",
    summary="mask proposals on a pyramid for machines without a GPU",
    hardware="2 CPU cores",
    time="25 min for 337 images",
    score="0.092 mask AR@100, COCO photographs",
    make=lite,
)
