"""Means and rates between two lines of the log."""

from __future__ import annotations

import resource
import sys
import time

import torch

from amidst.training.config import Experiment
from amidst.training.log import StepRecord
from amidst.training.schedule import images_per_update
from amidst.training.update import Updated


class Meter:
    """Collects updates; `record` gives the means since the record before."""

    def __init__(self, experiment: Experiment, total: int, steps_per_epoch: int) -> None:
        self.total = total
        self.images = images_per_update(experiment)
        self.updates_per_epoch = steps_per_epoch / experiment.optim.accumulate
        self.last_loss: float | None = None
        self._updates: list[Updated] = []
        self._rate = 0.0
        self._seconds = 0.0
        self._since = time.perf_counter()

    def add(self, updated: Updated, rate: float) -> None:
        """Take in one update made at learning rate `rate`."""
        now = time.perf_counter()
        self._seconds += now - self._since
        self._since = now
        self._updates.append(updated)
        self._rate = rate

    def restart(self) -> None:
        """Leave out the time since the last update, which was spent on something else."""
        self._since = time.perf_counter()

    def record(self, step: int) -> StepRecord:
        """The line of the log for the updates since the last one."""
        updates, count = self._updates, len(self._updates)
        losses = {
            name: sum(updated.losses[name] for updated in updates) / count for name in updates[-1].losses
        }
        per_update = self._seconds / count
        self.last_loss = sum(losses.values())
        record = StepRecord(
            step=step,
            epoch=step / self.updates_per_epoch,
            lr=self._rate,
            loss=self.last_loss,
            losses=losses,
            grad_norm=updates[-1].grad_norm,
            images_per_s=self.images / max(per_update, 1e-9),
            data_wait_s=sum(updated.wait_s for updated in updates) / count,
            memory_mb=_memory_mb(),
            eta_s=per_update * (self.total - step),
        )
        self._updates, self._seconds = [], 0.0
        return record


def _memory_mb() -> float:
    """Peak memory of the process: on the GPU where one is used."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
