"""The network a MODEL stands for: a model file, a run, a checkpoint, a built-in name or an exported file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

from amidst.errors import MissingExtra, UsageError
from amidst.inference.checkpoints import checkpoint_files, is_checkpoint, open_checkpoint
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import ModelInfo, load_model, resolve_model

EXPORTED = ".onnx"  # suffix of exported files


def open_model(
    name: str | Path, device: torch.device, runtime: str = "auto", dtype: torch.dtype = torch.float32
) -> tuple[nn.Module, ModelInfo]:
    """The network MODEL stands for, on `device`, ready to predict in `dtype`; an exported one on the CPU, by
    `runtime`, with as many threads as torch has.

    Raises UsageError for a runtime of a network that is not exported, and another dtype of one that is, and
    MissingExtra where its runtime is not installed.
    """
    path = Path(name)
    if path.suffix == EXPORTED:
        if dtype != torch.float32:
            raise UsageError(f"--precision: {name} is computed as it was exported; --int8 makes faster files")
        return _open_exported(path, runtime)
    if runtime != "auto":
        raise UsageError(f"--runtime {runtime}: {name} runs in torch; amidst export writes what it can run")
    model, info = open_checkpoint(path) if is_checkpoint(path) else load_model(resolve_model(name))
    return prepare_for_inference(model, dtype).to(device), info


def located(name: str | Path) -> Path:
    """The file that MODEL stands for, or the folder of a checkpoint. Raises what `resolve_model` raises."""
    path = Path(name)
    return path if path.suffix == EXPORTED or is_checkpoint(path) else resolve_model(name)


def digest(path: Path) -> str:
    """SHA-256 of a model's files: the same for the same weights, wherever they lie."""
    files = checkpoint_files(path) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def _open_exported(path: Path, runtime: str) -> tuple[nn.Module, ModelInfo]:
    try:
        from amidst.inference.runtime import open_exported
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "onnx", "export") from error
    return open_exported(path, runtime)
