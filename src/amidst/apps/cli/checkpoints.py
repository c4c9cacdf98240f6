"""A checkpoint of a run, finished or not, as a model that predicts.

A checkpoint holds the state of the training and not the names of the classes; these come from the training
annotations that `run.json` names, where they are still there.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from amidst.coco.dataset import CocoDataset
from amidst.config import from_builtins, to_builtins
from amidst.errors import AmidstError, WeightsError
from amidst.models.build import build_model
from amidst.models.config import ModelConfig
from amidst.models.state import check_state
from amidst.models.weights import ModelInfo
from amidst.training.config import ResizeConfig

logger = logging.getLogger(__name__)


def is_checkpoint(path: Path) -> bool:
    """Whether `path` is a folder such as runs/mine/checkpoints/step-00001000."""
    return (path / "state.json").is_file() and (path / "model.safetensors").is_file()


def open_checkpoint(folder: Path) -> tuple[nn.Module, ModelInfo]:
    """The network of a checkpoint, with its averaged weights where there are any, on the CPU.

    Raises WeightsError for a damaged one.
    """
    try:
        state = json.loads((folder / "state.json").read_bytes())
        config = from_builtins(state["experiment"]["model"], ModelConfig)
        resize = from_builtins(state["experiment"]["data"]["resize"], ResizeConfig)
        tensors = load_file(folder / "model.safetensors")
        if (folder / "average.safetensors").is_file():
            tensors |= load_file(folder / "average.safetensors")
    except (OSError, ValueError, KeyError, TypeError, AmidstError, SafetensorError) as error:
        raise WeightsError(f"{folder}: not a readable checkpoint ({' '.join(str(error).split())})") from None
    model = build_model(config)
    check_state(model.state_dict(), tensors, folder)
    model.load_state_dict(tensors)
    categories = _categories(folder.resolve().parent.parent / "run.json", config.num_classes)
    return model.eval(), ModelInfo(config, categories, {"resize": to_builtins(resize)})


def _categories(about: Path, count: int) -> tuple[dict[str, Any], ...]:
    try:
        annotations = json.loads(about.read_bytes())["train_annotations"]
        found = tuple(CocoDataset.load(annotations).class_map().to_builtins())
    except (OSError, ValueError, KeyError, TypeError, AmidstError):
        found = ()
    if len(found) == count:
        return found
    logger.warning("%s does not lead to the names of the %d classes; they are numbered", about, count)
    return tuple({"id": i, "name": f"class {i}", "supercategory": ""} for i in range(1, count + 1))
