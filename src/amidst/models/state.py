"""State dicts: does a set of named tensors fit a network, and if not, what is different."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from amidst.errors import WeightsError

SHOWN = 3  # names listed of each kind of mismatch


def check_state(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], source: str | Path) -> None:
    """Raises WeightsError unless names and shapes are the same, naming the first few differences."""
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    shapes = [
        f"{name} expected {_shape(tensor)}, found {_shape(found[name])}"
        for name, tensor in expected.items()
        if name in found and tensor.shape != found[name].shape
    ]
    problems = [
        _listing("missing", missing),
        _listing("unexpected", unexpected),
        _listing("of another shape", shapes),
    ]
    if any(problems):
        listed = "; ".join(problem for problem in problems if problem)
        raise WeightsError(f"{source}: does not fit the network ({len(expected)} tensors): {listed}")


def _listing(kind: str, names: Iterable[str]) -> str:
    names = list(names)
    if not names:
        return ""
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {kind}: {', '.join(names[:SHOWN])}{more}"


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a scalar"
