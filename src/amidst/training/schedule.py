"""Learning rate as a pure function of the update (J.3).

Shape legend: every value is a number; `step` counts finished updates, so the first update runs at step 0.
"""

from __future__ import annotations

import math

from amidst.errors import ConfigError
from amidst.training.config import Experiment, OptimConfig, ScheduleConfig


def images_per_update(experiment: Experiment) -> int:
    """Images of one optimiser update over all processes: micro-batch times accumulation."""
    return experiment.data.batch_size * experiment.optim.accumulate


def total_updates(experiment: Experiment, steps_per_epoch: int) -> int:
    """Length of the run in updates, at least 1. `steps_per_epoch` counts micro-steps.

    Raises ConfigError when the length is not positive.
    """
    schedule = experiment.schedule
    if schedule.epochs is not None:
        if schedule.epochs <= 0:
            raise ConfigError(f"schedule.epochs must be positive, found {schedule.epochs}")
        return max(1, round(schedule.epochs * steps_per_epoch / experiment.optim.accumulate))
    if schedule.iterations <= 0:
        raise ConfigError(f"schedule.iterations must be positive, found {schedule.iterations}")
    return max(1, round(schedule.iterations * experiment.optim.lr_batch / images_per_update(experiment)))


def base_rate(optim: OptimConfig, images: int) -> float:
    """Linear scaling rule: the rate given for `lr_batch` images an update, scaled to `images`."""
    return optim.lr * images / optim.lr_batch


def rate_factor(step: int, total: int, schedule: ScheduleConfig) -> float:
    """Share of the base rate at update `step` of `total`: warm-up times decay.

    Warm-up is linear from `warmup_factor` to 1 over `warmup_iterations`. "step" multiplies by `gamma` at each
    milestone; "cosine" falls from 1 to `final_factor`.
    """
    warmup = 1.0
    if step < schedule.warmup_iterations:
        share = step / schedule.warmup_iterations
        warmup = schedule.warmup_factor * (1 - share) + share
    if schedule.kind == "step":
        passed = sum(step >= round(milestone * total) for milestone in schedule.milestones)
        return warmup * schedule.gamma**passed
    cosine = 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))
    return warmup * (schedule.final_factor + (1 - schedule.final_factor) * cosine)
