"""Speed of RetinaNet R50: prediction, decoding, a training step.

The peer is the same network as it is usually written: batch norms as modules of their own after the
convolutions (evaluation mode), NCHW. Both run alternately in one process, because absolute times on a shared
machine swing by a factor of two; the figure to look at is the median of the ratios.

    python benchmarks/network.py                              both sizes, all rows, about ten minutes
    python benchmarks/network.py --sizes 128x128 --repeats 1  does it run
    python benchmarks/network.py --compile                    one more row: the folded network compiled

Random weights: speed does not depend on them. Decoding gets made-up outputs that look like those of a trained
network.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import multiprocessing
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amidst.models.config import RetinaNetConfig
from amidst.models.norms import FrozenNorm, prepare_for_inference
from amidst.models.retinanet import RetinaNet
from amidst.models.retinanet_decode import decode_detections
from amidst.models.structures import DenseOutputs, Target
from amidst.ops.boxes import pairwise_iou
from amidst.ops.images import ImageBatch

RESULTS = Path(__file__).parent / "results" / "network.json"
Size = tuple[int, int]
Row = dict[str, Any]


def plain(model: RetinaNet) -> RetinaNet:
    """The peer: every folded norm a batch norm of its own, in evaluation mode."""
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, FrozenNorm):
                norm = nn.BatchNorm2d(child.weight.shape[0], eps=child.eps).eval().requires_grad_(False)
                norm.load_state_dict(child.state_dict(), strict=False)
                setattr(module, name, norm)
    return model


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Times of each work, taken in turns after one call of each to warm up."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def network_rows(size: Size, repeats: int, with_compile: bool) -> list[Row]:
    """The network without decoding, batch 1."""
    torch.manual_seed(0)
    model = RetinaNet(RetinaNetConfig()).eval()
    peer, ours = plain(model), prepare_for_inference(model)
    pixels = torch.randn(1, 3, *size)
    channels_last = pixels.contiguous(memory_format=torch.channels_last)
    works: dict[str, Callable[[], object]] = {
        "eager, norms apart, NCHW": lambda: peer.predict(pixels),
        "amidst, prepared": lambda: ours.predict(channels_last),
        "amidst, as trained": lambda: model.predict(channels_last),
    }
    if torch.cpu.get_capabilities().get("amx_bf16", False):
        narrow = prepare_for_inference(model, torch.bfloat16)
        works["amidst, prepared in bfloat16"] = lambda: narrow.predict(channels_last)
    if with_compile:
        compiled = torch.compile(ours.predict)
        works["amidst, prepared and compiled"] = lambda: compiled(channels_last)
    with torch.inference_mode():
        check(peer.predict(pixels), ours.predict(channels_last))
        times = interleaved(works, repeats)
    base = times["eager, norms apart, NCHW"]
    return [
        {
            "work": "network",
            "size": f"{size[0]}x{size[1]}",
            "name": name,
            "median_s": round(statistics.median(values), 4),
            "speed_up": round(statistics.median(b / v for b, v in zip(base, values, strict=True)), 3),
        }
        for name, values in times.items()
    ]


def check(expected: DenseOutputs, found: DenseOutputs) -> None:
    """Both networks must compute the same."""
    for a, b in zip(expected.class_logits, found.class_logits, strict=True):
        assert torch.allclose(a, b, atol=1e-3), float((a - b).abs().max())


def made_up_outputs(model: RetinaNet, size: Size, objects: int = 20) -> DenseOutputs:
    """Outputs as of a trained network: low scores with a thin tail, and a cluster around every object."""
    g = torch.Generator().manual_seed(0)
    sizes = tuple((-(-size[0] // s), -(-size[1] // s)) for s in model.fpn.strides)
    anchors = model.anchors(sizes, size, torch.device("cpu"))
    corner = torch.rand(objects, 2, generator=g) * torch.tensor([size[1], size[0]]) * 0.8
    side = 2 ** (torch.rand(objects, 2, generator=g) * 4 + 4)
    boxes = torch.cat((corner, corner + side), dim=1)
    logits: list[Tensor] = []
    for level in anchors:
        x = torch.randn(1, len(level), model.config.num_classes, generator=g) * 0.9 - 6.5
        overlap, owner = pairwise_iou(boxes, level).max(dim=0)
        near = (overlap > 0.4).nonzero()[:, 0]
        x[0, near, owner[near]] = overlap[near] * 12 - 8
        logits.append(x)
    codes = [torch.randn(1, len(level), 4, generator=g) * 0.1 for level in anchors]
    return DenseOutputs(tuple(logits), tuple(codes), anchors)


def decode_row(size: Size, repeats: int) -> Row:
    model = RetinaNet(RetinaNetConfig())
    outputs = made_up_outputs(model, size)
    work = {"decode": lambda: decode_detections(outputs, [size], model.config.decode)}
    times = interleaved(work, max(repeats, 5))["decode"]
    return {
        "work": "decoding",
        "size": f"{size[0]}x{size[1]}",
        "anchors": sum(len(level) for level in outputs.anchors_xyxy),
        "above_threshold": int(sum((x > -2.944439).sum() for x in outputs.class_logits)),
        "median_s": round(statistics.median(times), 4),
    }


def train_step(size: Size, repeats: int, threads: int, folded: bool) -> tuple[float, float, int]:
    """Seconds forward, seconds backward, peak bytes; in a process of its own, so that the peak is its own."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = RetinaNet(RetinaNetConfig())
    if not folded:
        model = plain(model)
    pixels = torch.randn(2, 3, *size)
    if folded:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    images = ImageBatch(pixels, (size, size))
    boxes = torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.5, 0.3, 0.9, 0.9]]) * torch.tensor(
        [*size[::-1], *size[::-1]]
    )
    targets = [Target(boxes, torch.tensor([0, 17]))] * 2
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-3, momentum=0.9)
    forward, backward = [], []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        loss = torch.stack(list(model(images, targets).values())).sum()
        middle = time.perf_counter()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        forward.append(middle - start)
        backward.append(time.perf_counter() - middle)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return statistics.median(forward[1:]), statistics.median(backward[1:]), peak


def train_rows(size: Size, repeats: int) -> list[Row]:
    rows = []
    context = multiprocessing.get_context("spawn")
    for name, folded in (("eager, norms apart, NCHW", False), ("amidst", True)):
        with ProcessPoolExecutor(1, context) as pool:
            step = pool.submit(train_step, size, repeats, torch.get_num_threads(), folded)
            forward, backward, peak = step.result()
        rows.append(
            {
                "work": "training step, batch 2",
                "size": f"{size[0]}x{size[1]}",
                "name": name,
                "forward_and_loss_s": round(forward, 3),
                "backward_and_update_s": round(backward, 3),
                "peak_rss_mb": round(peak / 1e6),
            }
        )
    return rows


def machine() -> dict[str, object]:
    cpu = "unknown"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def parse_size(text: str) -> Size:
    height, width = text.split("x")
    return int(height), int(width)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=parse_size, default=[(416, 672), (800, 1344)])
    parser.add_argument("--train-sizes", nargs="*", type=parse_size, help="default: the first of --sizes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--train-repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: list[Row] = []

    def report(new: list[Row]) -> None:
        rows.extend(new)
        for row in new:
            print("  ".join(f"{value}" for value in row.values()), file=sys.stderr, flush=True)

    for size in arguments.sizes:
        report(network_rows(size, arguments.repeats, arguments.compile))
        report([decode_row(size, arguments.repeats)])
    for size in arguments.sizes[:1] if arguments.train_sizes is None else arguments.train_sizes:
        report(train_rows(size, arguments.train_repeats))
    result = {
        "machine": machine(),
        "command": "python benchmarks/network.py " + " ".join(sys.argv[1:]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "rows": rows,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
