"""Checking a submission while it arrives: what is wrong with it is said at the record where it stands.

Everything that is compared with is public: the list of images with their sizes, the categories, the limits.
The parts of the phases are not known here, so an image of one phase is checked as an image of any other.

Rules: unknown-image, unknown-category, missing-field (bbox, segmentation, category_id), non-finite, bad-box,
mask-size, bad-rle, too-many; those of the file itself are in `records` and `unpacking`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.coco.records import Rle
from amidst.coco.rle_text import first_wrong
from amidst.errors import DataError
from amidst.leaderboard.config import BenchmarkConfig, Kind, UploadLimits
from amidst.leaderboard.records import Part, Reader, Record

Ids = npt.NDArray[np.int64]


class PublicImage(msgspec.Struct, frozen=True):
    """An image as everybody may know it."""

    id: int
    width: int
    height: int
    file_name: str


class PublicCategory(msgspec.Struct, frozen=True):
    """A category as everybody may know it."""

    id: int
    name: str
    supercategory: str = ""


class PublicList(msgspec.Struct, frozen=True):
    """The file that the server gives away: all images of all phases, and the categories."""

    images: tuple[PublicImage, ...]
    categories: tuple[PublicCategory, ...]


@dataclass(frozen=True, eq=False)
class Rules:
    """What submissions are compared with. image_ids, heights, widths (I,), ascending by id."""

    kind: Kind
    limits: UploadLimits
    image_ids: Ids
    heights: Ids
    widths: Ids
    category_ids: frozenset[int]

    @classmethod
    def of(cls, public: PublicList, config: BenchmarkConfig) -> Rules:
        """The rules of a benchmark."""
        images = sorted(public.images, key=lambda image: image.id)
        columns = np.array([(i.id, i.height, i.width) for i in images], np.int64).reshape(-1, 3)
        ids, heights, widths = np.ascontiguousarray(columns.T)
        categories = frozenset(category.id for category in public.categories)
        return cls(config.kind, config.uploads, ids, heights, widths, categories)


class Checker:
    """Checks one submission. Its methods raise DataError (file, record, rule)."""

    def __init__(self, name: str, rules: Rules) -> None:
        self._name, self._rules = name, rules
        self._reader = Reader(name, rules.limits)
        self._per_image = np.zeros(len(rules.image_ids), np.int64)
        self._sha256 = hashlib.sha256()
        self._with_boxes: bool | None = None
        self.received = 0
        self.records = 0

    def feed(self, data: bytes) -> None:
        """The next bytes of the file."""
        self.received += len(data)
        if self.received > self._rules.limits.max_bytes:
            raise DataError(
                f"larger than {self._rules.limits.max_bytes:,} bytes", file=self._name, rule="too-large"
            )
        self._sha256.update(data)
        for part in self._reader.feed(data):
            self._check(part)

    def end(self) -> str:
        """The file is complete: its SHA-256."""
        for part in self._reader.end():
            self._check(part)
        return self._sha256.hexdigest()

    def _check(self, part: Part) -> None:
        first, records = part
        self.records = first + len(records)
        if not records:
            return
        try:
            place = self._images(records)
            self._categories(records)
            if self._rules.kind == "segm" or self._rules.kind == "mask-proposals":
                self._masks(records, place)
            else:
                self._boxes(records, place)
            self._count(place)
        except _Wrong as wrong:
            raise DataError(
                wrong.problem,
                file=self._name,
                record=f"detection at index {first + wrong.index}",
                rule=wrong.rule,
            ) from None

    def _images(self, records: Sequence[Record]) -> Ids:
        """Where the images of the records stand in the list (D,)."""
        ids = np.array([record.image_id for record in records], np.int64)
        known = self._rules.image_ids
        place = np.minimum(np.searchsorted(known, ids), max(len(known) - 1, 0))
        strange = known[place] != ids if len(known) else np.ones(len(ids), bool)
        if strange.any():
            index = int(np.argmax(strange))
            raise _Wrong(index, f"image {ids[index]} is not in the list of images", "unknown-image")
        return place

    def _categories(self, records: Sequence[Record]) -> None:
        if self._rules.kind in ("proposals", "mask-proposals"):
            return
        known = self._rules.category_ids
        for index, record in enumerate(records):
            if record.category_id not in known:
                if record.category_id is None:
                    raise _Wrong(index, "category_id is missing", "missing-field")
                raise _Wrong(index, f"category {record.category_id} is not in the list", "unknown-category")

    def _boxes(self, records: Sequence[Record], place: Ids) -> None:
        boxes = [record.bbox for record in records]
        if None in boxes:
            if self._rules.kind == "proposals" and all(record.segmentation for record in records):
                self._masks(records, place)  # their tight boxes are taken
                return
            other = "; this benchmark scores boxes" if records[boxes.index(None)].segmentation else ""
            raise _Wrong(boxes.index(None), f"bbox is missing{other}", "missing-field")
        values = np.array(boxes, np.float64)
        bad = (values[:, 2:] < 0).any(axis=1)
        if bad.any():
            raise _Wrong(int(np.argmax(bad)), "the box has a negative width or height", "bad-box")

    def _masks(self, records: Sequence[Record], place: Ids) -> None:
        heights, widths = self._rules.heights[place], self._rules.widths[place]
        texts, pixels, at = [], heights * widths, []
        for index, record in enumerate(records):
            mask = record.segmentation
            if mask is None:
                other = "; this benchmark scores masks" if record.bbox else ""
                raise _Wrong(index, f"segmentation is missing{other}", "missing-field")
            if mask.size != (heights[index], widths[index]):
                raise _Wrong(
                    index,
                    f"the mask is {mask.size[0]}x{mask.size[1]} (height x width), "
                    f"its image {heights[index]}x{widths[index]}",
                    "mask-size",
                )
            if isinstance(mask.counts, str):
                texts.append(mask.counts)
                at.append(index)
            else:
                _check_counts(index, mask, int(pixels[index]))
        wrong = first_wrong(texts, pixels[at])
        if wrong is not None:
            raise _Wrong(at[wrong], "the counts of the mask do not fill it", "bad-rle")
        if self._rules.kind == "segm":
            self._same_fields(records)

    def _same_fields(self, records: Sequence[Record]) -> None:
        """COCO takes the size of a mask from its box where there is one, so all have one or none has."""
        if self._with_boxes is None:
            self._with_boxes = records[0].bbox is not None
        for index, record in enumerate(records):
            if (record.bbox is not None) != self._with_boxes:
                has = "the first detection has one" if self._with_boxes else "the first detection has none"
                raise _Wrong(
                    index, f"bbox is {'missing' if self._with_boxes else 'there'}, {has}", "missing-field"
                )

    def _count(self, place: Ids) -> None:
        most = self._rules.limits.max_per_image
        after = self._per_image + np.bincount(place, minlength=len(self._per_image))
        over = after > most
        if over.any():
            image = int(np.argmax(over[place]))  # the first record of such an image
            rank = int(most - self._per_image[place[image]])
            index = int(np.flatnonzero(place == place[image])[rank])
            raise _Wrong(
                index,
                f"more than {most:,} detections in image {self._rules.image_ids[place[image]]}",
                "too-many",
            )
        self._per_image = after


class _Wrong(Exception):  # noqa: N818
    """A record that breaks a rule, by its index in the part."""

    def __init__(self, index: int, problem: str, rule: str) -> None:
        super().__init__(problem)
        self.index, self.problem, self.rule = index, problem, rule


def _check_counts(index: int, mask: Rle, pixels: int) -> None:
    """Of a mask whose run lengths are written as numbers."""
    runs = [int(run) for run in mask.counts]
    if sum(runs) != pixels or min(runs, default=0) < 0:
        raise _Wrong(index, "the counts of the mask do not fill it", "bad-rle")


def read_public(path: Path) -> PublicList:
    """The list in a file."""
    return msgspec.json.decode(path.read_bytes(), type=PublicList)
