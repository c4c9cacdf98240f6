"""The three records of a COCO file: image, object annotation, category.

Units: image pixels, continuous and 0-based (pixel column j covers [j, j+1)); boxes are (x, y, width,
height) as in the file. Every integer is a legal id, 0 included; gaps are legal. A field that this module
does not know stays in `extra` under its name in the file, so that loading and saving lose nothing.

Source: the COCO data format (cocodataset.org/#format-data).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from amidst.errors import DataError

Box = tuple[float, float, float, float]
"""(x, y, width, height) in image pixels."""

Polygons = tuple[tuple[float, ...], ...]
"""Parts of one object, each (x1, y1, x2, y2, ...); the object is their union."""


class Rle(msgspec.Struct, frozen=True):
    """A run-length mask as it stands in a file.

    size: (height, width). counts: run lengths down the columns, zeros first, either as integers
    ("uncompressed") or packed into COCO's text form ("compressed").
    """

    size: tuple[int, int]
    counts: str | tuple[int, ...]


Segmentation = Polygons | Rle


@dataclass(frozen=True, slots=True)
class Image:
    """One photograph: its size in pixels and where its file lies below the images folder."""

    id: int
    width: int
    height: int
    file_name: str
    license: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of object. `supercategory` is "" where the file names none."""

    id: int
    name: str
    supercategory: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object, or one crowd region (`iscrowd`) of one category in one image.

    area: mask area in square pixels, by which objects count as small, medium or large; for a box without a
    mask
        its width times height.
    ignore: neither a hit nor a miss in evaluation (PASCAL's "difficult"); crowds are always ignored so.
    segmentation: polygons, an RLE, or None. For records that come from a file it is parsed at each access,
    from
        the JSON text of the record (`_json`), which keeps large datasets small in memory; hold on to the
        value in a loop. Raises DataError if that text is neither polygons nor an RLE.
    """

    id: int
    image_id: int
    category_id: int
    bbox_xywh: Box
    area: float
    iscrowd: bool = False
    ignore: bool = False
    segmentation: Segmentation | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    _json: msgspec.Raw | None = field(default=None, init=False, repr=False, compare=False)

    if not TYPE_CHECKING:  # a typed __getattr__ would allow every misspelt name

        def __getattr__(self, name: str) -> Segmentation | None:
            """Called only for a slot that is empty: the segmentation of a record made by `from_json`."""
            if name == "segmentation" and self._json is not None:
                return parse_segmentation(self._json, self.id)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def segmentation_json(self) -> Segmentation | msgspec.Raw | None:
        """What an encoder should write: the text as it was read, or the value."""
        return self.segmentation if self._json is None else self._json

    @classmethod
    def from_json(
        cls,
        id: int,
        image_id: int,
        category_id: int,
        bbox_xywh: Box,
        area: float,
        iscrowd: bool,
        ignore: bool,
        segmentation: msgspec.Raw,
        extra: Mapping[str, Any],
    ) -> Annotation:
        """A record whose segmentation stays JSON text until someone asks for it."""
        record = object.__new__(cls)
        put = object.__setattr__
        put(record, "id", id)
        put(record, "image_id", image_id)
        put(record, "category_id", category_id)
        put(record, "bbox_xywh", bbox_xywh)
        put(record, "area", area)
        put(record, "iscrowd", iscrowd)
        put(record, "ignore", ignore)
        put(record, "extra", extra)
        put(record, "_json", segmentation)
        return record


_SEGMENTATION = msgspec.json.Decoder(Polygons | Rle | None)


def parse_segmentation(text: msgspec.Raw | bytes, annotation_id: int) -> Segmentation | None:
    """The value of a `segmentation` field. Raises DataError naming the annotation."""
    try:
        value: Segmentation | None = _SEGMENTATION.decode(text)
    except msgspec.DecodeError as error:
        raise DataError(
            f"expected polygons or an RLE: {error}", record=f"annotation {annotation_id}", rule="segmentation"
        ) from None
    return value
