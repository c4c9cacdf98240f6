"""Captions of images: COCO's captions file, five sentences an image (thesis §2.4.5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec

from amidst.errors import DataError, UsageError


class _Caption(msgspec.Struct):
    image_id: int
    caption: str


class _File(msgspec.Struct):
    annotations: list[_Caption]


def load_captions(path: str | Path) -> Mapping[int, tuple[str, ...]]:
    """Captions by image id, in file order. Raises UsageError if the file cannot be read, DataError if
    malformed.
    """
    file = Path(path)
    try:
        records = msgspec.json.decode(file.read_bytes(), type=_File).annotations
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise DataError(f"not a captions file: {error}", file=file, rule="captions") from None
    by_image: defaultdict[int, list[str]] = defaultdict(list)
    for record in records:
        by_image[record.image_id].append(record.caption)
    return {image_id: tuple(sentences) for image_id, sentences in by_image.items()}
