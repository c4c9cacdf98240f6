"""Folders here and in object storage, by fsspec: list pictures, read them, write a file whole or not at all.

An address is a path, or scheme://bucket/folder such as s3://photos/2024. Storage fails now and then: every
call is tried again after a pause before it counts as failed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fsspec  # type: ignore[import-untyped]

from amidst.coco.files import image_path, write_atomically
from amidst.errors import FindingError, MissingExtra, UsageError
from amidst.inference.finding import is_image_name

T = TypeVar("T")

TRIES = 4
PAUSE = 0.5  # seconds before the second try; twice as long before each further one
FOLDED = re.compile(r"^([a-z][a-z0-9+.-]+):/(?!/)")


def address_of(word: str | Path) -> str:
    """The address in a word of the command line; a `Path` folds the two slashes into one."""
    return FOLDED.sub(r"\1://", str(word))


def is_remote(address: str) -> bool:
    """Whether an address names a storage service, not a path."""
    return "://" in address


@dataclass(frozen=True)
class Place:
    """A folder. It travels to other processes as its address."""

    address: str
    tries: int = TRIES
    pause: float = PAUSE

    def pictures(self) -> list[str]:
        """Names of the pictures below it, hidden ones passed over, sorted. Raises UsageError for none."""
        return self._pictures(self._listing())

    def items(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """{"name", "stamp"} of these files, or of all pictures.

        A stamp changes when the file does, and is "" where there is none. Raises UsageError as `pictures`.
        """
        if is_remote(self.address):
            listing = self._listing()
            names = self._pictures(listing) if names is None else names
            return [{"name": name, "stamp": _stamp(listing.get(name, {}))} for name in names]
        names = self.pictures() if names is None else names
        return [{"name": name, "stamp": _file_stamp(Path(self.address) / name)} for name in names]

    def _listing(self) -> dict[str, dict[str, Any]]:
        fs, root = self._open()
        fs.invalidate_cache()
        try:
            found = self._patiently(lambda: fs.find(root, detail=True))
        except FileNotFoundError:  # such as a bucket that does not exist
            return {}
        return {str(path).removeprefix(root).lstrip("/"): about for path, about in found.items()}

    def _pictures(self, listing: Iterable[str]) -> list[str]:
        names = sorted(name for name in listing if is_image_name(name) and not _hidden(name))
        if not names:
            raise UsageError(f"{self.address}: no image there, or no such folder")
        return names

    def fetch(self, name: str, folder: Path) -> Path:
        """A file of this place on this machine: itself, or a copy in `folder`. Raises OSError, ImageError."""
        if not is_remote(self.address):
            return image_path(self.address, name)
        fs, root = self._open()
        copy = folder / f"picture{Path(name).suffix.lower()}"
        image_path(folder, name)  # refuses names that lead out
        copy.write_bytes(self._patiently(lambda: fs.cat_file(f"{root}/{name}")))
        return copy

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none."""
        fs, root = self._open()
        try:
            data: bytes = self._patiently(lambda: fs.cat_file(f"{root}/{name}"))
        except FileNotFoundError:
            return None
        return data

    def write(self, name: str, data: bytes) -> None:
        """A file, whole or not at all."""
        if not is_remote(self.address):
            write_atomically(Path(self.address) / name, data)
            return
        fs, root = self._open()  # an object appears when it is whole
        try:
            self._patiently(lambda: fs.pipe_file(f"{root}/{name}", data))
        except FileNotFoundError as error:
            raise StorageError(f"{self.address}: nothing can be written there ({error})") from None

    def names(self) -> set[str]:
        """Names of the files directly in it; none where it does not exist."""
        fs, root = self._open()
        fs.invalidate_cache()
        try:
            return {
                str(path).rpartition("/")[2] for path in self._patiently(lambda: fs.ls(root, detail=False))
            }
        except FileNotFoundError:
            return set()

    def _open(self) -> tuple[Any, str]:
        try:
            fs, root = fsspec.core.url_to_fs(self.address)
        except ImportError:
            raise MissingExtra("the driver of " + self.address.partition(":")[0], "s3") from None
        except ValueError as error:
            raise UsageError(f"{self.address}: {error}") from None
        return fs, str(root).rstrip("/")

    def _patiently(self, call: Callable[[], T]) -> T:
        for number in range(self.tries - 1):
            try:
                return call()
            except FileNotFoundError:
                raise
            except Exception:  # drivers raise what their services' clients do
                time.sleep(self.pause * 2**number)
        try:
            return call()
        except FileNotFoundError:
            raise
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            raise StorageError(
                f"{self.address}: {said or type(error).__name__}, {self.tries} times"
            ) from None


class StorageError(FindingError):
    """Storage did not answer, several times, or there is none of that name."""


def place_of(word: str | Path) -> Place:
    """The place that a word of the command line names; whole, for workers may have another working folder."""
    address = address_of(word)
    return Place(address if is_remote(address) else str(Path(address).resolve()))


def _stamp(about: dict[str, Any]) -> str:
    """Of a listed object: its size, and what its service tells of its version."""
    told = (about.get(key) for key in ("size", "ETag", "etag", "LastModified", "mtime", "created"))
    return " ".join(str(value) for value in told if value is not None)


def _file_stamp(path: Path) -> str:
    try:
        about = path.stat()
    except OSError:
        return ""
    return f"{about.st_size} {about.st_mtime_ns}"


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
