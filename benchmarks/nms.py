"""Speed of non-maximum suppression.

    python benchmarks/nms.py               1,000 to 20,000 boxes, crowded and sparse, and 80 classes
    python benchmarks/nms.py --counts 100 --repeats 1      does it run

The peer is torchvision's compiled kernel where torchvision is installed. The plain loop in Python with one
vectorised comparison a kept box, the usual way without a kernel, takes part where it ends soon.
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

from amidst.ops.boxes import pairwise_iou
from amidst.ops.nms import nms, nms_by_class

RESULTS = Path(__file__).parent / "results" / "nms.json"
IOU = 0.5
PLAIN = "loop over kept boxes"


def loop(boxes: Tensor, scores: Tensor) -> Tensor:
    """One row of overlaps for each kept box."""
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        kept.append(order[0])
        overlaps = pairwise_iou(boxes[order[:1]], boxes[order[1:]])[0]
        order = order[1:][overlaps <= IOU]
    return torch.stack(kept)


def loop_by_class(boxes: Tensor, scores: Tensor, class_index: Tensor) -> Tensor:
    """The loop, class by class."""
    kept = []
    for value in class_index.unique():
        members = (class_index == value).nonzero()[:, 0]
        kept.append(members[loop(boxes[members], scores[members])])
    found = torch.cat(kept)
    return found[scores[found].argsort(descending=True, stable=True)]


def case(kind: str, count: int) -> tuple[Tensor, Tensor]:
    """Boxes on a 1300-pixel image: crowded around count / 100 places, or small ones anywhere."""
    g = torch.Generator().manual_seed(0)
    if kind == "sparse":
        centre = torch.rand(count, 2, generator=g) * 1300
        side = torch.rand(count, 2, generator=g) * 60 + 8
    else:
        places = max(1, count // 100)
        of = torch.randint(0, places, (count,), generator=g)
        typical = torch.rand(places, 2, generator=g) * 200 + 20
        centre = (torch.rand(places, 2, generator=g) * 1300)[of]
        centre += torch.randn(count, 2, generator=g) * typical[of] * 0.15
        side = typical[of] * torch.exp(torch.randn(count, 2, generator=g) * 0.15)
    scores = torch.randperm(count, generator=g) / count  # no two equal: the peer breaks ties at random
    return torch.cat((centre - side / 2, centre + side / 2), dim=1), scores


def measure(works: dict[str, Callable[[], Tensor]], repeats: int, clock: str, about: str) -> list[Row]:
    results = [work() for work in works.values()]
    assert all(torch.equal(result, results[0]) for result in results), "results differ"
    rows = rows_of(interleaved(works, repeats, clock), next(iter(works)), work=about, kept=len(results[0]))
    show(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000, 20_000])
    parser.add_argument("--classes", type=int, default=80)
    add_arguments(parser, RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ops = None
    if importlib.util.find_spec("torchvision"):
        from torchvision import ops
    rows: list[Row] = []
    for count in arguments.counts:
        for kind in ("crowded", "sparse"):
            boxes, scores = case(kind, count)
            works: dict[str, Callable[[], Tensor]] = {}
            if ops is not None:
                works["torchvision"] = partial(ops.nms, boxes, scores, IOU)
            if count <= 1000:
                works[PLAIN] = partial(loop, boxes, scores)
            works["amidst"] = partial(nms, boxes, scores, IOU)
            rows += measure(works, arguments.repeats, arguments.clock, f"{count} boxes, {kind}")
    count = min(5000, max(arguments.counts))
    for kind in ("crowded", "sparse"):
        boxes, scores = case(kind, count)
        chance = torch.rand(count, generator=torch.Generator().manual_seed(1))
        for spread, power in (("evenly", 1), ("unevenly", 3)):
            classes = (chance**power * arguments.classes).long()
            works = {}
            if ops is not None:
                works["torchvision"] = partial(ops.batched_nms, boxes, scores, classes, IOU)
            if kind == "crowded":
                works[PLAIN] = partial(loop_by_class, boxes, scores, classes)
            works["amidst"] = partial(nms_by_class, boxes, scores, classes, IOU)
            about = f"{count} boxes, {kind}, {arguments.classes} classes {spread}"
            rows += measure(works, arguments.repeats, arguments.clock, about)
    write(arguments.output, "python benchmarks/nms.py", arguments.clock, rows)


if __name__ == "__main__":
    main()
