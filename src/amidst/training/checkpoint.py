"""Complete state of a run, in folders `checkpoints/step-00001000/`.

    model.safetensors       weights and buffers
    optimiser.safetensors   its memory, keys "parameter name/entry"
    average.safetensors     weight average (EMA), where used
    random.safetensors      states of torch's generators
    state.json              step, best score, counters, experiment, categories

A folder is written under a temporary name, forced to disk and renamed, so that one with its final name is
complete. The position in the data needs no entry: it follows from the step (`batching`).
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from amidst.config import from_builtins, to_builtins
from amidst.errors import AmidstError, ConfigError, TrainingError
from amidst.training.config import Experiment
from amidst.training.update import Learner

logger = logging.getLogger(__name__)

PREFIX = "step-"


class State(msgspec.Struct, kw_only=True):
    """What is not a tensor."""

    step: int  # finished updates
    experiment: dict[str, Any]
    categories: tuple[dict[str, Any], ...] = ()  # of the class indices 0..K-1
    best: float | None = None  # best validation score so far
    average_updates: int = 0
    scaler: dict[str, Any] = {}  # of the loss scaler, float16 only


def folders(run_dir: Path) -> list[Path]:
    """Checkpoint folders of a run, oldest first."""
    return sorted(path for path in (run_dir / "checkpoints").glob(f"{PREFIX}*") if path.is_dir())


def save(run_dir: Path, state: State, learner: Learner, *, keep: int) -> Path:
    """Write a checkpoint and remove all but the last `keep`; returns its folder.

    Raises TrainingError if the disk refuses; older checkpoints are then untouched.
    """
    final = run_dir / "checkpoints" / f"{PREFIX}{state.step:08d}"
    temporary = final.with_name(f".{final.name}.partial")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _write_tensors(temporary / "model.safetensors", learner.model.state_dict())
        _write_tensors(temporary / "optimiser.safetensors", _optimiser_tensors(learner))
        if learner.average is not None:
            state.average_updates = learner.average.updates
            _write_tensors(temporary / "average.safetensors", learner.average.values)
        _write_tensors(temporary / "random.safetensors", _random_states())
        (temporary / "state.json").write_bytes(msgspec.json.encode(state))
        for path in (*temporary.iterdir(), temporary):
            _force_to_disk(path)
        shutil.rmtree(final, ignore_errors=True)
        temporary.replace(final)
        _force_to_disk(final.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise TrainingError(
            f"{final}: checkpoint could not be written ({error}); free space and resume"
        ) from error
    for old in folders(run_dir)[: -max(keep, 1)]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_latest(run_dir: Path, learner: Learner) -> State | None:
    """Restore the newest readable checkpoint into `learner`; None if the run has none.

    A damaged checkpoint is passed over with a warning. Raises TrainingError if checkpoints exist but none
    can be read.
    """
    found = folders(run_dir)
    for folder in reversed(found):
        try:
            return _load(folder, learner)
        except (OSError, SafetensorError, msgspec.DecodeError, KeyError, RuntimeError, ValueError) as error:
            logger.warning("%s: checkpoint is damaged (%s); trying the one before", folder, error)
    if found:
        raise TrainingError(
            f"{run_dir}: none of its {len(found)} checkpoints can be read; start a new run folder"
        )
    return None


def experiment_of(run_dir: Path) -> Experiment | None:
    """Experiment of the newest checkpoint that tells it; None if there is none."""
    for folder in reversed(folders(run_dir)):
        try:
            experiment: Experiment = from_builtins(_read_state(folder).experiment, Experiment)
            return experiment
        except (OSError, msgspec.DecodeError, AmidstError):
            continue
    return None


def check_same_experiment(old: Experiment, new: Experiment) -> None:
    """Raises ConfigError naming the keys if a run would be resumed with settings that change its result."""
    may_change = ("data.workers", "train.log_every", "train.validate_every", "train.checkpoint_every")
    before, after = _flat(to_builtins(old)), _flat(to_builtins(new))
    changed = sorted(
        key
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key) and key not in (*may_change, "train.keep_checkpoints")
    )
    if changed:
        lines = "; ".join(f"{key} was {before.get(key)!r}, now {after.get(key)!r}" for key in changed)
        raise ConfigError(f"cannot resume with other settings: {lines}. Undo them or start a new run folder")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in tree.items():
        values |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return values


def _load(folder: Path, learner: Learner) -> State:
    average = learner.average
    # Everything is read before anything is changed: a damaged file must not leave a half-restored run.
    state = _read_state(folder)
    weights = load_file(folder / "model.safetensors")
    memory = load_file(folder / "optimiser.safetensors")
    averaged = load_file(folder / "average.safetensors") if average is not None else {}
    random_states = load_file(folder / "random.safetensors")
    learner.model.load_state_dict(weights)
    _restore_optimiser(learner, memory)
    if average is not None:
        average.updates = state.average_updates
        for name, value in average.values.items():
            value.copy_(averaged[name])
    _restore_random(random_states)
    return state


def _read_state(folder: Path) -> State:
    return msgspec.json.decode((folder / "state.json").read_bytes(), type=State)


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    # safetensors stores row-major tensors; channels-last weights are laid out so for the file only.
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, path)


def _force_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parameters(learner: Learner) -> list[tuple[str, nn.Parameter]]:
    """Names and parameters in the optimiser's order."""
    names = {id(parameter): name for name, parameter in learner.model.named_parameters()}
    groups = learner.optimiser.param_groups
    return [(names[id(parameter)], parameter) for group in groups for parameter in group["params"]]


def _optimiser_tensors(learner: Learner) -> dict[str, Tensor]:
    entries = learner.optimiser.state
    return {
        f"{name}/{entry}": torch.as_tensor(value)
        for name, parameter in _parameters(learner)
        for entry, value in entries[parameter].items()
        if value is not None
    }


def _restore_optimiser(learner: Learner, tensors: Mapping[str, Tensor]) -> None:
    """Each entry gets the memory layout of its parameter, which fused kernels rely on."""
    parameters = dict(_parameters(learner))
    learner.optimiser.state.clear()
    for key, value in tensors.items():
        name, _, entry = key.rpartition("/")
        parameter = parameters[name]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, requires_grad=False).copy_(value)
        learner.optimiser.state[parameter][entry] = value.to(parameter.device)


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda.{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _restore_random(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    devices = [states[f"cuda.{index}"] for index in range(len(states) - 1)]
    if torch.cuda.is_available() and len(devices) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(devices)
