"""Can RetinaNet learn a handful of photographs by heart? If not, a part of it is wrong.

    python benchmarks/overfit.py [--data DIR] [--images 8] [--updates 300] [--out FOLDER]

Trains `retinanet_lite_320` without augmentation on photographs of the small COCO set (all 80 categories) and
scores it on the same photographs. Expected: AP of at least 0.90. DIR holds coco_mini/; by default it
is $AMIDST_SHARED/data.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from timing import write

from amidst.coco.dataset import CocoDataset
from amidst.config import override
from amidst.evaluation import evaluate
from amidst.inference.predict import predict_dataset
from amidst.models.weights import load_model
from amidst.recipes import recipe
from amidst.training.loop import train

RESULTS = Path(__file__).parent / "results" / "overfit.json"
GOAL = 0.90
MOST_OBJECTS, LEAST_AREA = 8, 32.0**2  # of a photograph, and of each object in it


def easy_images(dataset: CocoDataset, count: int) -> list[int]:
    """The first photographs with a few objects that are neither tiny nor crowds."""
    chosen = []
    for image in dataset.images:
        objects = dataset.annotations_of(image.id)
        plain = all(a.area >= LEAST_AREA and not a.iscrowd for a in objects)
        if 1 <= len(objects) <= MOST_OBJECTS and plain:
            chosen.append(image.id)
    return chosen[:count]


def settings(updates: int, images: int) -> list[str]:
    return [
        "schedule.epochs=null",
        f"schedule.iterations={updates}",
        "schedule.warmup_iterations=20",
        f"data.batch_size={images}",
        f"optim.lr_batch={images}",
        "data.train_short_sides=[]",
        "data.crop_scale=null",
        "data.flip=0",
        "data.colour_jitter=0",
        "data.aspect_grouping=false",
        "data.workers=0",
        "train.ema_decay=null",
        f"train.checkpoint_every={updates}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("AMIDST_SHARED", "../shared")) / "data"
    )
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    folder = options.data / "coco_mini" / "images" / "train2017"
    whole = CocoDataset.load(options.data / "coco_mini" / "annotations" / "instances_train2017_mini.json")
    dataset = whole.select(image_ids=easy_images(whole, options.images))
    experiment = override(recipe("retinanet_lite_320").make(), settings(options.updates, options.images))
    run = options.out or Path(tempfile.mkdtemp()) / "run"
    begun = time.perf_counter()
    outcome = train(experiment, dataset, folder, run)
    seconds = time.perf_counter() - begun
    model, info = load_model(outcome.model)
    summary = evaluate(dataset, predict_dataset(model, info, dataset, folder))
    row = {
        "name": "retinanet_lite_320 on its own training images",
        "images": len(dataset.images),
        "objects": len(dataset.annotations),
        "updates": options.updates,
        "training_s": round(seconds),
        "ap": round(summary.ap, 4),
        "ap50": round(summary.ap50, 4),
        "goal": GOAL,
    }
    write(RESULTS, "python benchmarks/overfit.py", [row])


if __name__ == "__main__":
    main()
