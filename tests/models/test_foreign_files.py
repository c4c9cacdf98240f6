"""Files from strangers: read where they hold tensors, else refused with the reason; nothing ever runs."""

from __future__ import annotations

import os
import pickle
import tracemalloc
import zipfile
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy._core import multiarray
from safetensors.torch import save_file

from amidst.errors import UsageError, WeightsError
from amidst.models.foreign_files import read_checkpoint

SHARED = np.zeros(1 << 18, np.float32)  # 1 MiB
STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.count": torch.tensor(3)}


class Opens:
    """Unpickled by a trusting reader, it creates a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("name", ["empty.pth", "empty.pkl", "empty.safetensors"])
def test_empty_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(WeightsError, match="not a readable"):
        read_checkpoint(tmp_path / name)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="holds no tensors"):
        read_checkpoint(tmp_path / "none.pth")


def test_what_is_no_file_or_of_another_kind_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such weight file"):
        read_checkpoint(tmp_path / "nowhere.pth")
    (tmp_path / "weights.txt").write_text("1")
    with pytest.raises(UsageError, match=r"expected a \.pth, \.pt, \.ckpt, \.pkl, \.safetensors file"):
        read_checkpoint(tmp_path / "weights.txt")


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("old", [False, True])
def test_torch_files_are_read_wrapped_or_not(tmp_path: Path, wrapper: str | None, old: bool) -> None:
    content = OrderedDict(STATE) if wrapper is None else {wrapper: STATE, "meta": {"epoch": 3}, "step": 4}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=not old)
    (tmp_path / "w.ckpt").write_bytes((tmp_path / "w.pth").read_bytes())
    assert same(read_checkpoint(tmp_path / "w.ckpt").tensors)
    found = read_checkpoint(tmp_path / "w.pth")
    assert same(found.tensors)
    assert found.facts == ({} if wrapper is None else {"meta": {"epoch": 3}, "step": 4})


def test_names_of_parallel_training_are_stripped(tmp_path: Path) -> None:
    torch.save({f"module.{name}": tensor for name, tensor in STATE.items()}, tmp_path / "w.pth")
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)
    save_file(STATE, tmp_path / "w.safetensors")
    assert same(read_checkpoint(tmp_path / "w.safetensors").tensors)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_of_arrays_are_read(tmp_path: Path, protocol: int) -> None:
    arrays = {name: tensor.numpy() for name, tensor in STATE.items()}
    arrays["a.weight"] = np.asfortranarray(arrays["a.weight"])
    content = {"model": arrays, "__author__": "Detectron2 Model Zoo", "matching_heuristics": True}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(content, protocol))
    found = read_checkpoint(tmp_path / "w.pkl")
    assert same(found.tensors)
    assert found.facts["__author__"] == "Detectron2 Model Zoo"


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("suffix", [".pkl", ".pth"])
def test_code_in_a_file_is_refused_and_does_not_run(tmp_path: Path, suffix: str, protocol: int) -> None:
    victim = tmp_path / "victim"
    content = {"model": dict(STATE), "hook": Opens(victim)}
    path = tmp_path / f"evil{suffix}"
    if suffix == ".pth":
        torch.save(content, path, pickle_protocol=max(protocol, 2))
    else:
        arrays = {name: tensor.numpy() for name, tensor in STATE.items()}
        path.write_bytes(pickle.dumps({"model": arrays, "hook": Opens(victim)}, protocol))
    unread = suffix == ".pth" and protocol > 2  # torch's reader stops before it comes to a name
    reason = "" if unread else r"it asks for posix\.mkdir.*"
    with pytest.raises(WeightsError, match=rf"refused: .*{reason}nothing was executed"):
        read_checkpoint(path)
    assert not victim.exists()
    if suffix == ".pkl":
        pickle.loads(path.read_bytes())  # the file is what it says: a trusting reader falls for it
        assert victim.exists()


def test_a_training_checkpoint_with_objects_says_what_to_do(tmp_path: Path) -> None:
    torch.save({"model": STATE, "args": Namespace(lr=0.1)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"argparse\.Namespace.*Save the state dict alone"):
        read_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize("code", ["numpy\nload\n", "numpy\nmemmap\n", "builtins\neval\n", "posix\nsystem\n"])
def test_nothing_but_arrays_is_known_to_the_pickle_reader(tmp_path: Path, code: str) -> None:
    (tmp_path / "w.pkl").write_bytes(b"c" + code.encode() + b"(Vx\ntR.")
    with pytest.raises(WeightsError, match="it asks for"):
        read_checkpoint(tmp_path / "w.pkl")


def test_bytes_outside_the_file_and_text_as_code_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(b"Pfile:///etc/passwd\n.")
    with pytest.raises(WeightsError, match="refers to"):
        read_checkpoint(tmp_path / "w.pkl")
    (tmp_path / "w.pkl").write_bytes(b"c_codecs\nencode\n(Vx\nVzip\ntR.")
    with pytest.raises(WeightsError, match="encodes text as zip"):
        read_checkpoint(tmp_path / "w.pkl")


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    content = {"a": np.array([{"x": 1}], dtype=object)}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsError, match="a: expected a dense tensor, found ndarray"):
        read_checkpoint(tmp_path / "w.pkl")


@pytest.mark.parametrize("suffix", [".pth", ".pkl", ".safetensors"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"w{suffix}"
    tensors = {"a": torch.randn(100, 10)}
    if suffix == ".pth":
        torch.save(tensors, path)
    elif suffix == ".pkl":
        path.write_bytes(pickle.dumps({"a": tensors["a"].numpy()}))
    else:
        save_file(tensors, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(WeightsError, match=r"not a readable|damaged"):
        read_checkpoint(path)


def test_what_is_not_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="expected names and tensors, found list"):
        read_checkpoint(tmp_path / "w.pth")
    torch.save({"a": torch.zeros(1), "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="epoch: expected a dense tensor, found int"):
        read_checkpoint(tmp_path / "w.pth")


def test_oversized_files_and_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="expected at most 1,000"):
        read_checkpoint(tmp_path / "w.pth", max_bytes=1000)
    torch.save({"a": torch.zeros(1).expand(1 << 30)}, tmp_path / "w.pth")  # a few bytes that claim 4 GiB
    with pytest.raises(WeightsError, match="tensors of 4,294,967,296 bytes"):
        read_checkpoint(tmp_path / "w.pth")


class Array:
    """Unpickled, it is an array of 1 GiB that the file does not hold."""

    def __init__(self, make: Any, *arguments: Any) -> None:
        self.made = make, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.made


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (pickle.dumps({"a": Array(np.ndarray, (1 << 27,), "f8")}), "makes an array out of nothing"),
        (
            pickle.dumps({"a": Array(multiarray._reconstruct, np.ndarray, (1 << 27,), "f8")}),
            r"begins an array with shape \(134217728,\)",
        ),
        (pickle.dumps({f"a{i}": SHARED for i in range(1 << 10)}), "tensors of 1,073,741,824 bytes"),
        (b"}r" + (1 << 24).to_bytes(4, "little") + b".", "it numbers a value 16777216"),
    ],
    ids=["called", "reconstructed", "shared", "numbered"],
)
def test_a_small_pickle_takes_little_memory(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "w.pkl").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=problem):
            read_checkpoint(tmp_path / "w.pkl", max_bytes=1 << 29)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_compressed_entries_are_refused(tmp_path: Path) -> None:
    """A few kilobytes could unfold to any size."""
    torch.save({"a": torch.zeros(1 << 20)}, tmp_path / "w.pth")
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as archive,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in archive.namelist():
            bomb.writestr(entry, archive.read(entry))
    with pytest.raises(WeightsError, match="compressed entries"):
        read_checkpoint(tmp_path / "bomb.pth")
