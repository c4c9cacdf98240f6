"""Photographs, thumbnails and cut-outs as the page shows them, always as the annotations' pixels lie.

A browser turns a JPEG by its EXIF orientation, whatever the record says; files that could be turned, and
formats that browsers do not show, are decoded here and sent as JPEG. Plain files are sent as they are.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from amidst.coco.images import PILLOW_ERRORS, Pixels, read_image
from amidst.coco.records import Box, Image
from amidst.errors import ImageError

PLAIN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
QUALITY = 88
ORIENTATION = 0x0112
DAMAGED = (*PILLOW_ERRORS, PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning)
CROP_MARGIN = 0.15  # of the box's longer side, around a cut-out

Encoded = tuple[str, bytes]
"""Media type and content."""


class Cache:
    """The most recent pictures, up to a number of bytes; shared by the threads of the server."""

    def __init__(self, limit_bytes: int = 96 * 2**20) -> None:
        self._limit, self._size = limit_bytes, 0
        self._items: OrderedDict[Hashable, Encoded] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Encoded]) -> Encoded:
        """The picture of a key, made now if it is not there."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]
        made = make()
        with self._lock:
            if key not in self._items:
                self._items[key] = made
                self._size += len(made[1])
            while self._size > self._limit and len(self._items) > 1:
                self._size -= len(self._items.popitem(last=False)[1][1])
        return made


def find_file(roots: Sequence[Path], file_name: str) -> Path:
    """The file of a record below one of the folders, which are resolved paths.

    Raises ImageError for a name that leads out of the folder, by `..`, an absolute path or a link, and for a
    file that is not there.
    """
    for root in roots:
        path = (root / file_name).resolve()
        if not path.is_relative_to(root):
            raise ImageError(
                "the name leads out of the images folder", record=file_name, rule="outside-folder"
            )
        if path.is_file():
            return path
    raise ImageError("there is no such file in the images folder", record=file_name, rule="missing-image")


def photograph(path: Path, record: Image) -> Encoded:
    """The whole picture. Raises ImageError if it cannot be read or is of another size than its record."""
    with path.open("rb") as stream:
        try:
            with PillowImage.open(stream) as picture:
                plain = _is_plain(picture) and picture.size == (record.width, record.height)
                kind = PLAIN.get(picture.format or "")
        except Exception:  # whatever Pillow stumbles over, read_image names
            plain, kind = False, None
    if plain and kind is not None:
        return kind, path.read_bytes()
    return _jpeg(read_image(path, (record.height, record.width)))


def thumbnail(path: Path, record: Image, side: int) -> Encoded:
    """The picture with its longer side at most `side` pixels."""
    # What is wrong with a damaged file, read_image names.
    with path.open("rb") as stream, suppress(*DAMAGED), PillowImage.open(stream) as picture:
        right_size = picture.size == (record.width, record.height)
        if picture.format == "JPEG" and _is_plain(picture) and right_size:
            picture.draft("RGB", (side, side))  # lets the decoder skip most of the work
            picture.thumbnail((side, side))
            return _jpeg(np.asarray(picture.convert("RGB")))
    return _jpeg(_shrunk(read_image(path, (record.height, record.width)), side))


def surroundings(record: Image, box_xywh: Box) -> tuple[int, int, int, int]:
    """The whole pixels (left, top, right, bottom) of a box with a margin: in the image, at least one."""
    x, y, width, height = box_xywh
    margin = CROP_MARGIN * max(width, height, 8)
    left = min(max(int(x - margin), 0), record.width - 1)
    top = min(max(int(y - margin), 0), record.height - 1)
    right = min(max(math.ceil(x + width + margin), left + 1), record.width)
    bottom = min(max(math.ceil(y + height + margin), top + 1), record.height)
    return left, top, right, bottom


def cut_out(path: Path, record: Image, box_xywh: Box, side: int) -> Encoded:
    """A box with its surroundings, the longer side at most `side` pixels."""
    left, top, right, bottom = surroundings(record, box_xywh)
    pixels = read_image(path, (record.height, record.width))
    return _jpeg(_shrunk(pixels[top:bottom, left:right], side))


def _is_plain(picture: PillowImage.Image) -> bool:
    """Whether a browser shows the pixels as they are stored."""
    return picture.mode in ("RGB", "L") and picture.getexif().get(ORIENTATION, 1) == 1


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    picture = PillowImage.fromarray(pixels)
    picture.thumbnail((side, side))
    return np.asarray(picture)


def _jpeg(pixels: Pixels) -> Encoded:
    stream = BytesIO()
    PillowImage.fromarray(pixels).save(stream, "JPEG", quality=QUALITY)
    return "image/jpeg", stream.getvalue()
