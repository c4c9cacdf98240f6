"""A mask for a click (amidst.inference.assist): what an image costs once, and what each click costs then.

    python benchmarks/assist.py runs/fpn_masks PHOTO.jpg

Goal: at most 100 ms a click with a light model on two cores. The photograph is looked at `--repeats` times;
clicks and boxes are drawn at random inside it.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from timing import Row, add_arguments, interleaved, show, write

from amidst.coco.images import read_image
from amidst.inference.assist import open_scene
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import load_model, resolve_model

RESULTS = Path(__file__).parent / "results" / "assist.json"
CLICKS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photograph", type=Path)
    add_arguments(parser, RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network, info = load_model(resolve_model(options.model))
    network, image = prepare_for_inference(network), read_image(options.photograph)
    height, width = image.shape[:2]
    scene = open_scene(network, info, image)
    generator = np.random.default_rng(0)
    points = generator.uniform(0, [width, height], (CLICKS, 2)).tolist()
    corners = generator.uniform(0, [width - 32, height - 32], (CLICKS, 2))
    boxes = np.concatenate((corners, corners + generator.uniform(16, 32, (CLICKS, 2))), axis=1).tolist()

    works: dict[str, tuple[int, Callable[[], object]]] = {
        "look at the image once": (1, lambda: open_scene(network, info, image)),
        "a click": (CLICKS, lambda: [scene.at_point(x, y) for x, y in points]),
        "a box": (CLICKS, lambda: [scene.at_box(box) for box in boxes]),
    }
    times = interleaved({name: work for name, (_, work) in works.items()}, options.repeats, options.clock)
    rows: list[Row] = [
        {
            "family": type(info.config).__name__.removesuffix("Config"),
            "image": f"{width}x{height}",
            "proposals": len(scene.rles),
            "name": name,
            "median_ms": round(statistics.median(times[name]) / count * 1e3, 3),
            "worst_ms": round(max(times[name]) / count * 1e3, 3),
        }
        for name, (count, _) in works.items()
    ]
    show(rows)
    write(options.output, "python benchmarks/assist.py", options.clock, rows)


if __name__ == "__main__":
    main()
