"""Checks of the image files that a dataset names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from amidst.coco.check_records import SoundImage
from amidst.coco.files import image_path
from amidst.coco.findings import Finding
from amidst.coco.images import Header, read_header, read_image
from amidst.errors import ImageError

Progress = Callable[[int, int], None]
"""Called with the number done and the number in all."""

_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_TAIL_BYTES = 64


def check_files(
    images: Sequence[SoundImage],
    folder: Path,
    *,
    decode: bool,
    workers: int | None,
    progress: Progress | None,
) -> list[Finding]:
    """Missing, damaged and wrongly sized files, in order of the images.

    decode: decode every file to the last pixel. Otherwise headers are read, and a file is decoded only if
    it does not end as its format does, which is how cut-off files show.
    """
    findings: list[Finding] = []
    with ThreadPoolExecutor(workers) as pool:
        for done, found in enumerate(pool.map(partial(_check_file, folder, decode), images), 1):
            if found is not None:
                findings.append(found)
            if progress is not None:
                progress(done, len(images))
    return findings


def _check_file(folder: Path, decode: bool, image: SoundImage) -> Finding | None:
    record = f"image {image.id}"
    expected = (image.height, image.width)
    path = folder
    try:
        path = image_path(folder, image.file_name)
        header = read_header(path)
        if expected not in (header.size_hw, header.stored_hw):
            height, width = header.size_hw
            text = f"the file is {width}x{height} pixels, the record says {image.width}x{image.height}"
            return Finding("image-size", "error", text, record, str(path))
        if decode or not _is_whole(path, header):
            read_image(path)
    except ImageError as error:
        return Finding(error.rule, "error", error.problem, record, str(path))
    if expected != header.size_hw:
        text = "its EXIF orientation turns the picture, but the record has the size before turning"
        return Finding("image-orientation", "note", text, record, str(path))
    return None


def _is_whole(path: Path, header: Header) -> bool:
    end = _ENDS.get(header.format)
    if end is None:
        return False
    with path.open("rb") as stream:
        stream.seek(-min(_TAIL_BYTES, path.stat().st_size), 2)
        return end in stream.read()
