"""Detect objects in video files, frame by frame; needs PyAV (extra "video").

Decoding runs in a thread of its own, resizing in others, a bounded number of frames ahead. A frame has the
number of its place in the file, from 0, whether or not the ones before it could be decoded, and the time at
which it is shown. Pixels are turned as a player turns them. Sound is left out.

A file may come from anyone: it is opened as one of the usual containers, and none of them can lead to other
files or addresses.

Shapes: H, W frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import nn

from amidst.coco.files import writing_atomically
from amidst.coco.images import PIXEL_LIMIT
from amidst.errors import ImageError, MissingExtra, UsageError
from amidst.inference.predict import Prediction, device_of, predict_prepared, resize_rule
from amidst.inference.reading import Opened, Prepared, Source, in_background, prepare_pixels, read_ahead
from amidst.inference.tiles import Tiling, predict_tiled
from amidst.models.weights import ModelInfo

try:  # an optional dependency: nothing else opens videos
    import av
except ImportError:  # pragma: no cover - installed where the tests run
    av = None  # type: ignore[assignment]

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg"
FRAMES_AHEAD = 4
TICK = Fraction(1, 90_000)  # of a second: unit of time in the files that are written
CODECS = {"libx264": {"crf": "20", "preset": "veryfast"}, "mpeg4": {"qscale": "3"}}  # the first there is

Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB


@dataclass(frozen=True)
class Clip:
    """A video file that can be opened. `frames` is 0 where the file does not tell."""

    path: Path
    frames: int
    rate: Fraction  # frames a second


class Frame(NamedTuple):
    """A frame, shown from `time_s` seconds on."""

    number: int
    time_s: float
    pixels: Pixels


def open_clip(path: str | Path) -> Clip:
    """What the file says about itself.

    Raises MissingExtra without PyAV, UsageError where there is no such file, ImageError for what is no video.
    """
    if av is None:
        raise MissingExtra("av", "video")
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    with _opened(path) as container:
        if not container.streams.video:
            raise _unreadable(path, "holds no video")
        stream = container.streams.video[0]
        size = stream.codec_context.width * stream.codec_context.height
        if size > PIXEL_LIMIT:
            raise _unreadable(path, f"frames of {size:,} pixels are more than the {PIXEL_LIMIT:,} allowed")
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        frames = stream.frames or _estimated(container.duration, rate)
    return Clip(path, frames, rate)


def _estimated(duration: int | None, rate: Fraction) -> int:
    return round(duration / av.time_base * rate) if duration else 0


def _opened(path: Path) -> av.container.InputContainer:
    try:
        return av.open(
            str(path.resolve()), options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
        )
    except (av.error.FFmpegError, OSError) as error:
        raise _unreadable(path, f"not a readable video ({error.strerror or error})") from None


def _unreadable(path: Path, problem: str) -> ImageError:
    return ImageError(problem, file=path, rule="unreadable-video")


def read_frames(clip: Clip, every: int = 1, on_broken: Callable[[], None] | None = None) -> Iterator[Frame]:
    """Each `every`-th frame. A frame that cannot be decoded is passed over; `on_broken` is told of it."""
    number = 0
    with _opened(clip.path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in _decoded(container, stream):
            if frame is None or frame.is_corrupt:
                if on_broken is not None:
                    on_broken()
            elif number % every == 0:
                time_s = float(number / clip.rate) if frame.time is None else float(frame.time)
                yield Frame(number, time_s, _pixels(frame))
            number += 1


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame | None]:
    """Frames in the order they are shown; None for one that cannot be decoded, or the end of a torn file."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            yield None
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            yield None


def _pixels(frame: av.VideoFrame) -> Pixels:
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def predict_clip(
    model: nn.Module,
    info: ModelInfo,
    clip: Clip,
    *,
    every: int = 1,
    tiling: Tiling | None = None,
    batch_size: int = 1,
    workers: int = 2,
    on_broken: Callable[[], None] | None = None,
) -> Iterator[tuple[Frame, Prediction]]:
    """Each `every`-th frame and what is in it, by tiles where `tiling` is given.

    The number of the frame is the image id of its prediction.
    Errors as `predict_images`.
    """
    waiting: deque[Frame] = deque()  # frames in the network and before it

    def opened() -> Iterator[Opened]:
        for frame in in_background(read_frames(clip, every, on_broken), FRAMES_AHEAD):
            waiting.append(frame)
            yield Opened(Source(clip.path, None, frame.number), frame.pixels)

    if tiling is not None:
        found = predict_tiled(model, info, opened(), tiling, batch_size=batch_size, workers=workers)
    else:
        rule, device = resize_rule(info), device_of(model)

        def prepared(item: Opened) -> Prepared:
            return prepare_pixels(item.source, item.pixels, rule, device, info.config.pixels)

        items = read_ahead(opened(), prepared, workers=workers, ahead=batch_size + workers)
        found = predict_prepared(model, info, items, batch_size, window=batch_size)
    for prediction in found:
        yield waiting.popleft(), prediction


class ClipWriter:
    """An MP4 file of frames; use it in a `with` block. It appears when the block ends without an error."""

    def __init__(self, path: Path, rate: Fraction) -> None:
        """Raises MissingExtra without PyAV."""
        if av is None:
            raise MissingExtra("av", "video")
        self.path, self.rate = path, rate
        self._stack = ExitStack()
        self._last = -1

    def __enter__(self) -> ClipWriter:
        """The writer itself."""
        file = self._stack.enter_context(writing_atomically(self.path))
        self._container = self._stack.enter_context(av.open(file, "w", format="mp4"))
        self._stream: av.VideoStream | None = None
        return self

    def write(self, pixels: Pixels, time_s: float) -> None:
        """A further frame of the size of the first, shown from `time_s` on."""
        height, width = pixels.shape[:2]
        # The pixel format halves the colours, so both sides must be even.
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._stream = self._add_stream(pixels.shape[1], pixels.shape[0])
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        self._last = max(self._last + 1, round(time_s / TICK))
        frame.pts, frame.time_base = self._last, TICK
        self._container.mux(self._stream.encode(frame))

    def _add_stream(self, width: int, height: int) -> av.VideoStream:
        codec = next(name for name in CODECS if name in av.codecs_available)
        stream = self._container.add_stream(codec, rate=self.rate, options=CODECS[codec])
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = TICK
        return stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Writes what the encoder still holds."""
        if kind is None and self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._stack.__exit__(kind, error, trace)
