"""What finer scales find (thesis 3.5.3, the rows with zoom of Table 3.3): AR and AUC, and the time.

    python benchmarks/zoom.py runs/deepmask_lite runs/sharpmask_lite --ann val.json --images val2017

Every photograph is looked at by every network with zoom 0, 1 and 2 in turn, as by amidst propose --zoom; the
scores are those of amidst recall. Seconds are those of the processor, reading, pasting and encoding included.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from timing import Row, show, write
from torch import nn

from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.evaluation.proposals import ProposalSummary, score_proposals
from amidst.inference.predict import dataset_sources
from amidst.inference.propose import propose_images, to_results
from amidst.inference.propose_settings import ProposalSettings, adjusted
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import ModelInfo, load_model, resolve_model

RESULTS = Path(__file__).parent / "results" / "zoom.json"
ZOOMS = (0, 1, 2)
NUMBERS = (10, 100, 1000)


def scores(summary: ProposalSummary) -> dict[str, object]:
    """The columns of Table 3.3, and AR at 1,000 by size."""
    found: dict[str, object] = {f"ar@{n}": summary.ar(n, "all") for n in NUMBERS}
    found |= {f"auc_{area}": summary.auc(area) for area in summary.areas}
    found |= {f"ar_{area}@1000": summary.ar(1000, area) for area in summary.areas if area != "all"}
    return {name: round(float(value), 4) for name, value in found.items()}  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--ann", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, help="the first so many images; all where left out")
    parser.add_argument("--minutes", type=float, default=1e9, help="no further image after so long")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    works: dict[tuple[str, int], tuple[nn.Module, ModelInfo]] = {}
    for name in options.models:
        network, info = load_model(resolve_model(name))
        network = prepare_for_inference(network)
        works |= {(Path(name).name, z): adjusted(network, info, ProposalSettings(zoom=z)) for z in ZOOMS}
    dataset = CocoDataset.load(options.ann)
    parts: dict[tuple[str, int], list[Results]] = {work: [] for work in works}
    seconds: dict[tuple[str, int], list[float]] = {work: [] for work in works}
    begin, seen = time.monotonic(), set()
    for source in dataset_sources(dataset, options.images)[: options.count]:
        if time.monotonic() - begin > options.minutes * 60:
            break
        for work, (model, about) in works.items():
            start = time.process_time()
            (proposed,) = propose_images(model, about, [source], workers=0)
            parts[work].append(to_results(proposed))
            seconds[work].append(time.process_time() - start)
        seen.add(source.image_id)
    truth = dataset.select(image_ids=[image.id for image in dataset.images if image.id in seen])
    rows: list[Row] = []
    for kind in ("segm", "bbox"):
        for (name, zoom), results in parts.items():
            summary = score_proposals(truth, Results.concatenate(results), kind=kind, at=NUMBERS)
            ratios = zip(seconds[name, zoom], seconds[name, 0], strict=True)
            row: Row = {"model": name, "kind": kind, "zoom": zoom, "images": len(seen)}
            row |= {
                "objects": summary.objects[0],
                "seconds": round(statistics.median(seconds[name, zoom]), 2),
            }
            row["times_as_long"] = round(statistics.median(a / b for a, b in ratios), 2)
            rows.append(row | scores(summary))
    show(rows)
    write(options.output, "python benchmarks/zoom.py", "processor", rows)


if __name__ == "__main__":
    main()
