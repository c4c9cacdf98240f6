from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from amidst.errors import UsageError
from amidst.inference.opening import digest, located, open_model
from amidst.models.weights import ModelInfo, builtin_models, resolve_model, save_model

CPU = torch.device("cpu")


@pytest.fixture
def file(network: nn.Module, info: ModelInfo, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_model(path, network.state_dict(), info)
    return path


def test_no_model_is_an_error(tmp_path: Path) -> None:
    for name in ("", "nothing", tmp_path / "nothing.onnx", tmp_path):
        with pytest.raises(UsageError):
            open_model(name, CPU)


def test_a_model_is_known_by_its_weights(file: Path, info: ModelInfo, tmp_path: Path) -> None:
    copy = shutil.copy(file, tmp_path / "copy.safetensors")
    assert digest(copy) == digest(file)
    network, opened = open_model(file, CPU)
    assert opened == info
    assert not network.training
    changed = {name: value + 1 for name, value in torch.nn.Conv2d(1, 1, 1).state_dict().items()}
    save_model(copy, changed, info)
    assert digest(copy) != digest(file)


def test_all_files_of_a_checkpoint_count(tmp_path: Path) -> None:
    seen = set()
    for name in ("state.json", "model.safetensors", "average.safetensors"):
        (tmp_path / name).write_bytes(b"content")
        seen.add(digest(tmp_path))
    assert len(seen) == 3
    (tmp_path / "optimizer.safetensors").write_bytes(b"of no weight")
    assert digest(tmp_path) in seen


def test_where_a_model_lies(file: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "step-1"
    checkpoint.mkdir()
    for name in ("state.json", "model.safetensors"):
        (checkpoint / name).touch()
    assert [located(path) for path in (file, checkpoint, "any.onnx")] == [file, checkpoint, Path("any.onnx")]
    for name in builtin_models():
        assert located(name) == resolve_model(name)


def test_what_a_network_is_not_computed_by(file: Path) -> None:
    with pytest.raises(UsageError, match="runs in torch"):
        open_model(file, CPU, "openvino")
    with pytest.raises(UsageError, match="computed as it was exported"):
        open_model("any.onnx", CPU, dtype=torch.bfloat16)
