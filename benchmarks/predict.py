"""How much of reading, resizing and drawing hides behind the network, in photographs and in a video.

    network       images that are read and resized already
    in turn       read, resize, predict (and draw), one after the other in one thread
    ahead         as `amidst predict` does it: reading in threads ahead of the network, drawing behind it

    whole = ahead / network                               1: predicting takes no longer than the network alone
    hidden = (in turn - ahead) / (in turn - network)      1 in the same case, 0: nothing is hidden

    python benchmarks/predict.py                         4 photographs of each kind, video of 720 lines
    python benchmarks/predict.py --count 2 --repeats 1   does it run

Two networks: the built-in detector, on photographs of a telephone (12 megapixels) and a video, and RetinaNet
ResNet-50 with random weights at 416x672 on photographs of COCO (640x480), in float32 and, where the processor
has units for it, in bfloat16. Each on one thread, which leaves a core to the threads that read and draw, and
RetinaNet also on all: what is read then takes time from the network itself. The photographs are those of the
bundled sample.
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
from amidst.models.config import RetinaNetConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.retinanet import RetinaNet
from amidst.models.weights import ModelInfo, load_model, resolve_model

RESULTS = Path(__file__).parent / "results" / "predict.json"
TELEPHONE, COCO = (4000, 3000), (640, 480)
FRAME = (1280, 720)
RATE = 25
CPU = torch.device("cpu")


def photographs(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """JPEG files of a size."""
    folder.mkdir()
    sources = sorted((sample_dir() / "images").glob("*.jpg"))
    paths = [folder / f"{index}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        with PillowImage.open(sources[index % len(sources)]) as picture:
            picture.convert("RGB").resize(size, PillowImage.Resampling.BICUBIC).save(path, quality=90)
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


def retinanet() -> tuple[RetinaNet, ModelInfo]:
    """RetinaNet R50 of 80 classes with random weights, for images of 416x672."""
    torch.manual_seed(0)
    categories = tuple({"id": n, "name": f"class {n}", "supercategory": ""} for n in range(1, 81))
    info = ModelInfo(RetinaNetConfig(), categories, {"resize": {"short": 416, "long": 672}})
    return RetinaNet(RetinaNetConfig()).eval(), info


def precisions() -> list[torch.dtype]:
    """Those that this processor is fast in."""
    narrow = torch.cpu.get_capabilities().get("amx_bf16", False)
    return [torch.float32, *([torch.bfloat16] if narrow else [])]


def rows_of(what: str, threads: int, count: int, times: dict[str, list[float]]) -> list[Row]:
    """One row for each way, and what the whole takes beside the network."""
    rows: list[Row] = [
        {
            "work": what,
            "threads": threads,
            "name": name,
            "median_ms_an_image": round(1e3 * statistics.median(values) / count, 2),
        }
        for name, values in times.items()
    ]
    rounds = list(zip(times["network"], times["in turn"], times["ahead"], strict=True))
    whole = statistics.median(ahead / network for network, _, ahead in rounds)
    hidden = statistics.median((turn - ahead) / (turn - network) for network, turn, ahead in rounds)
    ratios = {"whole_over_network": round(whole, 3), "share_hidden": round(hidden, 2)}
    return [*rows, {"work": what, "threads": threads, "name": "ratios", **ratios}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_arguments(parser, RESULTS)
    parser.set_defaults(repeats=5)
    parser.add_argument("--count", type=int, default=4, help="photographs, and frames")
    arguments = parser.parse_args()
    torch.set_flush_denormal(True)  # with random weights activations fade to numbers that CPUs are slow with
    person, info = load_model(resolve_model("person"))
    person = prepare_for_inference(person)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drawn").mkdir()
        large = photographs(folder / "telephone", arguments.count, TELEPHONE)
        small = photographs(folder / "coco", arguments.count, COCO)
        clip = film(folder, arguments.count)
        runs = [
            ("person, 12 megapixels", 1, photograph_works(person, info, large, None)),
            ("person, 12 megapixels, drawn", 1, photograph_works(person, info, large, folder / "drawn")),
            ("person, video", 1, film_works(person, info, clip)),
        ]
        model, about = retinanet()
        for dtype in precisions():
            works = photograph_works(prepare_for_inference(model, dtype), about, small, None)
            what = f"RetinaNet R50, 416x672, {str(dtype).removeprefix('torch.')}"
            runs += [(what, threads, works) for threads in sorted({1, arguments.threads})]
        for what, threads, works in runs:
            torch.set_num_threads(threads)
            times = interleaved(works, arguments.repeats, arguments.clock)
            found = rows_of(what, threads, arguments.count, times)
            show(found)
            rows += found
    torch.set_num_threads(arguments.threads)
    write(arguments.output, "python benchmarks/predict.py", arguments.clock, rows)


if __name__ == "__main__":
    main()
