"""Files: written so that a reader never sees half of one, named so that none lies outside its folder."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO

from amidst.errors import ImageError, UsageError


def write_atomically(path: str | Path, data: bytes) -> None:
    """Writes beside the target and renames over it; the folder is created. On failure the old file stays."""
    with writing_atomically(path) as stream:
        stream.write(data)


@contextmanager
def writing_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file when the block ends; after an error the old file stays."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def check_writable(path: str | Path) -> None:
    """Whether a file can be written at `path`, asked before the work that fills it.

    Raises UsageError for a folder, and where no file can be made in the nearest folder there is.
    """
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"{target}: a folder; name a file in it")
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{target}: cannot be written ({folder}: {error.strerror})") from None


def image_path(folder: str | Path, file_name: str) -> Path:
    """Where an image of a dataset lies. A dataset file may come from anyone, so its names may not lead out.

    Raises ImageError (rule outside-folder) for absolute names and names with "..". Links inside the folder
    are its owner's business and are followed.
    """
    name = PurePath(file_name)
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise ImageError(
            f"the file name {file_name!r} leads out of the images folder", file=folder, rule="outside-folder"
        )
    return Path(folder) / name
