"""Foreign picture files, opened where they can do no harm, and made into clean ones.

A file from the web may be damaged, enormous once decoded, or built to break a decoder. It is opened in a
process of its own that has limits for memory, for seconds and for what it writes, and that is replaced
when it breaks one. Back comes the
picture upright, encoded anew, without any metadata: no place, no camera, no name, no hidden second file.

    with Studio() as studio:
        clean = studio.develop("download.jpg")

JPEG and WebP become JPEG of quality 95 without colour subsampling, everything else becomes PNG.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import resource
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
from PIL import Image as PillowImage

from amidst.coco.images import read_image
from amidst.config import Config
from amidst.errors import FindingError, ImageError

_QUALITY = 95
_LOSSY = ("JPEG", "MPO", "WEBP")


class IngestLimits(Config, frozen=True):
    """What a picture may cost. memory_bytes is the address space of the process, libraries included."""

    max_bytes: int = 50_000_000
    max_pixels: int = 60_000_000
    min_side: int = 32
    memory_bytes: int = 3_000_000_000
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Clean:
    """A developed picture: upright, without metadata. pixel_sha256 is of the original's upright pixels."""

    data: bytes
    suffix: str  # ".jpg" or ".png"
    width: int
    height: int
    original_sha256: str
    pixel_sha256: str


class _Answer(msgspec.Struct):
    """What the process says about a file; `rule` is empty if all went well, then the picture follows."""

    rule: str = ""
    problem: str = ""
    suffix: str = ""
    width: int = 0
    height: int = 0
    original_sha256: str = ""
    pixel_sha256: str = ""


class Studio:
    """The process. Files go in one after the other; after a failure a new process takes the next."""

    def __init__(self, limits: IngestLimits | None = None) -> None:
        self._limits = limits or IngestLimits()
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def develop(self, path: str | Path) -> Clean:
        """The clean picture of a file.

        Raises ImageError (rules too-large, huge-image, tiny-image, limits, and those of `read_image`)
        naming the file.
        """
        file = Path(path)
        try:
            size = file.stat().st_size
        except OSError as error:
            raise ImageError(f"cannot be read: {error.strerror}", file=file, rule="missing-image") from None
        if size > self._limits.max_bytes:
            problem = f"{size:,} bytes are more than the {self._limits.max_bytes:,} allowed"
            raise ImageError(problem, file=file, rule="too-large")
        line = self._line or self._start()
        try:
            line.send_bytes(str(file.resolve()).encode())
            if not line.poll(self._limits.seconds):
                raise TimeoutError
            answer = msgspec.json.decode(line.recv_bytes(10_000), type=_Answer)
            data = b"" if answer.rule else line.recv_bytes(self._limits.max_pixels * 4)
        except (EOFError, OSError, TimeoutError, msgspec.DecodeError) as error:
            self._stop()
            late = isinstance(error, TimeoutError)
            problem = (
                f"not opened within {self._limits.seconds:g} s"
                if late
                else f"opening it took more than {self._limits.memory_bytes:,} bytes or broke the decoder"
            )
            raise ImageError(problem, file=file, rule="limits") from None
        if answer.rule:
            raise ImageError(answer.problem, file=file, rule=answer.rule)
        return Clean(
            data, answer.suffix, answer.width, answer.height, answer.original_sha256, answer.pixel_sha256
        )

    def _start(self) -> Connection:
        self._line, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, self._limits), daemon=True)
        self._process.start()
        theirs.close()
        try:  # the first word comes when the libraries are loaded; only then does the clock of a file start
            self._line.recv_bytes(16)
        except (EOFError, OSError):
            self._stop()
            raise FindingError(
                f"the process that opens pictures did not start; memory_bytes of "
                f"{self._limits.memory_bytes:,} may be too few"
            ) from None
        return self._line

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        if self._line is not None:
            self._line.close()
        self._process = self._line = None


def _serve(line: Connection, limits: IngestLimits) -> None:
    """The process: a path comes, an answer and perhaps a picture goes, until the line is closed."""
    if sys.platform == "darwin":  # its kernel knows no limit of the address space
        memory = resource.RLIMIT_DATA
    else:
        memory = resource.RLIMIT_AS
    resource.setrlimit(memory, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    line.send_bytes(b"ready")
    while True:
        try:
            file = Path(line.recv_bytes().decode())
        except EOFError:
            return
        try:
            answer, data = _developed(file, limits)
        except ImageError as error:
            # `read_image` calls a picture damaged when memory ends; here that is the limit's doing
            spent = isinstance(error.__context__, MemoryError)
            answer, data = _spent(limits) if spent else _Answer(rule=error.rule, problem=error.problem), b""
        except MemoryError:
            answer, data = _spent(limits), b""
        line.send_bytes(msgspec.json.encode(answer))
        if not answer.rule:
            line.send_bytes(data)


def _spent(limits: IngestLimits) -> _Answer:
    return _Answer(rule="limits", problem=f"opening it takes more than {limits.memory_bytes:,} bytes")


def _developed(file: Path, limits: IngestLimits) -> tuple[_Answer, bytes]:
    original = file.read_bytes()
    pixels = read_image(file, pixel_limit=limits.max_pixels)
    height, width = pixels.shape[:2]
    if min(height, width) < limits.min_side:
        problem = f"{width}x{height} pixels, the smaller side has fewer than {limits.min_side}"
        raise ImageError(problem, file=file, rule="tiny-image")
    with PillowImage.open(io.BytesIO(original)) as header:
        lossy = header.format in _LOSSY
    stream = io.BytesIO()
    picture = PillowImage.fromarray(pixels)
    if lossy:
        picture.save(stream, "JPEG", quality=_QUALITY, subsampling=0)
    else:
        picture.save(stream, "PNG")
    digest = hashlib.sha256(b"%d x %d" % (height, width))
    digest.update(np.ascontiguousarray(pixels).tobytes())
    suffix = ".jpg" if lossy else ".png"
    answer = _Answer("", "", suffix, width, height, hashlib.sha256(original).hexdigest(), digest.hexdigest())
    return answer, stream.getvalue()
