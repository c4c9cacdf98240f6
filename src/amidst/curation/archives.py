"""Unpacking a ZIP file that somebody else made.

Refused are: more files or bytes than allowed (counted while unpacking, for headers lie), a compression
no photographs have, paths that leave the folder, links and devices, names that two systems would read
differently, encryption. Nothing is left behind of an archive that is refused.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from amidst.config import Config
from amidst.errors import DataError, UsageError

_BLOCK = 1 << 20


class ArchiveLimits(Config, frozen=True):
    """How much may come out of an archive. ratio: unpacked to packed bytes of any entry above a megabyte."""

    files: int = 100_000
    bytes: int = 20_000_000_000
    ratio: float = 100.0


def unpack(archive: str | Path, folder: str | Path, limits: ArchiveLimits | None = None) -> tuple[Path, ...]:
    """The files of a ZIP, unpacked into a new folder. A failure leaves no folder.

    Raises UsageError if the archive cannot be opened or the folder exists; DataError naming archive and
    entry.
    """
    source, target, limits = Path(archive), Path(folder), limits or ArchiveLimits()
    if target.exists():
        raise UsageError(f"{target} exists already")
    beside = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with zipfile.ZipFile(source) as pack:
            names = _unpacked(pack, source, beside, limits)
        beside.replace(target)
    except FileNotFoundError:
        raise UsageError(f"there is no file {source}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise DataError(f"not a sound ZIP file: {error}", file=source, rule="archive") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return tuple(target / name for name in names)


def _unpacked(
    pack: zipfile.ZipFile, source: Path, folder: Path, limits: ArchiveLimits
) -> list[PurePosixPath]:
    entries = pack.infolist()
    if len(entries) > limits.files:
        raise DataError(
            f"{len(entries):,} entries, {limits.files:,} are allowed", file=source, rule="archive-size"
        )
    folder.mkdir(parents=True)
    names, taken, total = [], set(), 0
    for entry in entries:
        if entry.is_dir():
            continue
        name = _safe_name(entry, source)
        if (key := name.as_posix().casefold()) in taken:
            raise _refusal(source, entry, "the same name stands twice", "archive-path")
        taken.add(key)
        path = folder.joinpath(*name.parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        total += _write(pack, entry, path, source, limits, total)
        names.append(name)
    return names


def _write(
    pack: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    path: Path,
    source: Path,
    limits: ArchiveLimits,
    before: int,
) -> int:
    written = 0
    with pack.open(entry) as stream, path.open("xb") as file:
        while block := stream.read(_BLOCK):
            written += len(block)
            if before + written > limits.bytes:
                raise _refusal(source, entry, f"more than {limits.bytes:,} bytes in all", "archive-size")
            if written > _BLOCK and written > limits.ratio * max(entry.compress_size, 1):
                problem = f"unpacks to more than {limits.ratio:g} times its size, as a zip bomb does"
                raise _refusal(source, entry, problem, "zip-bomb")
            file.write(block)
    return written


def _safe_name(entry: zipfile.ZipInfo, source: Path) -> PurePosixPath:
    text = entry.filename
    name = PurePosixPath(text)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _refusal(source, entry, "is a link or a device", "archive-path")
    if entry.flag_bits & 1:
        raise _refusal(source, entry, "is encrypted", "archive")
    strange = any(ord(letter) < 32 or letter in '\\:*?"<>|' for letter in text)
    if (
        name.is_absolute()
        or not name.parts
        or ".." in name.parts
        or strange
        or os.fspath(name).startswith("~")
    ):
        raise _refusal(source, entry, "the path leaves the folder or is not portable", "archive-path")
    if any(len(part.encode()) > 200 for part in name.parts) or len(text.encode()) > 1000:
        raise _refusal(source, entry, "the name is too long", "archive-path")
    return name


def _refusal(source: Path, entry: zipfile.ZipInfo, problem: str, rule: str) -> DataError:
    return DataError(problem, file=source, record=f"entry {entry.filename[:200]!r}", rule=rule)
