"""A folder of pictures taken into the store, each decoded in a child process of bounded memory.

A picture that is refused is reported with its reason and does not stop the others. A decoder that crashes
takes its own process with it: the picture it was at is reported, and the rest goes on in new processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from amidst.apps.server.media import MAX_PIXELS, MediaStore, Stored
from amidst.errors import ImageError

ENDINGS = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
MEMORY_BYTES = 4 * 1024**3
BATCH = 32
MAX_NAME = 300
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


@dataclass(frozen=True)
class Imported:
    """One file of the folder: in the store, or refused with a reason. file_name: relative, with slashes."""

    file_name: str
    stored: Stored | None
    problem: str = ""


def find_pictures(folder: Path) -> list[str]:
    """Relative names (with slashes, sorted) of the files below `folder` that are named like pictures."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        found += [(Path(parent) / name).relative_to(folder).as_posix() for name in names]
    return sorted(name for name in found if Path(name).suffix.lower() in ENDINGS)


def name_problem(file_name: str) -> str:
    """Why a name cannot stand in a data set that others unpack on other systems; "" if it can."""
    parts = file_name.split("/")
    if len(file_name) > MAX_NAME:
        return f"the name is longer than {MAX_NAME} characters"
    if any(ord(character) < 32 or character in '\\:*?"<>|\x7f' for character in file_name):
        return "the name has characters that are not safe in a file name"
    try:
        file_name.encode("utf-8")
    except UnicodeEncodeError:
        return "the name is not valid text"
    if any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts):
        return "the name leads out of its folder or is not portable"
    if any(part.split(".")[0].lower() in _RESERVED for part in parts):
        return "the name is the name of a device on other systems"
    return ""


def import_folder(
    folder: Path, names: Sequence[str], store: MediaStore, *, workers: int = 0, max_pixels: int = MAX_PIXELS
) -> Iterator[Imported]:
    """Each picture of `names` (relative to `folder`), in order, as soon as it is in the store.

    Links that lead out of the folder are refused, like names that do.
    """
    root = folder.resolve()
    task = _Task(root, store, max_pixels)
    count = workers or os.cpu_count() or 1
    left = list(names)
    while left:
        done = 0
        try:
            for imported in _in_children(task, left, count):
                done += 1
                yield imported
        except BrokenProcessPool:
            batch = left[done : done + max(1, count) * BATCH]
            for name in batch:
                yield _alone(task, name)
            done += len(batch)
        left = left[done:]


def _in_children(task: _Task, names: Sequence[str], count: int) -> Iterator[Imported]:
    spawn = multiprocessing.get_context("spawn")
    size = 1 if len(names) < 4 * count else min(BATCH, len(names) // (2 * count))
    workers = min(count, len(names))
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_bound_memory) as pool:
        yield from pool.map(task, names, chunksize=size)


def _alone(task: _Task, name: str) -> Imported:
    try:
        return next(_in_children(task, [name], 1))
    except BrokenProcessPool:
        return Imported(name, None, f"{name}: the decoder crashed on this file [unreadable-image]")


@dataclass(frozen=True)
class _Task:
    root: Path
    store: MediaStore
    max_pixels: int

    def __call__(self, name: str) -> Imported:
        problem = name_problem(name)
        if problem:
            return Imported(name, None, f"{name!r}: {problem} [file-name]")
        path = self.root / name
        if not path.resolve().is_relative_to(self.root):
            return Imported(name, None, f"{name}: the link leads out of the images folder [outside-folder]")
        try:
            return Imported(name, self.store.add(path, max_pixels=self.max_pixels))
        except ImageError as error:
            return Imported(name, None, str(error))
        except MemoryError:
            return Imported(name, None, f"{name}: needs more memory than a picture may [huge-image]")


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system; those of bytes and pixels still hold
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
