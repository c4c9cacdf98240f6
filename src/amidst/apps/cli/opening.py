"""What MODEL and --device mean on the command line."""

from __future__ import annotations

from pathlib import Path

import torch

from amidst.errors import UsageError
from amidst.inference.opening import EXPORTED
from amidst.models.weights import FOREIGN, builtin_models
from amidst.training.distributed import default_device

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
