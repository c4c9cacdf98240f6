"""Speed of the way from image files to network input: images a second of one core.

    python benchmarks/loader.py                          photographs of 640x480, short side 800
    python benchmarks/loader.py --images 8 --repeats 1   does it run

Work is counted in seconds of processor time on one thread, so that a busy machine does not change the
figure. The
photographs are those of the bundled sample, brought to 640x480 as JPEG of quality 90. The peer decodes and
resizes with Pillow.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from timing import Row, show, write

from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Category, Image
from amidst.models.config import PixelConfig
from amidst.ops.images import resize, resized_hw
from amidst.training.batching import BatchPlan, BatchStream, load_batches
from amidst.training.config import ResizeConfig
from amidst.training.samples import Samples
from amidst.training.transforms import Draw, make_inputs

RESULTS = Path(__file__).parent / "results" / "loader.json"
SAMPLE = Path(__file__).parent.parent / "src" / "amidst" / "data" / "sample"
WIDTH, HEIGHT = 640, 480
GOAL = 140.0  # images a second of one core
BATCH = 4
PEER = "pillow: decode, resize"


def write_photographs(folder: Path, count: int) -> Samples:
    """`count` photographs of 640x480 below `folder`, as samples without objects."""
    sources = sorted(SAMPLE.rglob("*.jpg"))
    for index in range(count):
        with PillowImage.open(sources[index % len(sources)]) as picture:
            whole = picture.convert("RGB").resize((WIDTH, HEIGHT), PillowImage.Resampling.BICUBIC)
            whole.save(folder / f"{index}.jpg", quality=90)
    images = tuple(Image(index, WIDTH, HEIGHT, f"{index}.jpg") for index in range(count))
    classes = ClassMap([Category(1, "thing")])
    return Samples(CocoDataset(images, (), classes.categories), folder, classes)


def works_on(samples: Samples, rule: ResizeConfig) -> dict[str, Callable[[], object]]:
    """What is timed; each goes over all images once."""
    everything = range(len(samples))
    size_hw = resized_hw((HEIGHT, WIDTH), rule.short, rule.long)
    decoded = [samples[index].image for index in everything]
    plan = BatchPlan(samples.sizes_hw, batch_size=BATCH, seed=0, aspect_grouping=True)

    def pillow() -> None:
        for index in everything:
            with PillowImage.open(samples.pictures.path(index)) as picture:
                small = picture.convert("RGB").resize(size_hw[::-1], PillowImage.Resampling.BILINEAR)
                np.asarray(small)

    def loader() -> None:
        stream = BatchStream(plan, 0, plan.steps)
        for batch in load_batches(samples, stream, workers=0, device=torch.device("cpu")):
            make_inputs(batch, [Draw(flip=True)] * len(batch), rule, PixelConfig(), 128)

    return {
        PEER: pillow,
        "decode": lambda: [samples[index].image for index in everything],
        "resize": lambda: [resize(image, size_hw) for image in decoded],
        "decode, resize": lambda: [resize(samples[index].image, size_hw) for index in everything],
        "whole loader: decode, resize, flip, normalise, batch": loader,
    }


def measure(works: dict[str, Callable[[], object]], images: int, repeats: int) -> list[Row]:
    """Images per second of processor time; works take turns, after one turn to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if turn:
                seconds[name].append(time.process_time() - start)
    return [
        {
            "name": name,
            "images_per_core_s": round(images / statistics.median(values), 1),
            "best": round(images / min(values), 1),
            "goal": GOAL if name == "decode, resize" else None,
        }
        for name, values in seconds.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--short", type=int, default=800)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rule = ResizeConfig(short=options.short, long=round(options.short * 1333 / 800))
    with tempfile.TemporaryDirectory() as folder:
        samples = write_photographs(Path(folder), options.images)
        rows = measure(works_on(samples, rule), options.images, options.repeats)
    for row in rows:
        row |= {"from_hw": [HEIGHT, WIDTH], "short": options.short}
    show(rows)
    write(options.output, "python benchmarks/loader.py", rows)


if __name__ == "__main__":
    main()
