"""Model files: one safetensors file that predicts on its own.

The tensors are the network's state dict; the metadata entry "amidst" is JSON with the model configuration
(architecture and pixel preparation), the categories in the order of the class indices, and notes on how the
model was made. Reading needs no pickle, so a file from a stranger can do no harm.

A file that does not fit is refused with what was expected and what was found; nothing is loaded in part.

Built-in models are such files inside the package, known by their names alone.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from amidst.config import from_builtins, to_builtins
from amidst.errors import ConfigError, UsageError, WeightsError
from amidst.models.build import build_model
from amidst.models.config import ModelConfig, ProposalConfig
from amidst.models.pretrained import load_backbone
from amidst.models.state import check_state

__all__ = [
    "ModelInfo",
    "builtin_models",
    "load_backbone",
    "load_model",
    "read_info",
    "resolve_model",
    "save_model",
]

BUILTIN_DIR = Path(__file__).parent / "builtin"
RUN_FILE = "model.safetensors"  # what a run folder calls its result
FOREIGN = frozenset({".pth", ".pt", ".ckpt", ".pkl"})  # endings of other programs' weights
METADATA_KEY = "amidst"
FORMAT = 1


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself. `categories[i]` is the category of class index i."""

    config: ModelConfig
    categories: tuple[dict[str, Any], ...]  # each {"id", "name", "supercategory"}
    notes: dict[str, Any] = field(default_factory=dict)  # free: training data, schedule, score, resize


def save_model(
    path: str | Path, state_dict: Mapping[str, Tensor], info: ModelInfo, dtype: torch.dtype | None = None
) -> None:
    """Write a model file, complete or not at all.

    `dtype=torch.float16` halves the file: matrices and kernels are rounded, vectors (biases, norms) stay as
    they are. The network itself always computes in the precision it is run in.

    Raises WeightsError where a value does not fit in `dtype`.
    """
    path = Path(path)
    tensors = {name: _stored(name, tensor, dtype) for name, tensor in state_dict.items()}
    data = save(tensors, metadata={METADATA_KEY: text_of_info(info)})
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def text_of_info(info: ModelInfo) -> str:
    """The description as the JSON text that a model file holds."""
    entry = {
        "format": FORMAT,
        "config": to_builtins(info.config),
        "categories": list(info.categories),
        "notes": info.notes,
    }
    return json.dumps(entry)


def info_from_text(text: str, path: str | Path) -> ModelInfo:
    """Inverse of `text_of_info`. Raises WeightsError naming the file at `path` for a damaged text
    and one that `check_info` refuses.
    """
    try:
        entry = json.loads(text)
        if entry["format"] != FORMAT:
            raise WeightsError(f"{path}: model file format {entry['format']}, this version reads {FORMAT}")
        config = from_builtins(entry["config"], ModelConfig)
        info = ModelInfo(config, tuple(entry["categories"]), dict(entry["notes"]))
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise WeightsError(f"{path}: damaged model description ({_one_line(error)})") from None
    check_info(info, path)
    return info


def check_info(info: ModelInfo, path: str | Path) -> None:
    """Raises WeightsError where a description does not fit its network, or has no rule in `notes.resize`.

    What proposes objects of whatever category may do without categories.
    """
    problem = _category_problem(info) or _resize_problem(info.notes.get("resize"))
    if problem:
        raise WeightsError(f"{path}: damaged model description ({problem})")


def _category_problem(info: ModelInfo) -> str:
    number, expected = len(info.categories), info.config.num_classes
    if number != expected and (number or not isinstance(info.config, ProposalConfig)):
        return f"{number} categories for a network of {expected} classes"
    for index, category in enumerate(info.categories):
        if not isinstance(category, dict) or not isinstance(category.get("name"), str):
            return f"category {index}: expected an object with id and name"
        if type(category.get("id")) is not int:
            return f"category {index}: expected a whole number as id, found {category.get('id')!r:.40}"
    ids = [category["id"] for category in info.categories]
    return "" if len(set(ids)) == number else "two categories have the same id"


def _resize_problem(rule: object) -> str:
    sides = [rule.get(name) for name in ("short", "long")] if isinstance(rule, dict) else [None]
    if rule is None or all(type(side) is int and side >= 1 for side in sides):
        return ""
    return f"notes.resize: expected short and long in pixels, found {rule!r:.80}"


def _stored(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    tensor = tensor.detach().cpu()
    if dtype is not None and tensor.is_floating_point() and tensor.ndim >= 2:
        narrow = tensor.to(dtype)
        if not bool(narrow.isfinite().all()) and bool(tensor.isfinite().all()):
            raise WeightsError(f"{name}: largest value {tensor.abs().max():.4g} does not fit in {dtype}")
        tensor = narrow
    return tensor.contiguous().clone()  # its own storage: tied tensors are written twice, not refused


def read_info(path: str | Path) -> ModelInfo:
    """What a model file says about itself, without reading its tensors."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such model file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({_one_line(error)})") from None
    if METADATA_KEY not in metadata:
        raise WeightsError(f"{path}: holds no model description; it was not written by amidst")
    return info_from_text(metadata[METADATA_KEY], path)


def load_model(path: str | Path, device: torch.device | str = "cpu") -> tuple[nn.Module, ModelInfo]:
    """The network of a model file in evaluation mode and float32, and the file's description.

    Raises WeightsError for a damaged file and for tensors that do not fit the described network.
    """
    info = read_info(path)
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({_one_line(error)})") from None
    with torch.device("meta"):  # shapes only: no random weights to be overwritten
        model = build_model(info.config)
    check_state(model.state_dict(), state, path)
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    model.load_state_dict(state, assign=True)
    return model.eval(), info


def builtin_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.stem for path in BUILTIN_DIR.glob("*.safetensors"))


def resolve_model(source: str | Path) -> Path:
    """The model file that a built-in name, a .safetensors file or a run folder stands for.

    A built-in name wins over a folder of that name in the working directory, which is "./name".
    Raises UsageError naming the choices.
    """
    path = Path(source)
    if str(source) in builtin_models():
        return BUILTIN_DIR / f"{source}.safetensors"
    if path.is_dir():
        if (path / RUN_FILE).is_file():
            return path / RUN_FILE
        raise UsageError(
            f"{path}: this folder holds no {RUN_FILE}; a run has it when it is finished, "
            "until then its checkpoints/step-... predict"
        )
    if path.is_file():
        if path.suffix == ".safetensors":
            return path
        if path.suffix in FOREIGN:
            raise UsageError(
                f"{path}: weights of another program: amidst weights convert {path} -o MODEL.safetensors"
            )
        raise UsageError(f"{path}: expected a .safetensors file, found {path.suffix or 'no suffix'}")
    names = ", ".join(builtin_models()) or "none"
    raise UsageError(
        f"{source}: no such model; expected a .safetensors file, a run folder or a built-in model ({names})"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
