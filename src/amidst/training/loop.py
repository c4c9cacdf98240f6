"""The training loop (I.6, J.3).

    train()   prepares the run, loops over updates, writes the result

After each update, in this order: log, validate, checkpoint, so that a checkpoint of step s implies that
everything up to s was logged and validated. A resumed run continues bit for bit on the same machine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import Proposals
from amidst.errors import Interrupted, NonFiniteLoss, OutOfMemory
from amidst.models.weights import ModelInfo, save_model
from amidst.training import checkpoint, distributed
from amidst.training.batching import load_batches
from amidst.training.config import Experiment
from amidst.training.interruption import StopRequest
from amidst.training.log import (
    Event,
    Report,
    RunLog,
    Saved,
    Started,
    Stepped,
    Validating,
    ValidationRecord,
    scores,
)
from amidst.training.meter import Meter
from amidst.training.optim import set_rate
from amidst.training.precision import repeatable
from amidst.training.samples import Sample
from amidst.training.schedule import rate_factor
from amidst.training.setup import Run, batch_stream, default_classes, prepare_batch, prepare_run
from amidst.training.update import Prepared, update

logger = logging.getLogger(__name__)

Validate = Callable[[nn.Module, int], Mapping[str, float]]

SCORES = ("ap", "auc")  # of a validation; the model with the best first of these is kept


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished run leaves behind."""

    steps: int
    model: Path  # the result: weights after the last update (their average where used)
    best_model: Path | None  # of the validation with the highest score
    best: float | None
    validation: dict[str, float] | None  # the last one


def train(
    experiment: Experiment,
    dataset: CocoDataset,
    images_dir: str | Path,
    run_dir: str | Path,
    *,
    class_map: ClassMap | None = None,
    proposals: Proposals | None = None,
    validate: Validate | None = None,
    resume: bool = False,
    device: str | torch.device | None = None,
    report: Report | None = None,
) -> Outcome:
    """Train the experiment's network on `dataset` and leave it in `run_dir`.

    The number of classes is that of `class_map`, by default of the dataset, or one for networks that
    propose objects. `proposals` are what Fast R-CNN learns to judge. `validate(model, step)` gets the
    network in evaluation mode with its averaged weights; it is called on every process, and what it returns
    on the first one counts. `report` gets an event at every step. Under torchrun every process calls this
    function alike.

    Raises UsageError for a run folder that is in use or a dataset without images, NonFiniteLoss,
    OutOfMemory, and Interrupted after Ctrl-C or SIGTERM once a checkpoint is written.
    """
    classes = class_map or default_classes(experiment.model, dataset)
    with distributed.processes(device) as place, repeatable(experiment.train.seed, place.device):
        folders = Path(images_dir), Path(run_dir)
        run = prepare_run(experiment, dataset, *folders, classes, place, resume, proposals)
        tell: Report = report if report is not None and place.is_first else _ignore
        log = RunLog(run.run_dir / "log.jsonl", run.step) if place.is_first else None
        tell(Started(run.step, run.total, len(run.samples), run.samples.num_objects, run.trained_parameters))
        return _Loop(run, log, validate, tell).work()


def _ignore(event: Event) -> None:
    """Nobody listens."""


class _Loop:
    """The updates of one run and what happens between them."""

    def __init__(self, run: Run, log: RunLog | None, validate: Validate | None, tell: Report) -> None:
        self.run, self.log, self.validate, self.tell = run, log, validate, tell
        self.validation: dict[str, float] | None = None
        self.meter = Meter(run.experiment, run.total, run.plan.steps)

    def work(self) -> Outcome:
        """All remaining updates, then the result."""
        run = self.run
        if self._validation_is_due():
            self.validation = self._logged_validation()
            if self.validation is None:
                self._validate()  # a run interrupted between an update and its validation
        with StopRequest() as stop, closing(_batches(run)) as batches:
            while run.step < run.total:
                stopping = self._step(batches, stop.is_set())
                if stopping:
                    self._stop()
                self._log_step()
                if self._validation_is_due():
                    self._validate()
                    self.meter.restart()
                if run.step % run.experiment.train.checkpoint_every == 0 or run.step == run.total:
                    self._save_checkpoint()
        return self._finish()

    def _step(self, batches: Iterator[list[Sample]], stop: bool) -> bool:
        """One update; whether to stop after it."""
        run = self.run
        schedule = run.experiment.schedule
        rate = run.base_rate * rate_factor(run.step, run.total, schedule)
        set_rate(run.learner.optimiser, rate)
        run.learner.model.train()
        # What a network draws by itself (dropout) depends on the update alone: a resumed run draws the same.
        torch.manual_seed((run.experiment.train.seed << 32) + run.step)

        def prepare(samples: list[Sample]) -> Prepared:
            prepared = prepare_batch(run, samples)
            run.micro_step += 1
            return prepared

        try:
            updated = update(run.learner, batches, prepare, stop)
        except NonFiniteLoss as error:
            raise NonFiniteLoss(f"update {run.step + 1}: {error}. {self._last_checkpoint()}") from None
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            raise OutOfMemory(
                f"update {run.step + 1}: {_memory_advice(run)}. {self._last_checkpoint()}"
            ) from error
        run.step += 1
        self.meter.add(updated, rate)
        return updated.stop

    def _log_step(self) -> None:
        run, every = self.run, self.run.experiment.train.log_every
        if run.step % every == 0 or run.step == run.total:
            record = self.meter.record(run.step)
            if self.log is not None:
                self.log.append(record)
            self.tell(record)
        self.tell(Stepped(run.step, run.total, self.meter.last_loss))

    def _validation_is_due(self) -> bool:
        every = self.run.experiment.train.validate_every
        at_interval = every > 0 and self.run.step > 0 and self.run.step % every == 0
        return self.validate is not None and (at_interval or self.run.step == self.run.total)

    def _logged_validation(self) -> dict[str, float] | None:
        found = self.log.validation(self.run.step) if self.log is not None else None
        return distributed.gather((found,))[0][0]  # the first process keeps the log

    def _validate(self) -> None:
        """Score the averaged weights; keep them if they are the best so far."""
        run = self.run
        assert self.validate is not None
        self.tell(Validating(run.step))
        run.learner.model.eval()
        with run.averaged():
            found = scores(self.validate(run.learner.model, run.step))
            self.validation = found = distributed.gather(found)[0]
            score = next((found[name] for name in SCORES if name in found), None)
            if score is not None and (run.best is None or score > run.best):
                run.best = score
                self._write_model(run.best_path, found)
        record = ValidationRecord(step=run.step, validation=found)
        if self.log is not None:
            self.log.append(record)
        self.tell(record)

    def _save_checkpoint(self) -> Path | None:
        run = self.run
        path = None
        if run.place.is_first:
            path = checkpoint.save(
                run.run_dir, run.state(), run.learner, keep=run.experiment.train.keep_checkpoints
            )
            self.tell(Saved(run.step, path))
        distributed.wait_for_all()
        return path

    def _stop(self) -> None:
        run = self.run
        self._log_step()
        self._save_checkpoint()
        raise Interrupted(
            f"stopped after update {run.step} of {run.total}; continue with the same command and --resume"
        )

    def _last_checkpoint(self) -> str:
        folders = checkpoint.folders(self.run.run_dir)
        return f"The last good checkpoint is {folders[-1]}" if folders else "No checkpoint was written yet"

    def _finish(self) -> Outcome:
        run = self.run
        with run.averaged():
            self._write_model(run.model_path, self.validation)
        distributed.wait_for_all()
        self.tell(Saved(run.step, run.model_path))
        best_path = run.best_path if run.best_path.exists() else None
        return Outcome(run.step, run.model_path, best_path, run.best, self.validation)

    def _write_model(self, path: Path, found: Mapping[str, float] | None) -> None:
        run = self.run
        if not run.place.is_first:
            return
        notes = {
            "recipe": run.experiment.name,
            "steps": run.step,
            "images": len(run.samples),
            "resize": {"short": run.experiment.data.resize.short, "long": run.experiment.data.resize.long},
            "written": time.strftime("%Y-%m-%d"),
        }
        if found:
            notes["validation"] = dict(found)
        info = ModelInfo(run.experiment.model, tuple(run.classes.to_builtins()), notes)
        save_model(path, run.learner.model.state_dict(), info)


def _batches(run: Run) -> Generator[list[Sample]]:
    return load_batches(
        run.samples, batch_stream(run), workers=run.experiment.data.workers, device=run.place.device
    )


def _is_out_of_memory(error: Exception) -> bool:
    # torch's allocator for the CPU raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _memory_advice(run: Run) -> str:
    data, optim = run.experiment.data, run.experiment.optim
    short = max(data.train_short_sides, default=data.resize.short)
    return (
        f"{run.place.device} has too little memory; lower data.batch_size (now {data.batch_size}) and raise "
        f"optim.accumulate (now {optim.accumulate}) by the same factor, which keeps the result, or lower the "
        f"short side (now up to {short} pixels: data.resize, data.train_short_sides)"
    )
