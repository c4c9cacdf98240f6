"""A checkpoint of a run, finished or not, as a model that predicts."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from amidst.config import from_builtins, to_builtins
from amidst.errors import AmidstError, WeightsError
from amidst.models.build import build_model
from amidst.models.config import ModelConfig
from amidst.models.state import check_state
from amidst.models.weights import ModelInfo, check_info
from amidst.training.config import ResizeConfig


def is_checkpoint(path: Path) -> bool:
    """Whether `path` is a folder such as runs/mine/checkpoints/step-00001000."""
    return (path / "state.json").is_file() and (path / "model.safetensors").is_file()


def checkpoint_files(folder: Path) -> list[Path]:
    """What of a checkpoint the network is made of."""
    files = (folder / name for name in ("state.json", "model.safetensors", "average.safetensors"))
    return [file for file in files if file.is_file()]


def open_checkpoint(folder: Path) -> tuple[nn.Module, ModelInfo]:
    """The network of a checkpoint, with its averaged weights where there are any, on the CPU.

    Raises WeightsError for a damaged one.
    """
    try:
        state = json.loads((folder / "state.json").read_bytes())
        config = from_builtins(state["experiment"]["model"], ModelConfig)
        categories = tuple(state["categories"])
        resize = from_builtins(state["experiment"]["data"]["resize"], ResizeConfig)
        tensors: dict[str, Tensor] = {}
        for file in checkpoint_files(folder)[1:]:
            tensors |= load_file(file)  # averaged weights last
    except (OSError, ValueError, KeyError, TypeError, AmidstError, SafetensorError) as error:
        raise WeightsError(f"{folder}: not a readable checkpoint ({' '.join(str(error).split())})") from None
    model = build_model(config)
    check_state(model.state_dict(), tensors, folder)
    model.load_state_dict(tensors)
    info = ModelInfo(config, categories, {"resize": to_builtins(resize)})
    check_info(info, folder)
    return model.eval(), info
