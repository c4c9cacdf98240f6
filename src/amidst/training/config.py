"""Configuration of an experiment. Plain data: importing this module does not import torch."""

from __future__ import annotations

from typing import Literal

from amidst.config import Config
from amidst.models.config import ModelConfig, RetinaNetConfig
from amidst.models.config_parts import Count, Probability


class InitConfig(Config, frozen=True):
    """Where training starts from."""

    backbone: str | None = "imagenet"  # "imagenet", a weight file, or null for random initialisation
    model: str | None = None  # a whole detector to fine-tune: run folder, checkpoint or built-in name


class ResizeConfig(Config, frozen=True):
    """Resize so that the short side is `short`, unless the long side would exceed `long` (J.1)."""

    short: Count = 800
    long: Count = 1333


class PatchConfig(Config, frozen=True):
    """Drawing of patches for DeepMask and SharpMask (C.2)."""

    per_image: Count = 4  # patches of each image of a batch
    score_share: Probability = 0.5  # of the batches that teach the score; the others teach the mask
    positive_share: Probability = 0.5  # of the patches of a score batch that show an object
    shift: float = 16.0  # pixels of the patch by which an object may be off its centre
    octaves: float = 0.25  # by which its size may be off
    flip: Probability = 0.5
    jitter_scores: bool = True  # shift and size also where the score is learnt (paper); the release does not


class DataConfig(Config, frozen=True):
    """Sampling and augmentation (J.1)."""

    batch_size: int = 16  # images per micro-step, over all processes together
    resize: ResizeConfig = ResizeConfig()  # validation and prediction; training too where no jitter is set
    train_short_sides: tuple[int, ...] = ()  # drawn per batch; empty = resize.short
    flip: float = 0.5
    colour_jitter: float = 0.0  # strength of brightness, contrast and saturation changes
    crop_scale: tuple[float, float] | None = (
        None  # side of the view over side of the image: crop < 1 < canvas
    )
    aspect_grouping: bool = True
    patches: PatchConfig = PatchConfig()  # of DeepMask and SharpMask alone
    workers: int = 2


class OptimConfig(Config, frozen=True):
    """Optimiser (J.3). `lr` is for `lr_batch` images an update and scales linearly with the real number."""

    kind: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    lr_batch: int = 16
    momentum: float = 0.9
    weight_decay: float = 1e-4
    backbone_lr_factor: float = 1.0
    clip_norm: float | None = None
    accumulate: int = 1  # micro-steps per update


class ScheduleConfig(Config, frozen=True):
    """Learning-rate schedule (J.3).

    Its length is given in updates of `optim.lr_batch` images, or in epochs when `epochs` is set.

    With another number of images an update, lr and length scale so that as many images are seen (linear
    scaling rule); the warm-up keeps its number of updates.
    """

    kind: Literal["step", "cosine"] = "step"
    iterations: int = 90_000
    epochs: float | None = None
    milestones: tuple[float, ...] = (2 / 3, 8 / 9)  # as fractions of the whole length
    gamma: float = 0.1
    warmup_iterations: int = 500
    warmup_factor: float = 1 / 3
    final_factor: float = 0.0  # cosine ends at lr * final_factor


class TrainConfig(Config, frozen=True):
    """The loop."""

    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16", "float16"] = (
        "float32"  # auto: bfloat16 where it is fast
    )
    ema_decay: float | None = None
    log_every: int = 20
    validate_every: int = 0  # updates; 0 = only at the end
    checkpoint_every: int = 1000  # updates
    keep_checkpoints: int = 2


class Experiment(Config, frozen=True):
    """Everything that defines a training run, apart from the data files and the run folder."""

    name: str
    model: ModelConfig = RetinaNetConfig()
    init: InitConfig = InitConfig()
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    train: TrainConfig = TrainConfig()
