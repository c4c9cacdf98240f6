"""Learnt shapes as a file: an .npz archive of maps, with their description as JSON. Nothing in it can
execute.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.coco.files import write_atomically
from amidst.curation.resampling import Floats
from amidst.curation.shape_masks import Component, ShapeMasks
from amidst.errors import DataError, UsageError

FORMAT = "amidst shape masks 1"


class _Component(msgspec.Struct, frozen=True):
    low: float
    count: int
    mirrored_share: float
    threshold: float


class _Category(msgspec.Struct, frozen=True):
    id: int
    name: str
    components: list[_Component]


class _File(msgspec.Struct, frozen=True):
    format: str
    categories: list[_Category]


def save_shapes(shapes: ShapeMasks, path: str | Path) -> None:
    """Writes the file by atomic rename; `load_shapes` gives back equal shapes."""
    description = _File(
        FORMAT,
        [
            _Category(
                category_id,
                shapes.names.get(category_id, ""),
                [_Component(c.low, c.count, c.mirrored_share, c.threshold) for c in components],
            )
            for category_id, components in shapes.components.items()
        ],
    )
    arrays: dict[str, Any] = {"description": np.frombuffer(msgspec.json.encode(description), np.uint8)}
    arrays |= {
        f"map_{category_id}_{n}": component.probability
        for category_id, components in shapes.components.items()
        for n, component in enumerate(components)
    }
    stream = BytesIO()
    np.savez_compressed(stream, **arrays)
    write_atomically(path, stream.getvalue())


def load_shapes(path: str | Path) -> ShapeMasks:
    """Inverse of `save_shapes`. Raises UsageError if there is no such file, DataError if it is none of
    ours.
    """
    file = Path(path)
    try:
        with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as archive:
            description = msgspec.json.decode(archive["description"].tobytes(), type=_File)
            if description.format != FORMAT:
                raise ValueError(f"its format is {description.format!r}, expected {FORMAT!r}")
            components = {
                category.id: tuple(
                    Component(
                        c.low,
                        _map(archive[f"map_{category.id}_{n}"]),
                        c.count,
                        c.mirrored_share,
                        c.threshold,
                    )
                    for n, c in enumerate(category.components)
                )
                for category in description.categories
            }
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise DataError(f"not a file of shape masks: {error}", file=file, rule="shape-masks") from None
    return ShapeMasks(components, {category.id: category.name for category in description.categories})


def _map(values: npt.NDArray[Any]) -> Floats:
    if values.ndim != 2 or not values.size or values.dtype != np.float32:
        raise ValueError(f"a map is (h, w) float32, found {values.dtype} {values.shape}")
    return values
