"""The smallest run that goes through every part: seconds on one core, learns nothing worth having."""

from __future__ import annotations

from amidst.models.config import AnchorConfig, BackboneConfig, FPNConfig, HeadConfig, RetinaNetConfig
from amidst.recipes.recipe import Recipe
from amidst.training.config import (
    DataConfig,
    Experiment,
    InitConfig,
    OptimConfig,
    ResizeConfig,
    ScheduleConfig,
    TrainConfig,
)


def smoke() -> Experiment:
    """Tiny backbone, 128 px, 20 updates of 4 images.

    Hardware: any. Time: seconds. Score: none to speak of.
    Command: amidst train smoke --train ANN.json --images DIR --val ANN.json --run runs/smoke
    """
    return Experiment(
        name="smoke",
        model=RetinaNetConfig(
            backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
            fpn=FPNConfig(channels=32, min_level=3, max_level=5),
            anchors=AnchorConfig(octave_scales=2),
            head=HeadConfig(convs=1, channels=32, norm="group"),
        ),
        init=InitConfig(backbone=None),
        data=DataConfig(batch_size=4, resize=ResizeConfig(short=128, long=192), workers=0),
        optim=OptimConfig(kind="adamw", lr=1e-3, lr_batch=4, weight_decay=0.05, clip_norm=10.0),
        schedule=ScheduleConfig(kind="cosine", iterations=20, warmup_iterations=5, warmup_factor=0.1),
        train=TrainConfig(log_every=5, checkpoint_every=10, ema_decay=0.9),
    )


SMOKE = Recipe(
    name="smoke",
    summary="goes through every part in seconds; learns nothing worth having",
    hardware="any",
    time="seconds",
    score="none",
    make=smoke,
)
