"""Eight-bit integers in an exported graph: convolutions and fully connected layers, where the time goes.

    weights       int8, a scale for each output channel, symmetric
    activations   uint8, a scale and zero point for each map, from the range seen on calibration images
    float32       the last layers of the heads, whose numbers are the answer; depthwise convolutions, which
                  gain nothing and lose most; all of the decoding

What a layer gives is rounded too, for ONNX Runtime has integer kernels for layers between two roundings
alone. OpenVINO has others: with `whole_outputs` the output of a layer is rounded only where the next one
reads it, so the sums of residual blocks and of the pyramid stay whole. That loses less and is faster there,
and is slower in ONNX Runtime.

The graph stays ONNX: a pair of QuantizeLinear and DequantizeLinear around what is rounded, which runtimes
turn into integer kernels. Processors without integer instructions run it, but no faster.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from amidst.inference.exported import PRECISION, describe, read_exported, write_graph
from amidst.inference.predict import resize_rule
from amidst.inference.reading import Source, Unreadable, prepare, read_ahead
from amidst.models.build import size_divisor
from amidst.models.config import DeepMaskConfig
from amidst.models.weights import ModelInfo, text_of_info
from amidst.ops.images import make_batch

Arrays = dict[str, npt.NDArray[Any]]

QUANTISED = ["Conv", "Gemm"]
# Parts of the names of weights whose layers stay in float32.
SENSITIVE = (
    "class_subnet.predict.",
    "box_subnet.predict.",
    ".objectness.",
    ".codes.",
    ".class_logits.",
    ".box_codes.",
    ".score.",
    ".mask.",
    ".coarse.",
    "refine.out.",
)


class _Reader(CalibrationDataReader):  # type: ignore[misc] # untyped library
    def __init__(self, batches: Iterator[Arrays]) -> None:
        self._batches = batches

    def get_next(self) -> Arrays | None:
        return next(self._batches, None)


def quantise(
    graph: onnx.ModelProto, batches: Iterator[Arrays], whole_outputs: bool = False
) -> onnx.ModelProto:
    """The graph with what can be in 8 bits, by the ranges that the inputs `batches` give."""
    unrounded = {"OpTypesToExcludeOutputQuantization": QUANTISED} if whole_outputs else {}
    with tempfile.TemporaryDirectory(prefix="amidst-int8-") as folder, _without_advice():
        target = Path(folder) / "int8.onnx"
        quantize_static(
            graph,
            str(target),
            _Reader(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sensitive_nodes(graph),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"QuantizeBias": False} | unrounded,
        )
        return onnx.load(target)


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """The library recommends steps that the exporter has done already, in the log of the whole process."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def sensitive_nodes(graph: onnx.ModelProto) -> list[str]:
    """Names of the layers that stay in float32."""
    return [
        node.name
        for node in graph.graph.node
        if node.op_type in QUANTISED and (_by_name(node) or _grouped(node))
    ]


def _by_name(node: onnx.NodeProto) -> bool:
    return any(part in name for name in node.input for part in SENSITIVE)


def _grouped(node: onnx.NodeProto) -> bool:
    return any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)


def quantise_file(
    source: Path,
    target: Path,
    images: Sequence[Source],
    progress: Callable[[int], None] | None = None,
    *,
    whole_outputs: bool = False,
) -> None:
    """Write the exported file `source` in eight bits to `target`, with the ranges of `images`.

    Raises ImageError for an image that cannot be read.
    """
    exported = read_exported(source)
    graph = onnx.load_model_from_string(exported.content)
    quantised = quantise(graph, _batches(exported.info, images, progress), whole_outputs)
    notes = exported.info.notes | {PRECISION: "int8"}
    describe(quantised, text_of_info(replace(exported.info, notes=notes)))
    write_graph(quantised, target)


def _batches(
    info: ModelInfo, images: Sequence[Source], progress: Callable[[int], None] | None
) -> Iterator[Arrays]:
    """Inputs of the graph, one image at a time."""
    pixels = info.config.pixels
    read = partial(prepare, rule=resize_rule(info), device=torch.device("cpu"), pixels=pixels)
    for number, item in enumerate(read_ahead(images, read, workers=1, ahead=2), start=1):
        if isinstance(item, Unreadable):
            raise item.error
        batch = make_batch(
            [item.image],
            order=pixels.order,
            scale=pixels.scale,
            mean=pixels.mean,
            std=pixels.std,
            divisor=size_divisor(info.config),
        )
        inputs = {"images": batch.pixels.contiguous().numpy()}
        if not isinstance(info.config, DeepMaskConfig):
            inputs["sizes_hw"] = np.array(batch.sizes_hw, dtype=np.int64)
        yield inputs
        if progress is not None:
            progress(number)
