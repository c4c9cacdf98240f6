"""Files that are no exported model are refused with the reason, before any runtime gets them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from amidst.errors import UsageError, WeightsError
from amidst.inference import exported
from amidst.inference.exported import (
    BOX_OUTPUTS,
    MASK_OUTPUTS,
    OPSET,
    describe,
    read_exported,
    tensors,
    write_graph,
)
from amidst.models.weights import ModelInfo, text_of_info

INPUTS = ("images", "sizes_hw")


def graph_of(
    *nodes: onnx.NodeProto,
    tensor: onnx.TensorProto | None = None,
    domain: str = "",
    inputs: Sequence[str] = INPUTS,
    outputs: Sequence[str] = BOX_OUTPUTS,
) -> onnx.ModelProto:
    """images + shift as each of what a detector gives, or these nodes."""
    shift = helper.make_tensor("shift", TensorProto.FLOAT, [1], [1.0]) if tensor is None else tensor
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("Add", ["images", "shift"], [name]) for name in outputs],
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in outputs],
        [shift],
    )
    opsets = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.fixture
def text(info: ModelInfo) -> str:
    return text_of_info(info)


def test_what_was_written_is_read(info: ModelInfo, text: str, tmp_path: Path) -> None:
    graph = graph_of()
    describe(graph, "old")
    describe(graph, text)
    write_graph(graph, tmp_path / "model.onnx")
    found = read_exported(tmp_path / "model.onnx")
    assert found.info == info
    assert (found.inputs, found.outputs) == (INPUTS, BOX_OUTPUTS)
    assert onnx.load_model_from_string(found.content) == graph


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.onnx: no such file"):
        read_exported(tmp_path / "none.onnx")


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_file(text: str, tmp_path: Path, share: float) -> None:
    graph = graph_of()
    describe(graph, text)
    content = graph.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        WeightsError, match=r"model\.onnx: (not a (readable|valid) ONNX|holds no model description)"
    ):
        read_exported(tmp_path / "model.onnx")


def test_a_file_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x80\x04pickle" * 50)
    with pytest.raises(WeightsError, match="not a readable ONNX file"):
        read_exported(tmp_path / "model.onnx")


def test_a_graph_that_amidst_did_not_write(tmp_path: Path) -> None:
    write_graph(graph_of(), tmp_path / "model.onnx")
    with pytest.raises(
        WeightsError, match="holds no model description; expected a file written by amidst export"
    ):
        read_exported(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("inputs", "outputs", "problem"),
    [
        (INPUTS, BOX_OUTPUTS[:-1], "gives boxes_xyxy, scores, class_index; expected .*, count"),
        (INPUTS, (*BOX_OUTPUTS, "more"), "gives .*, more; expected"),
        (INPUTS, MASK_OUTPUTS, "gives scores, logits, windows_xyxy, count; expected boxes_xyxy"),
        (INPUTS[:1], BOX_OUTPUTS, "takes images; expected images, sizes_hw"),
    ],
)
def test_a_graph_of_another_network(
    text: str, tmp_path: Path, inputs: Sequence[str], outputs: Sequence[str], problem: str
) -> None:
    graph = graph_of(inputs=inputs, outputs=outputs)
    describe(graph, text)
    write_graph(graph, tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match=rf"model\.onnx: the graph {problem}"):
        read_exported(tmp_path / "model.onnx")


def test_a_damaged_description(tmp_path: Path) -> None:
    graph = graph_of()
    describe(graph, '{"format": 1}')
    write_graph(graph, tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match="damaged model description"):
        read_exported(tmp_path / "model.onnx")


def outside(name: str) -> onnx.TensorProto:
    """A tensor whose values lie in the file `name`."""
    tensor = TensorProto(
        name="shift", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value=name)
    return tensor


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret", "beside.bin"])
def test_tensors_in_another_file_are_not_looked_for(text: str, tmp_path: Path, name: str) -> None:
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["there"], value=outside(name))],
        "inner",
        [],
        [helper.make_tensor_value_info("there", TensorProto.FLOAT, [1])],
    )
    branch = helper.make_node("If", ["condition"], ["scores"], then_branch=inner, else_branch=inner)
    condition = helper.make_tensor("condition", TensorProto.BOOL, [1], [True])
    for graph in (graph_of(tensor=outside(name)), graph_of(branch, tensor=condition, outputs=["scores"])):
        assert any(tensor.external_data for tensor in tensors(graph))
        describe(graph, text)
        write_graph(graph, tmp_path / "model.onnx")
        with pytest.raises(WeightsError, match=r"lies in another file|not a valid ONNX graph"):
            read_exported(tmp_path / "model.onnx")


def test_operators_of_others(text: str, tmp_path: Path) -> None:
    node = helper.make_node("Anything", ["images", "shift"], ["scores"], domain="com.stranger")
    graph = graph_of(node, domain="com.stranger", outputs=["scores"])
    describe(graph, text)
    write_graph(graph, tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match=r"wants operators of 'com\.stranger'"):
        read_exported(tmp_path / "model.onnx")


def test_a_file_that_is_too_large(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of()
    describe(graph, text)
    write_graph(graph, tmp_path / "model.onnx")
    monkeypatch.setattr(exported, "LARGEST", 100)
    with pytest.raises(WeightsError, match="bytes, more than the 100"):
        read_exported(tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match="an ONNX file at most 100"):
        write_graph(graph, tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()
