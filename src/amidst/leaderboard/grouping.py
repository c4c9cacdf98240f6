"""The records of a submission brought together by image, on disk, so that a scorer holds one group at a time.

Images go in ascending order of id into groups of `IMAGES`. An image holds at most `max_per_image` records, so
a group fits into memory whatever the submission. Records of images that the phase does not score are left
out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from amidst.coco import masks
from amidst.coco.proposals import AGNOSTIC_ID
from amidst.coco.records import Box
from amidst.coco.results import Results
from amidst.leaderboard.config import Kind
from amidst.leaderboard.records import Part, Record

IMAGES = 100
"""Images of a group."""
BUFFERED = 20_000
"""Records in memory before they are written."""


class Groups:
    """Groups of records in the files of an empty folder. image_ids: those that are scored."""

    def __init__(self, folder: Path, image_ids: Iterable[int], size: int = IMAGES) -> None:
        ids = sorted(image_ids)
        self._folder = folder
        self._images = [ids[begin : begin + size] for begin in range(0, len(ids), size)]
        self._group_of = {id: number for number, group in enumerate(self._images) for id in group}
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[Record])
        self._waiting: dict[int, list[Record]] = defaultdict(list)
        self._number = 0
        self.kept = 0

    def add(self, parts: Iterable[Part]) -> None:
        """Takes records, in the order of the file."""
        group_of = self._group_of
        for _, records in parts:
            for record in records:
                group = group_of.get(record.image_id)
                if group is not None:
                    self._waiting[group].append(record)
                    self._number += 1
            if self._number >= BUFFERED:
                self._write()

    def read(self, kind: Kind) -> Iterator[tuple[Sequence[int], Results]]:
        """Each group's image ids and records, groups without records too."""
        self._write()
        for number, image_ids in enumerate(self._images):
            path = self._path(number)
            records = list(self._stored(path)) if path.exists() else []
            yield image_ids, results_of(records, kind)
            path.unlink(missing_ok=True)

    def _stored(self, path: Path) -> Iterator[Record]:
        data = memoryview(path.read_bytes())
        place = 0
        while place < len(data):
            length = int.from_bytes(data[place : place + 4], "little")
            yield from self._decoder.decode(data[place + 4 : place + 4 + length])
            place += 4 + length

    def _write(self) -> None:
        for group, records in self._waiting.items():
            data = self._encoder.encode(records)
            with self._path(group).open("ab") as file:
                file.write(len(data).to_bytes(4, "little") + data)
        self.kept += self._number
        self._number = 0
        self._waiting.clear()

    def _path(self, group: int) -> Path:
        return self._folder / f"{group}.records"


def results_of(records: Sequence[Record], kind: Kind) -> Results:
    """Records of a benchmark of this kind, checked before, as results: with the boxes or the masks that are
    scored; where boxes are and a record has a mask alone, its tight box.
    """
    if not records:
        return Results.empty()
    rles = None
    boxes: list[Box | None] | None = None
    if kind in ("segm", "mask-proposals"):
        rles = tuple(record.segmentation for record in records if record.segmentation is not None)
        if kind == "segm" and all(record.bbox is not None for record in records):
            boxes = [record.bbox for record in records]  # as in COCO, a mask that brings its box is so large
    elif any(record.bbox is None for record in records):
        tight = iter(
            masks.boxes([r.segmentation for r in records if r.bbox is None and r.segmentation]).tolist()
        )
        boxes = [next(tight) if record.bbox is None else record.bbox for record in records]
    else:
        boxes = [record.bbox for record in records]
    return Results(
        np.array([record.image_id for record in records], np.int64),
        np.array([AGNOSTIC_ID if r.category_id is None else r.category_id for r in records], np.int64),
        np.array([record.score for record in records], np.float64),
        None if boxes is None else np.array(boxes, np.float64),
        rles,
    )
