"""Exported models: one ONNX file that predicts on its own, as a model file does.

The metadata entry "amidst" holds what a model file holds (configuration with the pixel preparation,
categories, notes); the graph takes normalised images and gives detections or mask proposals. A file is looked
at before any runtime gets it: it must be whole, written by amidst, and contain all its tensors, so that no
path in it can lead out of it, and no operators but ONNX's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

from amidst.coco.files import write_atomically
from amidst.errors import UsageError, WeightsError
from amidst.models.config import DeepMaskConfig, FastRCNNConfig, MaskConfig, ModelConfig
from amidst.models.weights import METADATA_KEY, ModelInfo, info_from_text

OPSET = 18  # of every exported file
LARGEST = (1 << 31) - 1  # bytes: what the format allows for
DOMAINS = frozenset({"", "ai.onnx"})
BOX_OUTPUTS = ("boxes_xyxy", "scores", "class_index", "count")
MASK_OUTPUTS = ("scores", "logits", "windows_xyxy", "count")
PRECISION = "precision"  # key of the notes: "float32" or "int8"


@dataclass(frozen=True)
class Exported:
    """A checked file: its bytes, which the runtime gets, and what it says about itself."""

    path: Path
    content: bytes
    info: ModelInfo
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_exported(path: str | Path) -> Exported:
    """The file at `path`, checked.

    Raises UsageError where there is none and WeightsError for one that is damaged, too large, not written by
    amidst, does not take and give what the network it describes does, or refers to data or operators outside.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    size = path.stat().st_size
    if size > LARGEST:
        raise WeightsError(f"{path}: {size} bytes, more than the {LARGEST} that an ONNX file can have")
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # the parser's own, one class for each implementation of the format
        raise WeightsError(f"{path}: not a readable ONNX file ({type(error).__name__}); damaged?") from None
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in texts:
        raise WeightsError(
            f"{path}: holds no model description; expected a file written by amidst export (other "
            "families' weights: amidst weights convert)"
        )
    _check_graph(model, path)
    info = info_from_text(texts[METADATA_KEY], path)
    names = ([value.name for value in values] for values in (model.graph.input, model.graph.output))
    inputs, outputs = names
    for kind, found, expected in (
        ("takes", inputs, inputs_of(info.config)),
        ("gives", outputs, outputs_of(info.config)),
    ):
        if sorted(found) != sorted(expected):
            raise WeightsError(
                f"{path}: the graph {kind} {', '.join(found) or 'nothing'}; expected {', '.join(expected)}"
            )
    return Exported(path, content, info, tuple(inputs), tuple(outputs))


def inputs_of(config: ModelConfig) -> tuple[str, ...]:
    """Names of what goes into the graph of a network (`amidst.inference.export`)."""
    if isinstance(config, DeepMaskConfig):  # SharpMask's is one, too
        return ("images",)
    return ("images", "sizes_hw", *(["proposals_xyxy"] if isinstance(config, FastRCNNConfig) else []))


def outputs_of(config: ModelConfig) -> tuple[str, ...]:
    """Names of what comes out."""
    return MASK_OUTPUTS if isinstance(config, MaskConfig) else BOX_OUTPUTS


def _check_graph(model: onnx.ModelProto, path: Path) -> None:
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise WeightsError(f"{path}: not a valid ONNX graph ({str(error).splitlines()[0][:200]})") from None
    for domain in {entry.domain for entry in model.opset_import} - DOMAINS:
        raise WeightsError(f"{path}: wants operators of {domain!r}, which are no part of ONNX")
    for tensor in tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise WeightsError(
                f"{path}: tensor {tensor.name!r} lies in another file; expected one file with all its "
                "tensors, as amidst export writes"
            )


def tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors of a file, also those within operators and functions."""
    yield from _tensors(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _tensors_of_node(node)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _tensors_of_node(node)


def _tensors_of_node(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (*attribute.sparse_tensors, attribute.sparse_tensor):
            yield from (sparse.values, sparse.indices)
        for graph in (*attribute.graphs, attribute.g):
            yield from _tensors(graph)


def describe(model: onnx.ModelProto, text: str) -> None:
    """Write the model description into a graph."""
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend([*kept, onnx.StringStringEntryProto(key=METADATA_KEY, value=text)])


def write_graph(graph: onnx.ModelProto, path: Path) -> None:
    """The graph as a file. Raises WeightsError for one that is larger than the format allows for."""
    if graph.ByteSize() > LARGEST:
        raise WeightsError(
            f"{path}: the network has {graph.ByteSize()} bytes, an ONNX file at most {LARGEST}"
        )
    write_atomically(path, graph.SerializeToString())
