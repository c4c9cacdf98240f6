"""Pictures with something drawn on them, written by a background thread while the network goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePath
from types import TracebackType

from PIL import Image as PillowImage

from amidst.apps.report.drawing import Pixels
from amidst.coco.images import read_image
from amidst.errors import UsageError

Draw = Callable[[Pixels], Pixels]

WAITING = 8  # pictures that may wait for the thread
QUALITY = 90  # of the JPEG files


class Gallery:
    """A folder that pictures are drawn into; use it in a `with` block, which ends when all are written."""

    def __init__(self, folder: Path) -> None:
        """Creates the folder. Raises UsageError where that is not possible."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be created ({error.strerror or error})") from None
        self.folder = folder
        self._taken: set[PurePath] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="amidst-draw")
        self._waiting: deque[Future[None]] = deque()

    def add(self, photograph: Path, name: PurePath, draw: Draw, expect_hw: tuple[int, int]) -> None:
        """`draw` on the pixels of a photograph of size `expect_hw`, written as `name`.jpg.

        A taken name gets a number.
        """
        target = self.folder / self._free(name.with_suffix(".jpg"))
        job = self._pool.submit(_write, photograph, target, draw, expect_hw)
        self._waiting.append(job)
        while len(self._waiting) > WAITING:
            self._waiting.popleft().result()

    def _free(self, name: PurePath) -> PurePath:
        inside = PurePath(*(part for part in name.parts if part not in {"..", name.anchor}))
        candidate, number = inside, 1
        while candidate in self._taken:
            number += 1
            candidate = inside.with_stem(f"{inside.stem}-{number}")
        self._taken.add(candidate)
        return candidate

    def __enter__(self) -> Gallery:
        """The gallery itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last picture; after an error of the caller, drop those that have not begun."""
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for job in self._waiting:
                job.result()


def _write(photograph: Path, target: Path, draw: Draw, expect_hw: tuple[int, int]) -> None:
    drawn = draw(read_image(photograph, expect_hw))
    target.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(drawn).save(target, quality=QUALITY)
