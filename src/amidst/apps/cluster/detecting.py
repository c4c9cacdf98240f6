"""Detection as a job in parts: one row a picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import torch
from torch import nn

from amidst.apps.cluster.parts import Row
from amidst.apps.cluster.places import Place, is_remote
from amidst.errors import ImageError
from amidst.inference.opening import digest, open_model
from amidst.inference.predict import predict_images, to_results
from amidst.inference.reading import Source
from amidst.models.weights import ModelInfo


@dataclass(frozen=True)
class Detecting:
    """The detections of a model on the pictures of a place."""

    model: Path  # a model file, an exported file or a checkpoint
    place: Place
    category_ids: tuple[int, ...]  # of the class indices
    device: str = "cpu"
    batch_size: int = 1
    threads: int = 1  # of each worker on a CPU
    runtime: str = "auto"  # of an exported file
    precision: str = "float32"  # a dtype of torch

    def about(self) -> dict[str, Any]:
        """What changes the result."""
        return {
            "kind": "detect",
            "model": digest(self.model),
            "runtime": self.runtime,
            "precision": self.precision,
            "categories": list(self.category_ids),
            "place": self.place.address,
        }

    def columns(self) -> Sequence[tuple[str, Any]]:
        """A row: the picture, and its detections as lists of equal length; boxes are x, y, w, h in pixels."""
        return (
            ("file_name", pa.string()),
            ("image_id", pa.int64()),
            ("height", pa.int32()),
            ("width", pa.int32()),
            ("error", pa.string()),
            ("category_ids", pa.list_(pa.int64())),
            ("scores", pa.list_(pa.float64())),
            ("boxes_xywh", pa.list_(pa.list_(pa.float64(), 4))),
        )

    def open(self) -> Detector:
        """The network, ready to predict."""
        torch.set_num_threads(self.threads)
        dtype = getattr(torch, self.precision)
        return Detector(self, *open_model(self.model, torch.device(self.device), self.runtime, dtype))


@dataclass(frozen=True)
class Detector:
    """A worker's network."""

    job: Detecting
    model: nn.Module
    info: ModelInfo

    def rows(self, items: Sequence[Row]) -> Iterator[Row]:
        """Rows in the order of `items`; remote pictures are copied a batch at a time."""
        step = self.job.batch_size if is_remote(self.job.place.address) else max(len(items), 1)
        for start in range(0, len(items), step):
            with tempfile.TemporaryDirectory(prefix="amidst-") as folder:
                yield from self._rows(items[start : start + step], Path(folder))

    def _rows(self, items: Sequence[Row], folder: Path) -> list[Row]:
        rows: dict[int, Row] = {}
        sources: list[Source] = []
        index_of: dict[Path, int] = {}
        for index, item in enumerate(items):
            try:
                own = folder
                if is_remote(self.job.place.address):  # copies have the same name
                    own = folder / str(index)
                    own.mkdir()
                path = self.job.place.fetch(item["name"], own)
            except (FileNotFoundError, ImageError) as error:
                rows[index] = _row(item, error=str(error) or "no such file")
                continue
            size = (item["height"], item["width"]) if item.get("height") else None
            sources.append(Source(path, size, index))
            index_of[path] = index

        def failing(path: Path, error: ImageError) -> None:
            rows[index_of[path]] = _row(items[index_of[path]], error=error.problem)

        # No thread of its own for reading: a worker is promised one core.
        batch = self.job.batch_size
        for prediction in predict_images(
            self.model, self.info, sources, batch_size=batch, workers=0, on_error=failing
        ):
            place = index_of[prediction.path]
            rows[place] = self._found(items[place], prediction)
        return [rows[index] for index in range(len(items))]

    def _found(self, item: Row, prediction: Any) -> Row:
        ids = self.job.category_ids
        results = to_results(prediction, torch.tensor(ids).numpy())
        assert results.boxes_xywh is not None
        height, width = prediction.size_hw
        return _row(
            item,
            height=height,
            width=width,
            category_ids=results.category_ids.tolist(),
            scores=results.scores.tolist(),
            boxes_xywh=results.boxes_xywh.tolist(),
        )


def _row(item: Row, **values: Any) -> Row:
    empty = {
        "file_name": item["name"],
        "image_id": item.get("image_id"),
        "height": None,
        "width": None,
        "error": None,
        "category_ids": [],
        "scores": [],
        "boxes_xywh": [],
    }
    return empty | values
