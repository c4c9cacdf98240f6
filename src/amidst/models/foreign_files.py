"""Checkpoints from elsewhere: from a file that nobody vouches for to named tensors, without running anything.

    .pth, .pt, .ckpt torch.load(weights_only=True); zip entries must be stored, not compressed
    .pkl             a pickle of numpy arrays (detectron2), by an unpickler that knows nothing else
    .safetensors     as it is

Around the state dict there may be a dict of further entries ("model", "state_dict"): those that are plain are
kept as facts, optimisers and the like are not looked at.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from amidst.errors import UsageError, WeightsError

MAX_BYTES = 2 << 30  # of a file and of its tensors; a ResNet-101 detector with its optimiser has half a GiB
WRAPPERS = ("state_dict", "model", "model_state_dict")
PARALLEL = "module."  # what torch's data-parallel wrappers put before each name

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors, on the CPU, and what else the file says in plain values."""

    tensors: Tensors
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_checkpoint(path: str | Path, max_bytes: int = MAX_BYTES) -> Checkpoint:
    """The tensors of a checkpoint file.

    Raises UsageError for a file that is not there or of another kind, WeightsError for one that is damaged,
    too large, or holds more than plain values, arrays and tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such weight file")
    size = path.stat().st_size
    if size > max_bytes:
        raise WeightsError(f"{path}: {size:,} bytes; expected at most {max_bytes:,}")
    readers = {
        ".pth": _read_torch,
        ".pt": _read_torch,
        ".ckpt": _read_torch,
        ".pkl": _read_pickle,
        ".safetensors": _read_safetensors,
    }
    if path.suffix not in readers:
        raise UsageError(f"{path}: expected a {', '.join(readers)} file")
    content = readers[path.suffix](path)
    state, facts = _unwrap(path, content)
    if not state:
        raise WeightsError(f"{path}: holds no tensors")
    claimed = sum(_bytes(value) for value in state.values())  # one array may stand under many names
    if claimed > max_bytes:
        raise WeightsError(f"{path}: tensors of {claimed:,} bytes; expected at most {max_bytes:,}")
    tensors = {str(name): _tensor(path, str(name), value) for name, value in state.items()}
    if all(name.startswith(PARALLEL) for name in tensors):
        tensors = {name.removeprefix(PARALLEL): tensor for name, tensor in tensors.items()}
    return Checkpoint(tensors, facts)


def _read_torch(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise WeightsError(f"{path}: refused: compressed entries, which torch.save never writes")
    try:
        with warnings.catch_warnings(action="ignore"):  # about pickles that it may not understand
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: refused: it holds more than tensors and plain values, or is damaged "
            f"({_reason(error)}); nothing was executed. Save the state dict alone: "
            'torch.save({"state_dict": model.state_dict()}, file)'
        ) from None
    except Exception as error:  # whatever a damaged file makes the reader stumble over
        raise WeightsError(f"{path}: not a readable torch file ({_one_line(error)})") from None


def _read_safetensors(path: Path) -> Tensors:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({_one_line(error)})") from None


def _read_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            _check_memo(file)
            file.seek(0)
            return _ArraysOnly(file, encoding="latin1").load()
    except WeightsError as error:
        raise WeightsError(f"{path}: refused: {error}; nothing was executed") from None
    except Exception as error:  # whatever a damaged file makes the reader stumble over
        raise WeightsError(f"{path}: not a readable pickle of arrays ({_one_line(error)})") from None


def _check_memo(file: BinaryIO) -> None:
    """Raises WeightsError where a value gets a number that a writer never gives: memory is taken up to it."""
    for done, (code, number, _) in enumerate(pickletools.genops(file)):
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(number or 0) > done + 1:
            raise WeightsError(f"it numbers a value {number}, after {done} steps")


class _NoArray:
    """What stands for numpy.ndarray: a name that the makers of arrays know, and nobody can call."""

    __slots__ = ()

    def __call__(self, *_: object) -> None:
        raise WeightsError("it makes an array out of nothing, of any size")


NDARRAY = _NoArray()


def _reconstruct(kind: object, shape: object, _code: object) -> Any:
    """How pickles begin an array: empty, to be filled from the file."""
    if kind is not NDARRAY or shape != (0,):
        raise WeightsError(f"it begins an array with shape {shape!r:.40}, and arrays begin empty")
    return np.empty(0, np.int8)  # the type, too, comes with the content


def _latin1(text: str, encoding: str) -> bytes:
    """How old pickles spell bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise WeightsError(f"it encodes text as {encoding}")
    return text.encode("latin1")


def _from_buffer(buffer: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any) -> Any:
    """How pickles of protocol 5 spell arrays."""
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that can make numpy arrays and plain containers."""

    known: Mapping[tuple[str, str], Any] = {
        ("numpy", "ndarray"): NDARRAY,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy.core.numeric", "_frombuffer"): _from_buffer,
        ("numpy._core.numeric", "_frombuffer"): _from_buffer,
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): _latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        """One of `known`, or WeightsError."""
        if (module, name) not in self.known:
            raise WeightsError(f"it asks for {module}.{name}, and weights are numpy arrays alone")
        return self.known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Nothing lies outside the file."""
        raise WeightsError(f"it refers to {pid!r} outside the file")


def _unwrap(path: Path, content: Any) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """The state dict, and the plain entries around it."""
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: expected names and tensors, found {type(content).__name__}")
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            facts = {str(k): v for k, v in content.items() if k != wrapper and not isinstance(v, Tensor)}
            return content[wrapper], facts
    return content, {}


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    return value.nbytes if isinstance(value, np.ndarray) else 0


def _tensor(path: Path, name: str, value: Any) -> Tensor:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        value = torch.from_numpy(np.array(value))  # writable, native
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
        raise WeightsError(f"{path}: {name}: expected a dense tensor, found {type(value).__name__}")
    return value.detach()


def _reason(error: Exception) -> str:
    """What torch says it met, without its advice to trust the file."""
    text = str(error)
    if named := re.search(r"GLOBAL (\w+(?:\.\w+)+)", text):
        return f"it asks for {named[1]}"
    _, found, rest = text.partition("WeightsUnpickler error: ")
    said = " ".join((rest if found else text).split())
    return said.partition(" Check the documentation")[0][:160]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
