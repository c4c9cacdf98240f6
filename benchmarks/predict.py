"""How much of reading, resizing and drawing hides behind the network, in photographs and in a video.

    network       images that are read and resized already
    in turn       read, resize, predict (and draw), one after the other in one thread
    ahead         as `amidst predict` does it: reading in threads ahead of the network, drawing behind it

    hidden = (in turn - ahead) / (in turn - network)      1: predicting takes no longer than the network alone

    python benchmarks/predict.py                         16 photographs of 12 megapixels, video of 720 lines
    python benchmarks/predict.py --count 4 --repeats 1   does it run

The network is the built-in detector on one thread (`--threads`); the threads that read and draw need a core
of their own, so with as many threads as cores little can hide. The photographs are those of the bundled
sample.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path, PurePath

import numpy as np
import torch
from PIL import Image as PillowImage
from timing import Row, add_arguments, interleaved, show, write
from torch import nn

from amidst.apps.cli.pictures import Gallery
from amidst.apps.cli.predict_records import Work, drawing
from amidst.coco.images import read_image
from amidst.data import sample_dir
from amidst.inference.predict import Prediction, predict_images, predict_prepared, resize_rule, to_results
from amidst.inference.reading import Prepared, Source, prepare, prepare_pixels
from amidst.inference.video import Clip, ClipWriter, open_clip, predict_clip, read_frames
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import ModelInfo, load_model, resolve_model

RESULTS = Path(__file__).parent / "results" / "predict.json"
SIZE = (4000, 3000)  # of a telephone
FRAME = (1280, 720)
RATE = 25
CPU = torch.device("cpu")


def photographs(folder: Path, count: int) -> list[Path]:
    """JPEG files of `SIZE`."""
    sources = sorted((sample_dir() / "images").glob("*.jpg"))
    paths = [folder / f"{index}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        with PillowImage.open(sources[index % len(sources)]) as picture:
            picture.convert("RGB").resize(SIZE, PillowImage.Resampling.BICUBIC).save(path, quality=90)
    return paths


def film(folder: Path, count: int) -> Clip:
    """A window that moves over a photograph."""
    with PillowImage.open(sorted((sample_dir() / "images").glob("*.jpg"))[0]) as picture:
        wide = picture.convert("RGB").resize((FRAME[0] + count, FRAME[1]), PillowImage.Resampling.BICUBIC)
    whole = np.asarray(wide)
    with ClipWriter(folder / "film.mp4", Fraction(RATE)) as writer:
        for index in range(count):
            writer.write(whole[:, index : index + FRAME[0]], index / RATE)
    return open_clip(folder / "film.mp4")


def photograph_works(
    model: nn.Module, info: ModelInfo, paths: list[Path], drawn: Path | None
) -> dict[str, Callable[[], object]]:
    """The three ways, with pictures written to `drawn`, or without."""
    ready = [prepare(Source(path, None, 0), resize_rule(info), CPU, info.config.pixels) for path in paths]
    prepared = [item for item in ready if isinstance(item, Prepared)]
    work = Work(model, info, np.arange(info.config.num_classes), 0.3, 1, 2)
    sources = [Source(path, None, 0) for path in paths]

    def draw(prediction: Prediction, folder: Path) -> None:
        picture = drawing(work, prediction, to_results(prediction, work.category_ids))
        pixels = picture(read_image(prediction.path))
        PillowImage.fromarray(pixels).save(folder / prediction.path.name, quality=90)

    def in_turn() -> None:
        for prediction in predict_images(model, info, sources, workers=0):
            if drawn is not None:
                draw(prediction, drawn)

    def ahead() -> None:
        if drawn is None:
            list(predict_images(model, info, sources))
            return
        with Gallery(drawn) as gallery:
            for prediction in predict_images(model, info, sources):
                picture = drawing(work, prediction, to_results(prediction, work.category_ids))
                gallery.add(prediction.path, PurePath(prediction.path.name), picture, prediction.size_hw)

    return {
        "network": lambda: list(predict_prepared(model, info, prepared)),
        "in turn": in_turn,
        "ahead": ahead,
    }


def film_works(model: nn.Module, info: ModelInfo, clip: Clip) -> dict[str, Callable[[], object]]:
    """The three ways of a video."""
    rule, pixels = resize_rule(info), info.config.pixels

    def prepared() -> list[Prepared]:
        source = Source(clip.path, None, 0)
        return [prepare_pixels(source, frame.pixels, rule, CPU, pixels) for frame in read_frames(clip)]

    def in_turn() -> None:
        source = Source(clip.path, None, 0)
        frames = (prepare_pixels(source, frame.pixels, rule, CPU, pixels) for frame in read_frames(clip))
        list(predict_prepared(model, info, frames))

    ready = prepared()
    return {
        "network": lambda: list(predict_prepared(model, info, ready)),
        "in turn": in_turn,
        "ahead": lambda: list(predict_clip(model, info, clip)),
    }


def rows_of(what: str, count: int, times: dict[str, list[float]]) -> list[Row]:
    """One row for each way, and the share that is hidden."""
    rows: list[Row] = [
        {"work": what, "name": name, "median_ms_an_image": round(1e3 * statistics.median(values) / count, 2)}
        for name, values in times.items()
    ]
    rounds = zip(times["network"], times["in turn"], times["ahead"], strict=True)
    hidden = statistics.median((turn - ahead) / (turn - network) for network, turn, ahead in rounds)
    return [*rows, {"work": what, "name": "hidden", "share": round(hidden, 2)}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_arguments(parser, RESULTS)
    parser.set_defaults(threads=1, repeats=5)
    parser.add_argument("--count", type=int, default=16, help="photographs, and frames")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model, info = load_model(resolve_model("person"))
    model = prepare_for_inference(model)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drawn").mkdir()
        paths, clip = photographs(folder, arguments.count), film(folder, arguments.count)
        parts = {
            "photographs": photograph_works(model, info, paths, None),
            "photographs, drawn": photograph_works(model, info, paths, folder / "drawn"),
            "video": film_works(model, info, clip),
        }
        for what, works in parts.items():
            found = rows_of(what, arguments.count, interleaved(works, arguments.repeats, arguments.clock))
            show(found)
            rows += found
    write(arguments.output, "python benchmarks/predict.py", arguments.clock, rows)


if __name__ == "__main__":
    main()
