"""Read image files in background threads, a bounded number ahead, so that the network never waits.

Decoding and resizing release the interpreter lock; a thread hands over the resized image, not the original,
so that a queue of large photographs stays small in memory.

Shapes: H, W original image; h, w resized image.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch

from amidst.coco.images import read_image
from amidst.errors import ImageError
from amidst.models.config import TORCHVISION_PIXELS, PixelConfig
from amidst.ops.images import resize, resized_hw
from amidst.training.config import ResizeConfig

FloatArray = npt.NDArray[np.float32]

S = TypeVar("S")
T = TypeVar("T")

WAIT = 0.1  # seconds between two looks whether the reader has left


@dataclass(frozen=True, slots=True)
class Source:
    """An image to read; `expect_hw` is the size (H, W) its record states, `image_id` the record's id."""

    path: Path
    expect_hw: tuple[int, int] | None = None
    image_id: int | None = None
    proposals_xyxy: FloatArray | None = None  # (P, 4) in its pixels, for a network that judges proposals


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An image read and resized: `image` is RGB (3, h, w), 0..255; `size_hw` the original (H, W)."""

    source: Source
    size_hw: tuple[int, int]
    image: torch.Tensor
    proposals_xyxy: torch.Tensor | None = None  # float32 (P, 4) in pixels of `image`


@dataclass(frozen=True, slots=True, eq=False)
class Unreadable:
    """A file that could not be read, and why."""

    source: Source
    error: ImageError


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An image read, not resized: `pixels` uint8 RGB (H, W, 3)."""

    source: Source
    pixels: npt.NDArray[np.uint8]


def open_image(source: Source) -> Opened | Unreadable:
    """Read `source`."""
    try:
        return Opened(source, read_image(source.path, source.expect_hw))
    except ImageError as error:
        return Unreadable(source, error)


def prepare(
    source: Source, rule: ResizeConfig, device: torch.device, pixels: PixelConfig = TORCHVISION_PIXELS
) -> Prepared | Unreadable:
    """Read `source` and resize it by `rule` on `device`, in the way of `pixels`."""
    opened = open_image(source)
    if isinstance(opened, Unreadable):
        return opened
    return prepare_pixels(source, opened.pixels, rule, device, pixels)


def prepare_pixels(
    source: Source,
    read: npt.NDArray[np.uint8],
    rule: ResizeConfig,
    device: torch.device,
    pixels: PixelConfig = TORCHVISION_PIXELS,
) -> Prepared:
    """Resize an image (H, W, 3) that has been read from `source`."""
    size_hw = (int(read.shape[0]), int(read.shape[1]))
    shared = torch.from_numpy(np.require(read, requirements="W"))  # without a copy
    image = shared.to(device).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    target_hw = resized_hw(size_hw, rule.short, rule.long, pixels.side_rounding)
    image = resize(image, target_hw, pixels.resample)
    if source.proposals_xyxy is None:
        return Prepared(source, size_hw, image)
    scale_y, scale_x = image.shape[1] / size_hw[0], image.shape[2] / size_hw[1]
    proposals = torch.from_numpy(source.proposals_xyxy).to(device, torch.float32)
    return Prepared(
        source, size_hw, image, proposals * proposals.new_tensor([scale_x, scale_y, scale_x, scale_y])
    )


def read_ahead(items: Iterable[S], read: Callable[[S], T], *, workers: int, ahead: int) -> Iterator[T]:
    """`map(read, items)`, computed by `workers` threads at most `ahead` items early; order is kept.

    With `workers` 0 everything happens in the calling thread. An exception of `read` surfaces at its item.
    Leaving the iterator early cancels what has not begun.
    """
    if workers == 0:
        yield from map(read, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="amidst-read")
    pending: deque[Future[T]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(read, item))
            if len(pending) >= max(ahead, 1):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Without waiting: a dropped iterator is closed by the garbage collector, maybe in a thread that
        # is just starting, and joining others there can wait for itself.
        pool.shutdown(wait=False, cancel_futures=True)


def in_background(items: Iterable[T], ahead: int) -> Iterator[T]:
    """The same items, produced by a thread at most `ahead` early; its exception surfaces at its place.

    Leaving the iterator early ends the thread at its next item.
    """
    ready: Queue[tuple[bool, T | BaseException | None]] = Queue(max(ahead, 1))
    left = threading.Event()

    def produce() -> None:
        try:
            for item in items:
                if not _put(ready, (True, item), left):
                    return
            _put(ready, (False, None), left)
        except BaseException as error:  # whatever it is, the reader shall have it
            _put(ready, (False, error), left)
        finally:
            if isinstance(items, Generator):
                items.close()  # here, where it ran

    threading.Thread(target=produce, name="amidst-decode", daemon=True).start()
    try:
        while True:
            is_item, value = ready.get()
            if is_item:
                yield cast(T, value)
            elif isinstance(value, BaseException):
                raise value
            else:
                return
    finally:
        left.set()


def _put(queue: Queue[S], value: S, left: threading.Event) -> bool:
    """Wait for room; False where the reader has left meanwhile."""
    while not left.is_set():
        try:
            queue.put(value, timeout=WAIT)
        except Full:
            continue
        return True
    return False
