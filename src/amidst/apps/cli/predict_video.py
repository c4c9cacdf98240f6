"""`amidst predict` on video files: a JSON line for each frame, and a video with boxes."""

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import typer

from amidst.apps.cli.console import print_json, print_table, say, warning_line
from amidst.apps.cli.pictures import Draw
from amidst.apps.cli.predict_records import Work, detection_records, drawing, listed
from amidst.apps.cli.progress import step
from amidst.coco.files import writing_atomically
from amidst.errors import FindingError, UsageError
from amidst.inference.finding import is_video_name
from amidst.inference.predict import to_results
from amidst.inference.video import Clip, ClipWriter, Frame, open_clip, predict_clip

WAITING = 8  # frames that may wait for the thread that draws
ENDING = ".mp4"  # of the videos that are written


def only_videos(paths: list[str], ann: Path | None, proposals: Path | None, every: int) -> list[Path]:
    """The videos among the paths; none, or all. Raises UsageError for mixtures and what does not fit."""
    videos = [Path(path) for path in paths if is_video_name(path)]
    if every > 1 and not videos:
        raise UsageError(f"--every {every}: for videos, and none is named")
    if videos and proposals is not None:
        raise UsageError("--proposals needs --ann and --images: it names images by their ids")
    if videos and (ann is not None or len(videos) < len(paths)):
        raise UsageError(f"{videos[0]}: videos and photographs go into separate calls")
    return videos


def predict_videos(
    work: Work, videos: list[Path], every: int, output: Path | None, draw: Path | None, as_json: bool
) -> None:
    """Predict on the frames of videos, list them or their sums on stdout. Exits with 1 where any failed.

    `output` gets a line for each frame and `draw` a video for each video; both appear when they are complete.
    """
    targets = _targets(videos, draw)
    rows, lost = [], 0
    with ExitStack() as stack:
        lines = None if output is None else stack.enter_context(writing_atomically(output))
        for video, target in zip(videos, targets, strict=True):
            try:
                found = _predict_video(work, open_clip(video), every, lines, target, as_json)
            except FindingError as error:
                warning_line(str(error))
                lost += 1
                continue
            if found.broken:
                warning_line(f"{video}: {found.broken} frames could not be decoded and were passed over")
                lost += 1
            rows.append((str(video), str(found.frames), str(found.with_objects), str(found.objects)))
        if not rows:
            raise FindingError("none of the videos could be read")
    if not as_json:
        titles = ("video", "frames", "with objects", "objects")
        print_table("", titles, rows, right=titles[1:])
    if output is not None:
        say(f"{sum(int(row[1]) for row in rows)} frames written to {output}")
    if draw is not None:
        say(f"videos written to {draw}")
    if lost:
        raise typer.Exit(1)


@dataclass
class _Sums:
    """What was found in a video."""

    frames: int = 0
    with_objects: int = 0
    objects: int = 0
    broken: int = 0


def _predict_video(
    work: Work, clip: Clip, every: int, lines: BinaryIO | None, target: Path | None, as_json: bool
) -> _Sums:
    sums = _Sums()

    def on_broken() -> None:
        sums.broken += 1

    with ExitStack() as stack:
        film = None if target is None else stack.enter_context(_Film(target, clip, every))
        bar = stack.enter_context(step(f"predicting on {clip.path.name}", -(-clip.frames // every) or None))
        found = predict_clip(
            work.model,
            work.info,
            clip,
            every=every,
            tiling=work.tiling,
            batch_size=work.batch_size,
            workers=work.workers,
            on_broken=on_broken,
        )
        for frame, prediction in found:
            part = to_results(prediction, work.category_ids)
            shown = listed(part, work.threshold)
            about = _about(clip, frame)
            if lines is not None:
                record = about | {"detections": detection_records(work, part, listed(part, 0.0))}
                lines.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            if as_json:
                print_json(about | {"detections": detection_records(work, part, shown)})
            if film is not None:
                film.add(frame, drawing(work, prediction, part))
            sums.frames, sums.objects = sums.frames + 1, sums.objects + len(shown)
            sums.with_objects += bool(shown)
            bar.update(sums.frames)
        if not sums.frames:
            raise FindingError(f"{clip.path}: no frame of this video can be decoded")
    return sums


def _about(clip: Clip, frame: Frame) -> dict[str, Any]:
    height, width = frame.pixels.shape[:2]
    return {
        "file_name": str(clip.path),
        "frame": frame.number,
        "time_s": round(frame.time_s, 6),
        "height": height,
        "width": width,
    }


def _targets(videos: list[Path], draw: Path | None) -> list[Path | None]:
    """Where each video is drawn: its own name in the folder, with a number where another one has it."""
    if draw is None:
        return [None] * len(videos)
    taken: list[Path | None] = []
    for video in videos:
        target, number = draw / f"{video.stem}{ENDING}", 1
        while target in taken:
            number += 1
            target = draw / f"{video.stem}-{number}{ENDING}"
        if target.resolve() == video.resolve():
            raise UsageError(f"{video}: would be written over; choose another folder for --draw")
        taken.append(target)
    return taken


class _Film:
    """A video drawn and encoded by a thread of its own, in order; a few frames may wait."""

    def __init__(self, target: Path, clip: Clip, every: int) -> None:
        self._writer = ClipWriter(target, clip.rate / every)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="amidst-film")
        self._waiting: deque[Future[None]] = deque()

    def add(self, frame: Frame, draw: Draw) -> None:
        """A further frame with what is drawn on it."""
        self._waiting.append(self._pool.submit(lambda: self._writer.write(draw(frame.pixels), frame.time_s)))
        while len(self._waiting) > WAITING:
            self._waiting.popleft().result()

    def __enter__(self) -> _Film:
        """The film itself."""
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last frame; after an error of the caller no video is left."""
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        try:
            if kind is None:
                for job in self._waiting:
                    job.result()
        except BaseException as failure:
            self._writer.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._writer.__exit__(kind, error, trace)
