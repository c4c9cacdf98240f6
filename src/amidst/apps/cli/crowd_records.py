"""Who took a photograph, when, and under which licence: of a COCO file that is read piece by piece.

The file may be a whole dataset, whose annotations are passed over and never held.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ijson  # type: ignore[import-untyped]
import msgspec

from amidst.apps.cli.progress import step
from amidst.errors import DataError, UsageError

PIECE_BYTES = 1 << 20


class ImageRecord(msgspec.Struct, frozen=True):
    """What is asked of a record of an image; the rest of it is passed over."""

    file_name: str
    license: int | str | None = None
    photographer: str | None = None
    date_captured: str | None = None
    source: str | None = None


def read_origins(path: Path) -> dict[str, dict[str, str]]:
    """Fields of `NewImage` by file name: licence, photographer, taken_on, source; "" for what is not told.

    Raises UsageError where the file cannot be read, DataError where it is no COCO file.
    """
    images = [_record(path, place, one) for place, one in enumerate(_list(path, "images"))]
    if not images:
        raise DataError('no list of "images" with records in it', file=path, rule="image-record")
    names: dict[object, str] = {}
    if any(one.license is not None for one in images):
        licences = [one for one in _list(path, "licenses") if isinstance(one, dict)]
        names = {one["id"]: str(one.get("name", "")) for one in licences if "id" in one}
    return {
        one.file_name: {
            "licence": names.get(one.license, ""),
            "photographer": one.photographer or "",
            "taken_on": one.date_captured or "",
            "source": one.source or "",
        }
        for one in images
    }


def _record(path: Path, place: int, one: object) -> ImageRecord:
    try:
        return msgspec.convert(one, ImageRecord)
    except msgspec.ValidationError as error:
        raise DataError(str(error), file=path, record=f"images[{place}]", rule="image-record") from None


def _list(path: Path, name: str) -> Iterator[object]:
    """The values of a list of the file, one after the other."""
    found = ijson.sendable_list()
    reader = ijson.items_coro(found, f"{name}.item", use_float=True)
    try:
        with path.open("rb") as stream, step(f"reading {name}", path.stat().st_size) as bar:
            while piece := stream.read(PIECE_BYTES):
                reader.send(piece)
                yield from found
                found.clear()
                bar.update(stream.tell())
            reader.close()
            yield from found
    except ijson.JSONError as error:
        raise DataError(f"not JSON: {' '.join(str(error).split())[:100]}", file=path, rule="json") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
