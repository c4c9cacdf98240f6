"""The four steps of training Faster R-CNN with shared features (F.5, thesis section 4.5.2), run by run.

    1-rpn    from ImageNet weights; then its proposals for all images
    2-fast   from ImageNet weights, on the proposals of 1
    3-rpn    a new head on the maps of 2, which stay as they are; then its proposals
    4-fast   the network of 2; only its head goes on learning, on the proposals of 3

and the Faster R-CNN made of the last two. "Separate" ends after step 2: two networks, each with its own maps.

A step is finished when its folder holds `model.safetensors`; it is not repeated, and refused where settings
have changed. An unfinished step goes on from its checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch

from amidst.apps.cli.console import say
from amidst.apps.cli.jobs import Job, Split, Validator, run_job
from amidst.apps.cli.opening import choose_device
from amidst.apps.cli.progress import screen, step
from amidst.apps.cli.scores import Score, score
from amidst.coco.proposals import Proposals
from amidst.coco.results import Results
from amidst.errors import UsageError
from amidst.inference.predict import predict_dataset
from amidst.models.config import FastRCNNConfig, RPNConfig
from amidst.models.fast_rcnn import FastRCNN
from amidst.models.faster_rcnn_assembly import assemble, join_configs, rpn_on_maps_of
from amidst.models.norms import prepare_for_inference
from amidst.models.rpn import RPN
from amidst.models.weights import ModelInfo, load_model, save_model
from amidst.training import checkpoint
from amidst.training.config import Experiment, InitConfig
from amidst.training.setup import default_classes

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Alternation:
    """A training in steps to do, or to go on with."""

    rpn: Experiment
    fast: Experiment
    train: Split
    val: Split
    run_dir: Path
    separate: bool = False
    device: str = "auto"


def alternate(run: Alternation) -> Score:
    """Do all steps that are not finished; the score of the result on the validation images.

    Raises UsageError for recipes of other families and ConfigError for finished steps with other settings.
    """
    check(run)
    one = _rpn_step(run, "1-rpn", run.rpn)
    two = _fast_step(run, "2-fast", run.fast, one)
    if run.separate:
        return score(run.fast.model, run.val.dataset, Results.load(two / "results.json"))
    frozen_rpn = _frozen(run.rpn, _start_of_step_three(run, two))
    three = _rpn_step(run, "3-rpn", frozen_rpn)
    four = _fast_step(run, "4-fast", _frozen(run.fast, two / MODEL), three)
    return _finish(run, three, four)


def check(run: Alternation) -> None:
    """Raises UsageError or WeightsError for two experiments that do not make one Faster R-CNN."""
    rpn, fast = run.rpn.model, run.fast.model
    if not isinstance(rpn, RPNConfig) or not isinstance(fast, FastRCNNConfig):
        raise UsageError(
            f"training in steps takes a recipe of an RPN and one of Fast R-CNN, got {run.rpn.name} "
            f"({type(rpn).__name__}) and {run.fast.name} ({type(fast).__name__})"
        )
    join_configs(rpn, fast)


def _frozen(experiment: Experiment, start: Path) -> Experiment:
    """The same training from the weights in `start`, with the maps kept as they are."""
    model = msgspec.structs.replace(experiment.model, freeze_shared=True)
    init = InitConfig(backbone=None, model=str(start.resolve()))
    return msgspec.structs.replace(experiment, model=model, init=init)


def _run_step(run: Alternation, name: str, experiment: Experiment, train: Split, val: Split) -> Path:
    """The folder of a finished step."""
    folder = run.run_dir / name
    if (folder / MODEL).is_file():
        classes = default_classes(experiment.model, train.dataset).num_classes
        model = msgspec.structs.replace(experiment.model, num_classes=classes)
        before = checkpoint.experiment_of(folder)
        if before is not None:
            checkpoint.check_same_experiment(before, msgspec.structs.replace(experiment, model=model))
        say(f"step {name}: finished already")
        return folder
    say(f"\nstep {name}: {experiment.name}")
    begun = bool(checkpoint.folders(folder)) or (folder / "log.jsonl").exists()
    run_job(Job(experiment, train, val, folder, run.device, resume=begun))
    return folder


def _rpn_step(run: Alternation, name: str, experiment: Experiment) -> Path:
    """Train an RPN and write its proposals for the training and the validation images."""
    train, val = (replace(split, proposals=None) for split in (run.train, run.val))
    folder = _run_step(run, name, experiment, train, val)
    assert isinstance(run.fast.model, FastRCNNConfig)
    roi, decode = run.fast.model.roi, run.fast.model.roi.decode
    for split, file, count in (
        (train, "train_proposals.json", roi.loss.proposals),
        (val, "val_proposals.json", decode.proposals),
    ):
        if not (folder / file).is_file():
            for_training = split is train
            _propose(run, folder / MODEL, split, count, for_training).save(folder / file)
    return folder


def _propose(run: Alternation, model_file: Path, split: Split, count: int, for_training: bool) -> Results:
    """The best `count` proposals of every image; for training, of as many candidates as in Faster R-CNN."""
    model, info = load_model(model_file, choose_device(run.device))
    assert isinstance(model, RPN)
    decode = model.config.rpn.decode
    candidates = decode.train_candidates if for_training else decode.test_candidates
    decode = msgspec.structs.replace(decode, test_candidates=candidates, test_count=count)
    rpn = msgspec.structs.replace(model.config.rpn, decode=decode)
    model.config = msgspec.structs.replace(model.config, rpn=rpn)
    with step("proposing", len(split.dataset.images)) as bar:
        return predict_dataset(
            prepare_for_inference(model), info, split.dataset, split.images_dir, progress=bar.update
        )


def _fast_step(run: Alternation, name: str, experiment: Experiment, rpn_folder: Path) -> Path:
    """Train Fast R-CNN on the proposals in `rpn_folder`."""
    train, val = (
        replace(split, proposals=Proposals.load(rpn_folder / file, split.dataset))
        for split, file in ((run.train, "train_proposals.json"), (run.val, "val_proposals.json"))
    )
    return _run_step(run, name, experiment, train, val)


def _start_of_step_three(run: Alternation, fast_folder: Path) -> Path:
    """A file with the maps of step 2 and an RPN head drawn from the seed."""
    path = run.run_dir / "3-rpn-start.safetensors"
    if not path.is_file():
        fast, _ = load_model(fast_folder / MODEL)
        assert isinstance(fast, FastRCNN)
        assert isinstance(run.rpn.model, RPNConfig)
        torch.manual_seed(run.rpn.train.seed)
        model = rpn_on_maps_of(fast, run.rpn.model)
        classes = default_classes(run.rpn.model, run.train.dataset)
        notes = {"made": "backbone and pyramid of 2-fast, a new head"}
        save_model(path, model.state_dict(), ModelInfo(model.config, tuple(classes.to_builtins()), notes))
    return path


def _finish(run: Alternation, rpn_folder: Path, fast_folder: Path) -> Score:
    """Write the Faster R-CNN and score it."""
    rpn, _ = load_model(rpn_folder / MODEL)
    fast, info = load_model(fast_folder / MODEL)
    assert isinstance(rpn, RPN)
    assert isinstance(fast, FastRCNN)
    model = assemble(rpn, fast).eval()
    say("\nscoring the Faster R-CNN of both")
    experiment = msgspec.structs.replace(run.fast, model=model.config)
    with screen() as room:
        validator = Validator(Job(experiment, run.train, run.val, run.run_dir, run.device), room)
        found = validator(model.to(choose_device(run.device)), 0)
    notes = {
        **info.notes,
        "recipe": f"{run.rpn.name} and {run.fast.name}, in steps",
        "validation": dict(found),
    }
    save_model(run.run_dir / MODEL, model.state_dict(), ModelInfo(model.config, info.categories, notes))
    assert validator.summary is not None
    return validator.summary
