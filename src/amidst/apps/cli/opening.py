"""What MODEL and --device mean on the command line."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from amidst.apps.cli.checkpoints import is_checkpoint, open_checkpoint
from amidst.errors import MissingExtra, UsageError
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import FOREIGN, ModelInfo, builtin_models, load_model, resolve_model
from amidst.training.distributed import default_device

EXPORTED = ".onnx"
GPU_BATCH = 8
RUN_MARKS = ("config.json", "run.json", "checkpoints")  # what a run's folder holds before it is finished
BUILT_IN = "person"  # the detector that ships with the package


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one. Raises UsageError if it is not there."""
    if name == "auto":
        return default_device()
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}; try auto or cpu") from None
    return device


def usual_batch(device: torch.device) -> int:
    """Images at a time where --batch is left out."""
    return 1 if device.type == "cpu" else GPU_BATCH


def is_model(word: str) -> bool:
    """Whether a word on the command line names a model, not something to look at."""
    path = Path(word)
    if not path.exists():
        return word in builtin_models()
    if path.is_dir():
        return any((path / name).exists() for name in RUN_MARKS) or any(path.glob("*.safetensors"))
    return path.suffix in {".safetensors", EXPORTED, *FOREIGN}


def open_model(
    name: str, device: torch.device, runtime: str = "auto", dtype: torch.dtype = torch.float32
) -> tuple[nn.Module, ModelInfo]:
    """The network MODEL stands for, on `device`, ready to predict in `dtype`; an exported one on the CPU, by
    `runtime`.

    Raises UsageError for a runtime of a network that is not exported, and another dtype of one that is.
    """
    if Path(name).suffix == EXPORTED:
        if dtype != torch.float32:
            raise UsageError(f"--precision: {name} is computed as it was exported; --int8 makes faster files")
        return _open_exported(name, runtime)
    if runtime != "auto":
        raise UsageError(f"--runtime {runtime}: {name} runs in torch; amidst export writes what it can run")
    if is_checkpoint(Path(name)):
        model, info = open_checkpoint(Path(name))
    else:
        model, info = load_model(resolve_model(name))
    return prepare_for_inference(model, dtype).to(device), info


def _open_exported(name: str, runtime: str) -> tuple[nn.Module, ModelInfo]:
    try:
        from amidst.inference.runtime import open_exported
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "onnx", "export") from error
    return open_exported(name, runtime)
