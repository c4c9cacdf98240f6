"""Time and peak memory of RPN, Fast R-CNN and Faster R-CNN with ResNet-50 at 800 x 1333, on this machine.

    python benchmarks/rcnn.py                            all rows, about a quarter of an hour on two cores
    python benchmarks/rcnn.py --size 192x256 --repeats 1 does it run

Each row runs in a process of its own, so that the peak is its own; "before" is what the process held before
the work, with torch, the network and the input. Weights are random: hardly a region passes the score
threshold, so the last suppression has nothing to do; all else does not depend on the weights. A training step
is forward, backward and update with the recipe's settings (256 anchors and 512 regions an image, 2,000
proposals); prediction is that of `amidst predict`, with 1,000 proposals.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from timing import show, write
from torch import nn

from amidst.models.build import build_model, size_divisor
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import Target
from amidst.ops.images import ImageBatch
from amidst.recipes import recipe

RESULTS = Path(__file__).parent / "results" / "rcnn.json"
RECIPES = {"rpn": "rpn_r50_fpn", "fast": "fast_rcnn_r50_fpn", "faster": "faster_rcnn_r50_fpn_1x"}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Size = tuple[int, int]


def peak_mb() -> float:
    # Not ru_maxrss, which a process inherits from the one that starts it.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def batch(size: Size, images: int, divisor: int) -> tuple[ImageBatch, list[Target]]:
    """Noise, twenty objects an image, and 2,000 proposals of which some fit an object."""
    g = torch.Generator().manual_seed(0)
    height, width = size
    padded = [-(-side // divisor) * divisor for side in size]
    pixels = torch.randn(images, 3, *padded, generator=g).contiguous(memory_format=torch.channels_last)
    limit = torch.tensor([width, height])

    def boxes(count: int) -> torch.Tensor:
        side = 2 ** (torch.rand(count, 2, generator=g) * 4 + 4)
        corner = torch.rand(count, 2, generator=g) * (limit - side).clamp(min=1)
        return torch.cat((corner, torch.minimum(corner + side, limit)), dim=1)

    objects = boxes(20)
    near = objects.repeat(20, 1) + torch.randn(400, 4, generator=g) * 4
    proposals = torch.cat((near, boxes(1600)))
    targets = [Target(objects, torch.arange(20), None, index) for index in range(images)]
    return ImageBatch(pixels, (size,) * images, (proposals,) * images), targets


def measure(
    network: str, work: str, precision: str, size: Size, repeats: int, threads: int
) -> dict[str, object]:
    """One row."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # with random weights activations fade to numbers that CPUs are slow with
    torch.manual_seed(0)
    experiment = recipe(RECIPES[network]).make()
    model = build_model(experiment.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, targets = batch(size, 1, size_divisor(experiment.model))
    if network != "fast":
        images = replace(images, proposals_xyxy=None)
    dtype = PRECISIONS[precision]
    if work == "prediction":
        model = prepare_for_inference(model, dtype)
        run: Callable[[], object] = lambda: predict(model, images)  # noqa: E731
    else:
        optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-4, momentum=0.9)
        run = lambda: step(model, optimiser, images, targets, dtype)  # noqa: E731
    before = peak_mb()
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return {
        "name": RECIPES[network],
        "work": work,
        "precision": precision,
        "size": f"{size[0]}x{size[1]}",
        "images": 1,
        "median_s": round(statistics.median(times[1:]), 3),
        "peak_mb": round(peak_mb()),
        "before_mb": round(before),
    }


def predict(model: nn.Module, images: ImageBatch) -> None:
    with torch.no_grad():
        model(images)


def step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: ImageBatch,
    targets: list[Target],
    dtype: torch.dtype,
) -> None:
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        losses = model(images, targets)
    optimiser.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    optimiser.step()


def parse_size(text: str) -> Size:
    height, width = text.split("x")
    return int(height), int(width)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--size", type=parse_size, default=(800, 1333))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    rows = []
    for network in options.networks:
        for work in ("prediction", "training step"):
            for precision in options.precisions:
                arguments = (network, work, precision, options.size, options.repeats, options.threads)
                with ProcessPoolExecutor(1, context) as pool:
                    rows.append(pool.submit(measure, *arguments).result())
                show(rows[-1:])
                write(options.output, "python benchmarks/rcnn.py", "wall", rows)


if __name__ == "__main__":
    main()
