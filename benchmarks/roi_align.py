"""Speed of pooling the features of regions from the pyramid P2-P5 of an 800 x 1344 image.

    python benchmarks/roi_align.py             1,000 regions forward, 512 forward and backward
    python benchmarks/roi_align.py --image 128 160 --channels 8 --repeats 1      does it run

The peer is torchvision's compiled kernel where torchvision is installed, level by level with the boxes of the
level, as in its detectors. The plain way without a kernel, `grid_sample` of one crop after the other, takes
part in the forward pass. Both ways of storing the features are measured: channels-last, as the networks of
amidst compute them, and plain. Every work ends with the matrix (N, C * 7 * 7) that a head takes.

The floor is what moving the bytes would take if nothing stayed in a cache: 16 cells of C numbers for a bin of
2 x 2 samples, and the result, at the speed of a copy between large arrays in the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from timing import Row, add_arguments, interleaved, rows_of, show, write
from torch import Tensor

from amidst.ops.regions import level_of, pool_pyramid

RESULTS = Path(__file__).parent / "results" / "roi_align.json"
STRIDES = (4, 8, 16, 32)
SIZE = 7


def regions(count: int, image_hw: tuple[int, int]) -> Tensor:
    """Boxes (N, 4) inside the image, as proposals are: half of them small, the sides from 11 pixels up."""
    g = torch.Generator().manual_seed(0)
    extent = torch.tensor([image_hw[1], image_hw[0]])
    side = torch.exp(torch.rand(count, generator=g) * 4.6 + 2.4)
    aspect = torch.exp(torch.randn(count, generator=g) * 0.35)
    wh = torch.minimum(torch.stack((side * aspect, side / aspect), dim=1), extent)
    corner = torch.rand(count, 2, generator=g) * (extent - wh)
    return torch.cat((corner, corner + wh), dim=1)


def pyramid(channels: int, image_hw: tuple[int, int], layout: str, learn: bool) -> list[Tensor]:
    g = torch.Generator().manual_seed(1)
    height, width = image_hw
    form = torch.channels_last if layout == "channels-last" else torch.contiguous_format
    maps = [torch.randn(1, channels, -(-height // s), -(-width // s), generator=g) for s in STRIDES]
    return [each.contiguous(memory_format=form).requires_grad_(learn) for each in maps]


def amidst(features: list[Tensor], boxes: Tensor, kind: str) -> Tensor:
    image_index = torch.zeros(len(boxes), dtype=torch.int64)
    pooled = pool_pyramid(
        features, boxes, image_index, size=SIZE, strides=STRIDES, levels=(2, 5), kind=kind, sampling=2
    )
    return pooled.flatten(1)


def torchvision(features: list[Tensor], boxes: Tensor, kind: str, kernels: Callable[..., Tensor]) -> Tensor:
    level = level_of(boxes)
    pooled = boxes.new_empty(len(boxes), features[0].shape[1], SIZE, SIZE)
    for k, (each, stride) in enumerate(zip(features, STRIDES, strict=True), start=2):
        here = (level == k).nonzero()[:, 0]
        rest = (2, True) if kind == "align" else ()
        pooled[here] = kernels(each, [boxes[here]], SIZE, 1 / stride, *rest)
    return pooled.flatten(1)


def one_by_one(features: list[Tensor], boxes: Tensor) -> Tensor:
    """Each box sampled by `grid_sample` at its 14 x 14 points, and averaged by fours."""
    pooled = []
    steps = (torch.arange(2 * SIZE) + 0.5) / (2 * SIZE)
    for box, level in zip(boxes, (level_of(boxes) - 2).tolist(), strict=True):
        feature, stride = features[level], STRIDES[level]
        x = (box[0] + steps * (box[2] - box[0])) / stride / feature.shape[3] * 2 - 1
        y = (box[1] + steps * (box[3] - box[1])) / stride / feature.shape[2] * 2 - 1
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]
        samples = torch.nn.functional.grid_sample(feature, grid, padding_mode="border", align_corners=False)
        pooled.append(torch.nn.functional.avg_pool2d(samples, 2))
    return torch.cat(pooled).flatten(1)


def floor_ms(count: int, channels: int, clock: str) -> float:
    """Time of moving the bytes of the forward pass by a plain copy."""
    moved = count * SIZE**2 * (16 + 1) * channels * 4
    source, target = torch.zeros(2, 1 << 25).unbind()  # 128 MB each
    times = interleaved({"copy": partial(target.copy_, source)}, 5, clock)["copy"]
    return min(times) * moved / (2 * source.numel() * 4) * 1e3


def with_gradient(pool: Callable[[], Tensor], features: list[Tensor], grad: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(pool(), features, grad)


def expect_equal(found: object, expected: object) -> None:
    """All but a few numbers agree: the peer's float32 rounds a few borders of bins differently."""
    pairs = zip(*((x,) if isinstance(x, Tensor) else x for x in (found, expected)), strict=True)  # type: ignore[misc]
    for ours, theirs in pairs:
        near = torch.isclose(ours, theirs, rtol=1e-3, atol=1e-3)
        assert float((~near).float().mean()) < 1e-3, "the works do not compute the same"


def measure(works: dict[str, Callable[[], object]], repeats: int, clock: str, **about: object) -> list[Row]:
    expected = next(iter(works.values()))()
    for work in works.values():
        expect_equal(work(), expected)
    del expected
    rows = rows_of(interleaved(works, repeats, clock), next(iter(works)), **about)
    show(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs=2, default=[1000, 512], metavar=("FORWARD", "BACKWARD"))
    parser.add_argument("--image", type=int, nargs=2, default=[800, 1344], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--channels", type=int, default=256)
    add_arguments(parser, RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ops = None
    if importlib.util.find_spec("torchvision"):
        from torchvision import ops
    image_hw = (arguments.image[0], arguments.image[1])
    rows: list[Row] = []
    for kind in ("align", "max"):
        for count, learn in zip(arguments.counts, (False, True), strict=True):
            boxes = regions(count, image_hw)
            grad = torch.randn(
                count, arguments.channels * SIZE**2, generator=torch.Generator().manual_seed(2)
            )
            maps = {
                layout: pyramid(arguments.channels, image_hw, layout, learn)
                for layout in ("plain", "channels-last")
            }
            pools: dict[str, tuple[Callable[[], Tensor], list[Tensor]]] = {}
            if ops is not None:
                kernel = ops.roi_align if kind == "align" else ops.roi_pool
                pools["torchvision"] = partial(torchvision, maps["plain"], boxes, kind, kernel), maps["plain"]
            for layout, features in maps.items():
                pools[f"amidst, {layout}"] = partial(amidst, features, boxes, kind), features
            if kind == "align" and not learn:
                pools["grid_sample, one by one"] = partial(one_by_one, maps["plain"], boxes), maps["plain"]
            works: dict[str, Callable[[], object]] = {name: pool for name, (pool, _) in pools.items()}
            if learn:
                works = {name: partial(with_gradient, *pool, grad) for name, pool in pools.items()}
            about = f"{count} regions, {kind}, forward" + " and backward" * learn
            rows += measure(works, arguments.repeats, arguments.clock, work=about)
    floor = floor_ms(arguments.counts[0], arguments.channels, arguments.clock)
    floor_row: Row = {"work": f"{arguments.counts[0]} regions, align, forward", "name": "floor"}
    rows.append({**floor_row, "median_ms": round(floor, 3)})
    show(rows[-1:])
    write(arguments.output, "python benchmarks/roi_align.py", arguments.clock, rows)


if __name__ == "__main__":
    main()
