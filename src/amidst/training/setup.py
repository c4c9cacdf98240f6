"""From an experiment and a dataset to everything the loop works with."""

from __future__ import annotations

import contextlib
import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import nn

from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.proposals import Proposals
from amidst.config import to_builtins
from amidst.errors import ConfigError, UsageError, WeightsError
from amidst.models.build import CLASS_LAYERS, build_model, size_divisor
from amidst.models.config import (
    DeepMaskConfig,
    FastRCNNConfig,
    MaskConfig,
    ModelConfig,
    ProposalConfig,
    SharpMaskConfig,
)
from amidst.models.pretrained import load_backbone
from amidst.models.weights import load_model
from amidst.training import checkpoint, distributed
from amidst.training.batching import BatchPlan, BatchStream
from amidst.training.checkpoint import State
from amidst.training.config import Experiment
from amidst.training.ema import WeightAverage
from amidst.training.optim import make_optimiser
from amidst.training.precision import resolve
from amidst.training.samples import Sample, Samples
from amidst.training.schedule import base_rate, images_per_update, total_updates
from amidst.training.transforms import draw, draw_resize, make_inputs, output_hw
from amidst.training.triplets import check_data, left_out, make_patches
from amidst.training.update import Learner, Prepared

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """One training run on one process."""

    experiment: Experiment  # with the number of classes of the data
    classes: ClassMap
    samples: Samples
    plan: BatchPlan
    run_dir: Path
    place: distributed.Processes
    learner: Learner
    divisor: int  # what both sides of a padded batch are multiples of
    base_rate: float
    total: int  # updates of the whole run
    step: int = 0  # finished updates
    micro_step: int = 0
    best: float | None = None

    @property
    def model_path(self) -> Path:
        """The result."""
        return self.run_dir / "model.safetensors"

    @property
    def best_path(self) -> Path:
        """The model of the best validation."""
        return self.run_dir / "best.safetensors"

    @property
    def trained_parameters(self) -> int:
        """Number of weights that are learnt."""
        return sum(value.numel() for value in self.learner.model.parameters() if value.requires_grad)

    def averaged(self) -> AbstractContextManager[None]:
        """Within the context the network carries its averaged weights, where an average is kept."""
        average = self.learner.average
        return average.applied() if average is not None else contextlib.nullcontext()

    def state(self) -> State:
        """What a checkpoint keeps besides tensors."""
        return State(
            step=self.step,
            experiment=to_builtins(self.experiment),
            categories=tuple(self.classes.to_builtins()),
            best=self.best,
            scaler=self.learner.scaler.state_dict(),
        )


def prepare_run(
    experiment: Experiment,
    dataset: CocoDataset,
    images_dir: Path,
    run_dir: Path,
    classes: ClassMap,
    place: distributed.Processes,
    resume: bool,
    proposals: Proposals | None = None,
) -> Run:
    """Build or restore a run.

    Raises UsageError if the folder holds another run, and for proposals or settings that are missing or not
    wanted.
    """
    check_proposals(experiment.model, proposals is not None)
    if isinstance(experiment.model, DeepMaskConfig):
        check_data(experiment.data)
    with_masks = isinstance(experiment.model, MaskConfig)
    samples = Samples(dataset, images_dir, classes, with_masks=with_masks, proposals=proposals)
    experiment = msgspec.structs.replace(
        experiment, model=msgspec.structs.replace(experiment.model, num_classes=classes.num_classes)
    )
    if isinstance(experiment.model, DeepMaskConfig) and place.is_first:
        line = left_out(dataset, samples)
        if line is not None:
            logger.warning("%s", line)
    if not resume:
        _claim(run_dir)
    elif (before := checkpoint.experiment_of(run_dir)) is not None:
        checkpoint.check_same_experiment(before, experiment)
    distributed.wait_for_all()
    plan = BatchPlan(
        samples.sizes_hw,
        batch_size=experiment.data.batch_size,
        seed=experiment.train.seed,
        aspect_grouping=experiment.data.aspect_grouping,
    )
    run = Run(
        experiment=experiment,
        classes=classes,
        samples=samples,
        plan=plan,
        run_dir=run_dir,
        place=place,
        learner=make_learner(experiment, place),
        divisor=size_divisor(experiment.model),
        base_rate=base_rate(experiment.optim, images_per_update(experiment)),
        total=total_updates(experiment, plan.steps),
    )
    if resume:
        _restore(run)
    if place.is_first:
        text = msgspec.json.format(msgspec.json.encode(to_builtins(experiment)), indent=2)
        write_atomically(run_dir / "config.json", text + b"\n")
    return run


def default_classes(model: ModelConfig, dataset: CocoDataset) -> ClassMap:
    """The classes that a network of this kind learns from `dataset`: its categories, or "object" alone."""
    if isinstance(model, ProposalConfig):
        return ClassMap.agnostic(dataset.categories)
    return dataset.class_map()


def check_proposals(model: ModelConfig, given: bool) -> None:
    """Raises UsageError where proposals are given to a network that takes none, or the other way round."""
    wanted = isinstance(model, FastRCNNConfig)
    if wanted and not given:
        raise UsageError("Fast R-CNN classifies proposals from elsewhere: give a file of them")
    if given and not wanted:
        raise UsageError("this network makes its own proposals: only Fast R-CNN takes a file of them")


def _claim(run_dir: Path) -> None:
    """A new run must not mix with an old one."""
    if checkpoint.folders(run_dir) or (run_dir / "log.jsonl").exists():
        raise UsageError(
            f"{run_dir}: holds a run already; continue it with --resume or choose another folder"
        )


def _restore(run: Run) -> None:
    state = checkpoint.load_latest(run.run_dir, run.learner)
    if state is None:
        logger.warning("%s: no checkpoint to resume from; starting at the beginning", run.run_dir)
        return
    run.step, run.best = state.step, state.best
    run.micro_step = run.step * run.experiment.optim.accumulate
    if state.scaler:
        run.learner.scaler.load_state_dict(state.scaler)
    logger.info("resuming after update %d of %d", run.step, run.total)


def make_learner(experiment: Experiment, place: distributed.Processes) -> Learner:
    """Network with its first weights, optimiser and weight average on this process's device."""
    model = initial_model(experiment)
    # Channels last is what convolution kernels of CPUs and tensor cores work in.
    model = model.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    train, optim = experiment.train, experiment.optim
    dtype = resolve(train.precision, place.device)
    return Learner(
        model=model,
        module=distributed.wrap(model, place),
        optimiser=make_optimiser(model, optim),
        average=WeightAverage(model, train.ema_decay) if train.ema_decay is not None else None,
        scaler=torch.amp.GradScaler(place.device.type, enabled=dtype == torch.float16),
        dtype=dtype,
        clip_norm=optim.clip_norm,
        accumulate=optim.accumulate,
    )


def initial_model(experiment: Experiment) -> nn.Module:
    """Random weights, then those of a backbone or of a whole detector (`InitConfig`).

    Raises ConfigError for a SharpMask without a DeepMask, and as `_take_over` and `load_backbone`.
    """
    model = build_model(experiment.model)
    if isinstance(experiment.model, SharpMaskConfig) and experiment.init.model is None:
        raise ConfigError(
            "a SharpMask learns on top of a trained DeepMask; give its run folder or model file: "
            "--set init.model=PATH"
        )
    if experiment.init.model is not None:
        _take_over(model, Path(experiment.init.model), experiment.model)
    elif experiment.init.backbone is not None:
        load_backbone(model.get_submodule("backbone"), experiment.model, experiment.init.backbone)
    return model


def _take_over(model: nn.Module, path: Path, config: ModelConfig) -> None:
    """Weights of another network; the layers of `CLASS_LAYERS` start anew where they do not fit.

    Raises WeightsError if anything else does not fit.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    other, info = load_model(file)
    theirs, ours = other.state_dict(), model.state_dict()
    fitting = {
        name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape
    }
    anew = sorted(ours.keys() - fitting.keys())
    if any(not name.startswith(CLASS_LAYERS[type(config)]) for name in anew):
        raise WeightsError(
            f"{file}: its network differs from the experiment's in {', '.join(anew[:5])}"
            f"{' and more' if len(anew) > 5 else ''}; use the recipe it was trained with"
        )
    if anew and info.config.num_classes == config.num_classes:
        logger.info("%s: %d tensors taken over, %d start anew", file, len(fitting), len(anew))
    elif anew:
        logger.warning(
            "%s: knows %d classes, the data has %d; %s start anew",
            file,
            info.config.num_classes,
            config.num_classes,
            ", ".join(anew),
        )
    model.load_state_dict(fitting, strict=False)


def batch_stream(run: Run) -> BatchStream:
    """The batches from the next update to the last."""
    accumulate = run.experiment.optim.accumulate
    start, stop = run.step * accumulate, run.total * accumulate
    return BatchStream(run.plan, start, stop, run.place.rank, run.place.world)


def prepare_batch(run: Run, samples: list[Sample]) -> Prepared:
    """Augmented network input of the present micro-step."""
    data, seed, number = run.experiment.data, run.experiment.train.seed, run.micro_step
    image_ids = tuple(sample.image_id for sample in samples)
    if isinstance(run.experiment.model, DeepMaskConfig):
        places = range(run.place.rank, data.batch_size, run.place.world)
        patches = make_patches(samples, run.experiment.model, data.patches, seed, number, places)
        return Prepared(*patches, image_ids)
    rule = draw_resize(data, seed, number)
    draws = [draw(data, seed, number, place) for place in range(data.batch_size)]
    at_least_hw = (0, 0)
    if run.place.world > 1:
        # Every process pads as one alone would: padding counts, in GroupNorm and as background.
        sizes_hw = run.samples.sizes_hw[run.plan.batch(number)].tolist()
        outputs = [output_hw((h, w), change, rule) for (h, w), change in zip(sizes_hw, draws, strict=True)]
        at_least_hw = (max(h for h, _ in outputs), max(w for _, w in outputs))
    images, targets = make_inputs(
        samples,
        draws[run.place.rank :: run.place.world],
        rule,
        run.experiment.model.pixels,
        run.divisor,
        at_least_hw,
    )
    return Prepared(images, targets, image_ids)
