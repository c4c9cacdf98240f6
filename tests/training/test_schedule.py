from __future__ import annotations

import pytest

from amidst.errors import ConfigError
from amidst.recipes.retinanet import r50_fpn_1x
from amidst.training.config import DataConfig, Experiment, OptimConfig, ScheduleConfig
from amidst.training.schedule import base_rate, images_per_update, rate_factor, total_updates


def experiment(batch: int, accumulate: int, schedule: ScheduleConfig) -> Experiment:
    return Experiment(
        name="x",
        data=DataConfig(batch_size=batch),
        optim=OptimConfig(accumulate=accumulate),
        schedule=schedule,
    )


@pytest.mark.parametrize("schedule", [ScheduleConfig(iterations=0), ScheduleConfig(epochs=0.0)])
def test_a_run_without_length_is_refused(schedule: ScheduleConfig) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        total_updates(experiment(16, 1, schedule), steps_per_epoch=10)


@pytest.mark.parametrize(
    ("batch", "accumulate", "schedule", "updates"),
    [
        (16, 1, ScheduleConfig(iterations=90_000), 90_000),
        (2, 1, ScheduleConfig(iterations=90_000), 720_000),
        (4, 4, ScheduleConfig(iterations=90_000), 90_000),
        (16, 1, ScheduleConfig(epochs=2.5), 25),
        (8, 2, ScheduleConfig(epochs=2.5), 12),
        (16, 1, ScheduleConfig(epochs=0.001), 1),
    ],
)
def test_length_in_updates(batch: int, accumulate: int, schedule: ScheduleConfig, updates: int) -> None:
    assert total_updates(experiment(batch, accumulate, schedule), steps_per_epoch=10) == updates


def test_linear_scaling_rule() -> None:
    assert base_rate(OptimConfig(lr=0.01, lr_batch=16), 2) == pytest.approx(0.00125)
    assert images_per_update(experiment(4, 8, ScheduleConfig())) == 32


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        (0, 1 / 3),
        (250, 2 / 3),  # J.3: lr / 3 * (1 - a) + a with a = 1/2
        (500, 1.0),
        (59_999, 1.0),
        (60_000, 0.1),
        (79_999, 0.1),
        (80_000, 0.01),
        (89_999, 0.01),
    ],
)
def test_the_thesis_schedule(step: int, factor: float) -> None:
    assert rate_factor(step, 90_000, r50_fpn_1x().schedule) == pytest.approx(factor)


def test_cosine_falls_from_one_to_its_floor() -> None:
    schedule = ScheduleConfig(kind="cosine", warmup_iterations=0, final_factor=0.1)
    factors = [rate_factor(step, 100, schedule) for step in range(101)]
    assert factors[0] == 1.0
    assert factors[50] == pytest.approx(0.55)
    assert factors[100] == pytest.approx(0.1)
    assert factors == sorted(factors, reverse=True)
