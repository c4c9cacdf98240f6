"""A training run as the command line does it: progress on screen, scores by the COCO metric, records on disk.

What this adds to a run folder beside what the loop writes:

    run.json        where the data lie, the command, when, how long, on what
    results.json    detections of the last validation
    summary.json    their scores
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amidst.apps.cli.console import say, warning_line
from amidst.apps.cli.opening import choose_device, usual_batch
from amidst.apps.cli.progress import Screen, Step, screen
from amidst.apps.cli.scores import Score, headline, score, score_by_name, score_json
from amidst.apps.cli.version import amidst_version
from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import image_path, write_atomically
from amidst.coco.proposals import Proposals
from amidst.coco.results import Results
from amidst.errors import ImageError
from amidst.inference.predict import predict_dataset
from amidst.inference.propose import propose_dataset
from amidst.models.config import MaskConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import ModelInfo
from amidst.training import distributed
from amidst.training.config import Experiment
from amidst.training.log import Event, Started, Stepped, StepRecord, ValidationRecord
from amidst.training.loop import train
from amidst.training.setup import check_proposals, default_classes


@dataclass(frozen=True)
class Split:
    """A dataset, the folder of its images, and the file it was read from, where there is one.

    `proposals` are for a network that judges proposals from elsewhere.
    """

    dataset: CocoDataset
    images_dir: Path
    file: Path | None = None
    proposals: Proposals | None = None


@dataclass(frozen=True)
class Job:
    """A run to do."""

    experiment: Experiment
    train: Split
    val: Split
    run_dir: Path
    device: str = "auto"
    resume: bool = False


def expect_images(split: Split) -> None:
    """Raises ImageError for images that are not there, before hours of work end at one of them."""
    names = [image.file_name for image in split.dataset.images]
    missing = [name for name in names if not image_path(split.images_dir, name).is_file()]
    if missing:
        problem = (
            f"{len(missing)} of {len(names)} images are not there, this is the first; is the folder right?"
        )
        raise ImageError(problem, file=split.images_dir / missing[0], rule="missing-image")


def _warn_of_strangers(job: Job) -> None:
    """Categories that are scored but cannot be learnt pull every mean down."""
    learnt = {key for c in job.train.dataset.categories for key in (c.id, c.name.casefold())}
    used = {annotation.category_id for annotation in job.val.dataset.annotations}
    unknown = [
        c.name for c in job.val.dataset.categories if c.id in used and not {c.id, c.name.casefold()} & learnt
    ]
    if unknown:
        warning_line(
            f"{len(unknown)} categories of the validation data are not in the training data and score 0: "
            + ", ".join(unknown[:5] + ["..."] * (len(unknown) > 5))
        )


def is_first_process() -> bool:
    """Whether this process is the one that talks: the only one, or torchrun's rank 0."""
    return os.environ.get("RANK", "0") == "0"


def run_job(job: Job) -> Score | None:
    """Train, validate and write everything; the last validation's score, on the first process."""
    begun = time.time()
    about = _about(job)
    for split in (job.train, job.val):
        check_proposals(job.experiment.model, split.proposals is not None)
        expect_images(split)
    if is_first_process():
        _warn_of_strangers(job)
    with screen(show=is_first_process()) as room:
        validator = Validator(job, room)
        follower = Follower(job.run_dir, about, room)
        train(
            job.experiment,
            job.train.dataset,
            job.train.images_dir,
            job.run_dir,
            class_map=validator.classes,
            proposals=job.train.proposals,
            validate=validator,
            resume=job.resume,
            device=choose_device(job.device),
            report=follower,
        )
    if is_first_process():
        before = float(follower.before.get("seconds", 0.0))
        _write_json(job.run_dir / "run.json", about | {"seconds": round(before + time.time() - begun, 1)})
    return validator.summary


class Validator:
    """Predicts on the validation images, every process its share, and scores them on the first process."""

    def __init__(self, job: Job, room: Screen) -> None:
        self._job, self._room = job, room
        self.classes: ClassMap = default_classes(job.experiment.model, job.train.dataset)
        self.summary: Score | None = None
        resize = job.experiment.data.resize
        self._info = ModelInfo(
            job.experiment.model,
            tuple(self.classes.to_builtins()),
            {"resize": {"short": resize.short, "long": resize.long}},
        )

    def __call__(self, model: nn.Module, step: int) -> Mapping[str, float]:
        """Scores by name, on the first process; elsewhere none."""
        rank_world = distributed.place_in_run()
        own = self._look(prepare_for_inference(model), rank_world)
        results = Results.concatenate(distributed.gather(own))
        if rank_world[0] != 0:
            return {}
        self.summary = score(self._info.config, self._job.val.dataset, results)
        results.save(self._job.run_dir / "results.json")
        _write_json(self._job.run_dir / "summary.json", {"step": step, **score_json(self.summary)})
        return score_by_name(self.summary)

    def _look(self, model: nn.Module, shard: tuple[int, int]) -> Results:
        """What the network finds on this process's share of the validation images."""
        val, workers = self._job.val, max(1, self._job.experiment.data.workers)
        bar = self._room.step("validating")
        batch = usual_batch(next(model.parameters()).device)
        look = (
            propose_dataset
            if isinstance(self._info.config, MaskConfig)
            else partial(predict_dataset, batch_size=batch, proposals=val.proposals)
        )
        found = look(
            model,
            self._info,
            val.dataset,
            val.images_dir,
            workers=workers,
            shard=shard,
            progress=bar.update,
        )
        bar.finish()
        return found


class Follower:
    """Shows what the loop reports, on the first process."""

    def __init__(self, run_dir: Path, about: Mapping[str, Any], room: Screen) -> None:
        self._run_dir, self._about, self._room = run_dir, about, room
        self._bar: Step | None = None
        self._note = ""
        self.before: Mapping[str, Any] = {}

    def __call__(self, event: Event) -> None:
        """One event."""
        match event:
            case Started():
                self._start(event)
            case StepRecord():
                self._note = f"loss {event.loss:.3f}, {event.images_per_s:.1f} images/s"
            case Stepped() if self._bar is not None:
                self._bar.update(event.step, note=self._note)
            case ValidationRecord():
                say(f"update {event.step}: {headline(event.validation)}")
            case _:
                pass

    def _start(self, event: Started) -> None:
        begin = "starting" if event.first_step == 0 else f"continuing after update {event.first_step}"
        say(
            f"{begin}: {event.total_steps} updates on {event.images} images with {event.objects} objects, "
            f"{event.parameters / 1e6:.1f} million weights learning"
        )
        self._bar = self._room.step("training", event.total_steps, begun_at=event.first_step)
        path = self._run_dir / "run.json"
        if event.first_step > 0 and path.is_file():
            self.before = json.loads(path.read_bytes())
        _write_json(path, self._about)


def _about(job: Job) -> dict[str, Any]:
    device = choose_device(job.device)
    name = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or device.type
    )
    return {
        "recipe": job.experiment.name,
        "command": " ".join(["amidst", *sys.argv[1:]]),
        "train_annotations": _absolute(job.train.file),
        "train_images": _absolute(job.train.images_dir),
        "val_annotations": _absolute(job.val.file),
        "val_images": _absolute(job.val.images_dir),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "device": f"{name}, {torch.get_num_threads()} threads" if device.type == "cpu" else name,
        "amidst_version": amidst_version(),
        "torch_version": torch.__version__,
    }


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(value, indent=1).encode() + b"\n")
