"""Fingerprints of image files: digests of bytes and pixels, size, and the 32 x 32 thumbnail.

Reading the files is what takes time, so it runs in several processes and its results go to a cache file
as they
come: a run that was interrupted goes on where it stopped, and a file is read again only when its size or
time of change differs. The thumbnails stay in the file and are mapped, not loaded: 200,000 images are
0.6 GB there and a few megabytes in memory.

The cache: 16 bytes that name the format, then records of equal length (`_RECORD`), only ever appended. A
record that was cut short by a crash is cut off; one whose checksum is wrong is ignored.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from amidst.coco.files import image_path
from amidst.coco.images import PIXEL_LIMIT, read_image
from amidst.curation.hashing import SIDE, thumbnail
from amidst.errors import FindingError, ImageError

Report = Callable[[int, int], None]
"""Called with (files done, files in all)."""

_MAGIC = b"amidst-prints-1\n"
_RECORD = np.dtype(
    [
        ("key", "u1", 16),
        ("bytes", "u1", 32),
        ("pixels", "u1", 32),
        ("size_hw", "<i4", 2),
        ("thumbnail", "u1", (SIDE, SIDE, 3)),
        ("check", "<u4"),
    ]
)
_BATCH = 32  # files a process takes at a time; also how many records a crash can cost per process


@dataclass(frozen=True)
class Fingerprints:
    """N images. Arrays run in the order of `names`; thumbnails are fetched by index."""

    names: tuple[str, ...]
    byte_digests: npt.NDArray[np.uint8]  # (N, 32) SHA-256 of the file
    pixel_digests: npt.NDArray[np.uint8]  # (N, 32) SHA-256 of height, width and upright RGB pixels
    sizes_hw: npt.NDArray[np.int32]  # (N, 2)
    store: npt.NDArray[np.uint8]  # (M, 32, 32, 3), M >= N: thumbnails, perhaps in a mapped file
    rows: npt.NDArray[np.int64]  # (N,) row of each image in `store`
    broken: tuple[ImageError, ...] = field(default=())  # files that could not be read; not among the N

    def __len__(self) -> int:
        return len(self.names)

    def thumbnails(self, indices: npt.NDArray[np.int64] | slice) -> npt.NDArray[np.uint8]:
        """(B, 32, 32, 3) of these images."""
        return np.asarray(self.store[self.rows[indices]])


def fingerprint_files(
    folder: str | Path,
    names: Sequence[str],
    *,
    cache: str | Path | None = None,
    processes: int = 1,
    pixel_limit: int = PIXEL_LIMIT,
    report: Report | None = None,
) -> Fingerprints:
    """Fingerprints of `names` below `folder`; broken files are listed, not raised.

    cache: file that keeps results between runs; created if absent. processes: 1 reads in this process.
    Raises FindingError if a process dies, as when memory runs out; what was done stays in the cache.
    """
    base = Path(folder)
    kept = _read_cache(Path(cache)) if cache is not None else np.zeros(0, dtype=_RECORD)
    row_of = {bytes(key): row for row, key in enumerate(kept["key"])}
    keys: dict[str, bytes] = {}
    broken: list[ImageError] = []
    for name in names:
        try:
            keys[name] = _key(base, name)
        except ImageError as error:
            broken.append(error)
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            broken.append(ImageError(problem, file=base / name, rule="missing-image"))
    missing = [name for name, key in keys.items() if key not in row_of]
    done, fresh = len(keys) - len(missing), []
    if report is not None:
        report(done, len(keys))
    for records, errors in _computed(base, {name: keys[name] for name in missing}, processes, pixel_limit):
        if cache is None:
            fresh.append(records)
        else:
            _append(Path(cache), records)
        broken += errors
        done += len(records) + len(errors)
        if report is not None:
            report(done, len(keys))
    if missing:
        kept = np.concatenate([kept, *fresh]) if cache is None else _read_cache(Path(cache))
        row_of = {bytes(key): row for row, key in enumerate(kept["key"])}
    readable = [name for name, key in keys.items() if key in row_of]
    return _gathered(kept, readable, [row_of[keys[name]] for name in readable], broken)


def fingerprint(data: bytes, pixels: npt.NDArray[np.uint8], key: bytes = bytes(16)) -> npt.NDArray[Any]:
    """One record (1,) of a file's bytes and its upright pixels (H, W, 3)."""
    record = np.zeros(1, dtype=_RECORD)
    record["key"] = np.frombuffer(key, dtype=np.uint8)
    record["bytes"] = np.frombuffer(hashlib.sha256(data).digest(), dtype=np.uint8)
    digest = hashlib.sha256(b"%d x %d" % pixels.shape[:2])
    digest.update(np.ascontiguousarray(pixels).tobytes())
    record["pixels"] = np.frombuffer(digest.digest(), dtype=np.uint8)
    record["size_hw"], record["thumbnail"] = pixels.shape[:2], thumbnail(pixels)
    record["check"] = _checksum(record[0])
    return record


def unpack(data: bytes) -> npt.NDArray[Any]:
    """A record (1,) from its bytes. Raises FindingError for others."""
    if len(data) == _RECORD.itemsize:
        record = np.frombuffer(data, dtype=_RECORD)
        if _checksum(record[0]) == record["check"][0]:
            return record
    raise FindingError("a fingerprint is damaged; remove the part it is in, and run the command again")


def gather(records: Sequence[npt.NDArray[Any]], names: Sequence[str]) -> Fingerprints:
    """Fingerprints of records made by `fingerprint`."""
    kept = np.concatenate([np.zeros(0, dtype=_RECORD), *records])
    return _gathered(kept, names, range(len(names)), [])


def _gathered(
    kept: npt.NDArray[Any], names: Sequence[str], rows: Sequence[int], broken: Sequence[ImageError]
) -> Fingerprints:
    chosen = np.array(rows, dtype=np.int64)
    return Fingerprints(
        tuple(names),
        byte_digests=kept["bytes"][chosen],
        pixel_digests=kept["pixels"][chosen],
        sizes_hw=kept["size_hw"][chosen],
        store=kept["thumbnail"],
        rows=chosen,
        broken=tuple(broken),
    )


def _key(base: Path, name: str) -> bytes:
    state = image_path(base, name).stat()
    text = f"{name}\0{state.st_size}\0{state.st_mtime_ns}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _computed(
    base: Path, keys: dict[str, bytes], processes: int, pixel_limit: int
) -> Iterator[tuple[npt.NDArray[Any], list[ImageError]]]:
    items = list(keys.items())
    batches = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
    work = partial(_batch, base, pixel_limit)
    if processes <= 1 or len(batches) == 1:
        yield from map(work, batches)
        return
    # Spawned, not forked: a fork copies locks that threads of this process may hold.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(batches)), mp_context=context) as pool:
        try:
            yield from pool.map(work, batches)
        except BrokenProcessPool:
            raise FindingError(
                "a reading process died, perhaps for lack of memory; run again with fewer processes, "
                "finished files are not read again"
            ) from None


def _batch(
    base: Path, pixel_limit: int, items: Sequence[tuple[str, bytes]]
) -> tuple[npt.NDArray[Any], list[ImageError]]:
    records, errors = [np.zeros(0, dtype=_RECORD)], []
    for name, key in items:
        file = base / name
        try:
            records.append(fingerprint(file.read_bytes(), read_image(file, pixel_limit=pixel_limit), key))
        except ImageError as error:
            errors.append(error)
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            errors.append(ImageError(problem, file=file, rule="unreadable-image"))
    return np.concatenate(records), errors


def _checksum(record: Any) -> int:
    return zlib.crc32(record.tobytes()[: -_RECORD["check"].itemsize])


def _append(file: Path, records: npt.NDArray[Any]) -> None:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_MAGIC)
    with file.open("ab") as stream:
        stream.write(records.tobytes())


def _read_cache(file: Path) -> npt.NDArray[Any]:
    """The good records, mapped. A foreign or older file is refused, for it may be anything."""
    if not file.exists():
        return np.zeros(0, dtype=_RECORD)
    with file.open("r+b") as stream:
        magic = stream.read(len(_MAGIC))
        if magic != _MAGIC:
            raise FindingError(f"{file}: not a fingerprint cache of this version; remove it or name another")
        size = file.stat().st_size
        spare = (size - len(_MAGIC)) % _RECORD.itemsize
        if spare:  # the last record of an interrupted run
            stream.truncate(size - spare)
    if size - spare == len(_MAGIC):
        return np.zeros(0, dtype=_RECORD)
    kept = np.memmap(file, dtype=_RECORD, mode="r", offset=len(_MAGIC))
    if all(_checksum(record) == record["check"] for record in kept):
        return kept
    return kept[[_checksum(record) == record["check"] for record in kept]]
