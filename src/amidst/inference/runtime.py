"""Run exported models: `open_exported` gives what `load_model` gives, so that all else works the same.

    onnxruntime    extra "export"; the default
    openvino       extra "openvino"; faster where all images are of a few sizes, for it compiles for each anew

The images that go in are prepared as for the network in torch, by the same code; what comes out has the same
form. Networks that take whole images (DeepMask, SharpMask) get them one at a time.

Shapes: B images, T places for detections, N for proposals, R for regions.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from amidst.errors import MissingExtra, UsageError, WeightsError
from amidst.inference.exported import Exported, read_exported
from amidst.models.config import DeepMaskConfig, FastRCNNConfig, MaskConfig
from amidst.models.fast_rcnn import within
from amidst.models.structures import Detections, MaskProposals
from amidst.models.weights import ModelInfo
from amidst.ops.images import ImageBatch

Arrays = dict[str, npt.NDArray[Any]]
Engine = Callable[[Arrays], Arrays]

AUTO = "auto"
ENGINES = {  # name -> module, class, extra
    "onnxruntime": ("amidst.inference.runtime_ort", "OnnxRuntime", "export"),
    "openvino": ("amidst.inference.runtime_openvino", "OpenVino", "openvino"),
}


class ExportedModel(nn.Module):
    """`model(images)` gives detections or mask proposals, as the network does that was exported."""

    def __init__(self, info: ModelInfo, engine: Engine) -> None:
        super().__init__()
        self.config, self.engine = info.config, engine

    def forward(self, images: ImageBatch) -> list[Detections] | list[MaskProposals]:
        """What is in each image. Raises UsageError for a Fast R-CNN without proposals and
        WeightsError for a class that it does not have.
        """
        if not images.sizes_hw:
            return []
        if isinstance(self.config, DeepMaskConfig):
            return [
                _masks(self.engine({"images": _array(pixels[None, :, :height, :width])}), 0)
                for pixels, (height, width) in zip(images.pixels, images.sizes_hw, strict=True)
            ]
        inputs: Arrays = {"images": _array(images.pixels), "sizes_hw": np.array(images.sizes_hw, np.int64)}
        if isinstance(self.config, FastRCNNConfig):
            inputs["proposals_xyxy"] = _proposals(images, self.config.roi.decode.proposals)
        outputs = self.engine(inputs)
        if isinstance(self.config, MaskConfig):
            return [_masks(outputs, index) for index in range(len(images.sizes_hw))]
        found = [_detections(outputs, index) for index in range(len(images.sizes_hw))]
        for detections in found:
            _check_classes(detections.class_index, self.config.num_classes)
        return found


def open_exported(
    path: str | Path, runtime: str = AUTO, threads: int | None = None
) -> tuple[ExportedModel, ModelInfo]:
    """The model of an exported file, ready to predict on the CPU, and the file's description.

    Raises MissingExtra where the runtime is not installed, and what `read_exported` raises.
    """
    exported = read_exported(path)
    return ExportedModel(exported.info, engine_for(exported, runtime, threads)), exported.info


def engine_for(exported: Exported, runtime: str = AUTO, threads: int | None = None) -> Engine:
    """The runtime with the graph loaded; by default with as many threads as torch has."""
    return engine_class(runtime, exported.info)(exported, threads or torch.get_num_threads())


def engine_class(runtime: str, info: ModelInfo) -> Callable[[Exported, int], Engine]:
    """What makes the runtime of that name. Raises MissingExtra where it is not installed, and what
    `chosen_runtime` raises.
    """
    name = chosen_runtime(runtime, info)
    module_name, class_name, extra = ENGINES[name]
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise MissingExtra(name, extra) from error
    found: Callable[[Exported, int], Engine] = getattr(module, class_name)
    return found


def check_runtime(runtime: str) -> None:
    """Raises UsageError for an unknown name."""
    if runtime not in {AUTO, *ENGINES}:
        raise UsageError(f"--runtime {runtime}: expected {', '.join([AUTO, *ENGINES])}")


def chosen_runtime(runtime: str, info: ModelInfo) -> str:
    """The runtime of that name; "auto" is ONNX Runtime, which takes images of any size at full speed.

    Raises UsageError for an unknown name, or one that cannot run the model.
    """
    check_runtime(runtime)
    if runtime == "openvino" and isinstance(info.config, DeepMaskConfig):  # SharpMask's is one, too
        raise UsageError("--runtime openvino: it shrinks images in another way than DeepMask learnt from")
    return "onnxruntime" if runtime == AUTO else runtime


def _array(pixels: Tensor) -> npt.NDArray[np.float32]:
    return pixels.contiguous().numpy()


def _proposals(images: ImageBatch, most: int) -> npt.NDArray[np.float32]:
    """Proposals of each image (B, R, 4), filled up with boxes without area."""
    if images.proposals_xyxy is None:
        raise UsageError("Fast R-CNN judges proposals from elsewhere: this network needs proposals")
    kept = [
        within(boxes, size_hw)[:most]
        for boxes, size_hw in zip(images.proposals_xyxy, images.sizes_hw, strict=True)
    ]
    filled = np.zeros((len(kept), max(1, *map(len, kept)), 4), dtype=np.float32)
    for row, boxes in zip(filled, kept, strict=True):
        row[: len(boxes)] = boxes.numpy()
    return filled


def _detections(outputs: Arrays, index: int) -> Detections:
    count = int(outputs["count"][index])
    names = ("boxes_xyxy", "scores", "class_index")
    boxes, scores, class_index = (torch.from_numpy(outputs[name][index][:count]) for name in names)
    return Detections(boxes, scores, class_index)


def _check_classes(class_index: Tensor, number: int) -> None:
    """Raises WeightsError for a class that the description does not name."""
    strange = class_index[(class_index < 0) | (class_index >= number)]
    if len(strange):
        raise WeightsError(f"the exported network finds class {strange[0]}; expected 0..{number - 1}")


def _masks(outputs: Arrays, index: int) -> MaskProposals:
    count = int(outputs["count"][index])
    names = ("scores", "logits", "windows_xyxy")
    scores, logits, windows = (torch.from_numpy(outputs[name][index][:count]) for name in names)
    return MaskProposals(scores, logits, windows)
