"""Can RPN, Fast R-CNN and Faster R-CNN learn a handful of photographs by heart? If not, a part is wrong.

    python benchmarks/overfit_rcnn.py [--networks rpn fast faster] [--updates 150] [--out FOLDER]

Trains the light recipes without augmentation, at 192 px, on eight photographs of the small COCO set (all 80
categories) and scores each on the same photographs: the RPN by average recall, Fast R-CNN on the RPN's
proposals, Faster R-CNN on its own; all padded to one size as in training. (What lies beyond the border of a
photograph learnt by heart is learnt too: each alone, they score lower, which is recorded as well.) FOLDER
keeps the runs; what it holds is continued. Expected: AR@100 of at least 0.90, AP of at least 0.85. DIR of
--data holds coco_mini/; by default it is $AMIDST_SHARED/data.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from overfit import easy_images, predict_together
from timing import write

from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import Proposals
from amidst.coco.results import Results
from amidst.config import override
from amidst.evaluation import evaluate
from amidst.evaluation.proposals import score_proposals
from amidst.inference.predict import predict_dataset
from amidst.models.weights import load_model
from amidst.recipes import recipe
from amidst.training.loop import train

RESULTS = Path(__file__).parent / "results" / "overfit_rcnn.json"
RECIPES = {"rpn": "rpn_lite", "fast": "fast_rcnn_lite", "faster": "faster_rcnn_lite"}
GOALS = {"rpn": ("ar@100", 0.90), "fast": ("ap", 0.85), "faster": ("ap", 0.85)}


def settings(updates: int, images: int) -> list[str]:
    return [
        "schedule.epochs=null",
        f"schedule.iterations={updates}",
        "schedule.warmup_iterations=20",
        f"data.batch_size={images}",
        f"optim.lr_batch={images}",
        "data.resize.short=192",
        "data.resize.long=320",
        "data.train_short_sides=[]",
        "data.crop_scale=null",
        "data.flip=0",
        "data.colour_jitter=0",
        "data.aspect_grouping=false",
        "data.workers=0",
        "train.ema_decay=null",
        "train.checkpoint_every=25",
        "train.log_every=5",
    ]


def learn(network: str, dataset: CocoDataset, folder: Path, out: Path, updates: int) -> dict[str, object]:
    """One row: a network on its own training images."""
    proposals = None
    if network == "fast":
        proposals = Proposals.from_results(Results.load(out / "rpn" / "proposals.json"), dataset)
    assignments = settings(updates, len(dataset.images))
    experiment = override(recipe(RECIPES[network]).make(), assignments)
    begun = time.perf_counter()
    run = out / network
    outcome = train(experiment, dataset, folder, run, proposals=proposals, resume=run.exists())
    seconds = time.perf_counter() - begun
    model, info = load_model(outcome.model)
    results = predict_together(model, info, dataset, folder, proposals)
    alone = predict_dataset(model, info, dataset, folder, proposals=proposals)
    row: dict[str, object] = {
        "name": f"{RECIPES[network]} on its own training images",
        "images": len(dataset.images),
        "objects": len(dataset.annotations),
        "updates": updates,
        "training_s": round(seconds),
    }
    if network == "rpn":
        results.save(out / "rpn" / "proposals.json")
        recall, of_each = score_proposals(dataset, results), score_proposals(dataset, alone)
        row |= {"ar@100": round(recall.ar(100), 4), "ar@100_each_alone": round(of_each.ar(100), 4)}
    else:
        summary, of_each_image = evaluate(dataset, results), evaluate(dataset, alone)
        row |= {"ap": round(summary.ap, 4), "ap50": round(summary.ap50, 4)}
        row |= {"ap_each_alone": round(of_each_image.ap, 4)}
    return row | {"goal": GOALS[network][1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("AMIDST_SHARED", "../shared"))
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--networks", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--updates", type=int, default=150)
    parser.add_argument("--out", type=Path, help="folder of the runs; what it holds is continued")
    options = parser.parse_args()
    mini = options.data / "coco_mini"
    whole = CocoDataset.load(mini / "annotations" / "instances_train2017_mini.json")
    dataset = whole.select(image_ids=easy_images(whole, options.images))
    out = options.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    for network in options.networks:
        row = learn(network, dataset, mini / "images" / "train2017", out, options.updates)
        print(row, flush=True)
        kept = json.loads(RESULTS.read_text())["rows"] if RESULTS.is_file() else []
        rows = [other for other in kept if other["name"] != row["name"]] + [row]
        write(RESULTS, "python benchmarks/overfit_rcnn.py", "wall", rows)


if __name__ == "__main__":
    main()
