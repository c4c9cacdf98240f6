from __future__ import annotations

import pytest

from amidst.training.config import DataConfig, Experiment, OptimConfig
from amidst.training.meter import Meter
from amidst.training.update import Updated


def updated(loss: float) -> Updated:
    return Updated(losses={"class_loss": loss, "box_loss": 1.0}, grad_norm=loss, stop=False, wait_s=0.5)


def test_before_the_first_record_there_is_no_loss() -> None:
    assert Meter(Experiment(name="x"), total=10, steps_per_epoch=4).last_loss is None


def test_means_since_the_last_record() -> None:
    experiment = Experiment(name="x", data=DataConfig(batch_size=2), optim=OptimConfig(accumulate=2))
    meter = Meter(experiment, total=10, steps_per_epoch=4)
    meter.add(updated(9.0), 0.1)
    assert meter.record(1).loss == 10.0
    meter.add(updated(1.0), 0.2)
    meter.add(updated(2.0), 0.3)
    record = meter.record(3)
    assert record.losses == {"class_loss": 1.5, "box_loss": 1.0}
    assert (record.loss, record.lr, record.grad_norm, record.data_wait_s) == (2.5, 0.3, 2.0, 0.5)
    assert record.epoch == 1.5  # two micro-steps an update, four an epoch
    assert record.eta_s == pytest.approx(7 * 4 / record.images_per_s)  # four images an update
    assert record.memory_mb > 10
