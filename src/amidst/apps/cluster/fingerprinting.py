"""Fingerprints of pictures as a job in parts. Needs no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from amidst.apps.cluster.parts import Row
from amidst.apps.cluster.places import Place
from amidst.coco.images import read_image
from amidst.curation.fingerprints import fingerprint
from amidst.errors import ImageError


@dataclass(frozen=True)
class Fingerprinting:
    """The fingerprints of the pictures of a place."""

    place: Place
    device: str = "cpu"

    def about(self) -> dict[str, Any]:
        """What changes the result."""
        return {"kind": "fingerprint", "place": self.place.address}

    def columns(self) -> Sequence[tuple[str, Any]]:
        """A row: the picture, and the bytes of its record."""
        return (("file_name", pa.string()), ("error", pa.string()), ("record", pa.binary()))

    def open(self) -> Fingerprinting:
        """Nothing has to be opened."""
        return self

    def rows(self, items: Sequence[Row]) -> Iterator[Row]:
        """Rows in the order of `items`."""
        with tempfile.TemporaryDirectory(prefix="amidst-") as folder:
            for item in items:
                yield self._row(item["name"], Path(folder))

    def _row(self, name: str, folder: Path) -> Row:
        try:
            file = self.place.fetch(name, folder)
            record = fingerprint(file.read_bytes(), read_image(file)).tobytes()
        except ImageError as error:
            return {"file_name": name, "error": error.problem, "record": None}
        except FileNotFoundError:
            return {"file_name": name, "error": "no such file", "record": None}
        return {"file_name": name, "error": None, "record": record}
