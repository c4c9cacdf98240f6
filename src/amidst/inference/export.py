"""Write a network as one ONNX file: preparation of images outside, decoding and suppression inside.

    images (B, 3, H, W) float32       normalised and padded as the metadata says (`ops.images.make_batch`)
    sizes_hw (B, 2) int64             size of each image inside the padding; not for DeepMask and SharpMask
    proposals_xyxy (B, R, 4)          Fast R-CNN alone

    detectors    boxes_xyxy (B, T, 4), scores (B, T), class_index (B, T), count (B,)
    masks        scores (B, N), logits (B, N, m, m), windows_xyxy (B, N, 4), count (B,)

B, H, W and R are free. Of T or N places the first `count` hold something, by descending score.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import torch
from torch import Tensor, nn

from amidst.inference.export_boxes import (
    ExportedFasterRCNN,
    ExportedFastRCNN,
    ExportedRetinaNet,
    ExportedRPN,
)
from amidst.inference.export_masks import ExportedDeepMask, ExportedFPNMasks
from amidst.inference.export_ops import translations
from amidst.inference.exported import OPSET, PRECISION, describe, outputs_of, write_graph
from amidst.models.build import size_divisor
from amidst.models.config import (
    DeepMaskConfig,
    FasterRCNNConfig,
    FastRCNNConfig,
    FPNMasksConfig,
    RetinaNetConfig,
    RPNConfig,
    SharpMaskConfig,
)
from amidst.models.norms import fold_norms
from amidst.models.weights import ModelInfo, text_of_info

FAMILIES: dict[type[Any], Callable[[Any], nn.Module]] = {
    RetinaNetConfig: ExportedRetinaNet,
    RPNConfig: ExportedRPN,
    FastRCNNConfig: ExportedFastRCNN,
    FasterRCNNConfig: ExportedFasterRCNN,
    FPNMasksConfig: ExportedFPNMasks,
    DeepMaskConfig: ExportedDeepMask,
    SharpMaskConfig: ExportedDeepMask,
}


class Signature(NamedTuple):
    """What goes in: example values, and which of their sizes are free."""

    inputs: dict[str, Tensor]
    free: dict[str, dict[int, Any]]


def export_model(model: nn.Module, info: ModelInfo, path: str | Path) -> None:
    """Write the network of a model file (as `load_model` gives it) to `path`, complete or not at all.

    Raises UsageError for a setting that cannot be exported.
    """
    graph = to_onnx(model, info)
    describe(graph, text_of_info(replace(info, notes=info.notes | {PRECISION: "float32"})))
    write_graph(graph, Path(path))


def exportable(model: nn.Module, info: ModelInfo) -> nn.Module:
    """The network restated for export, with norms multiplied into the weights."""
    return FAMILIES[type(info.config)](fold_norms(model).cpu()).eval().requires_grad_(False)


def to_onnx(model: nn.Module, info: ModelInfo) -> onnx.ModelProto:
    """The graph, without a description."""
    restated = exportable(model, info)
    signature = signature_of(info)
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            restated,
            tuple(signature.inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(signature.inputs),
            output_names=list(outputs_of(info.config)),
            dynamic_shapes=tuple(signature.free.values()),
            custom_translation_table=translations(),
            verbose=False,
        )
    assert program is not None
    graph: onnx.ModelProto = program.model_proto
    return graph


def signature_of(info: ModelInfo) -> Signature:
    """Example inputs of a network, and their free sizes."""
    divisor = size_divisor(info.config)
    side = max(2 * divisor, 192)
    batch, height, width = (torch.export.Dim(name) for name in ("batch", "rows", "columns"))
    inputs = {"images": torch.zeros(2, 3, side, side + divisor)}
    free: dict[str, dict[int, Any]] = {"images": {0: batch, 2: height * divisor, 3: width * divisor}}
    if not isinstance(info.config, DeepMaskConfig):  # SharpMask's is one, too
        inputs["sizes_hw"] = torch.tensor([[side, side + divisor]] * 2)
        free["sizes_hw"] = {0: batch}
    if isinstance(info.config, FastRCNNConfig):
        inputs["proposals_xyxy"] = torch.tensor([[[0.0, 0.0, 8.0, 8.0]] * 5] * 2)
        free["proposals_xyxy"] = {0: batch, 1: torch.export.Dim("proposals")}
    return Signature(inputs, free)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of its steps on stdout, by warnings and in its log."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
