"""Can RetinaNet learn a handful of photographs by heart? If not, a part of it is wrong.

    python benchmarks/overfit.py [--data DIR] [--images 8] [--updates 300] [--out FOLDER]

Trains `retinanet_lite_320` without augmentation on photographs of the small COCO set (all 80 categories) and
scores it on the same photographs, padded to one size as in training. (GroupNorm sees the padding: each
alone, they score lower, which is recorded too.) Expected: AP of at least 0.90. DIR holds coco_mini/; by
default it is $AMIDST_SHARED/data.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from timing import write
from torch import nn

from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import Proposals
from amidst.coco.results import Results
from amidst.config import override
from amidst.evaluation import evaluate
from amidst.inference.predict import (
    Prediction,
    dataset_category_ids,
    dataset_sources,
    predict_dataset,
    resize_rule,
    to_results,
)
from amidst.inference.reading import Prepared, prepare
from amidst.models.build import size_divisor
from amidst.models.structures import Detections
from amidst.models.weights import ModelInfo, load_model
from amidst.ops.images import make_batch
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


def predict_together(
    model: nn.Module,
    info: ModelInfo,
    dataset: CocoDataset,
    folder: Path,
    proposals: Proposals | None = None,
) -> Results:
    """Detections of all photographs as one batch, boxes in original pixels."""
    sources = dataset_sources(dataset, folder, proposals=proposals)
    read = [prepare(source, resize_rule(info), torch.device("cpu")) for source in sources]
    whole = [item for item in read if isinstance(item, Prepared)]
    pixels = info.config.pixels
    batch = make_batch(
        [item.image for item in whole],
        order=pixels.order,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        divisor=size_divisor(info.config),
    )
    given = tuple(item.proposals_xyxy for item in whole if item.proposals_xyxy is not None)
    with torch.no_grad():
        found = model(replace(batch, proposals_xyxy=given or None))
    parts = []
    for item, detections in zip(whole, found, strict=True):
        height, width = (o / r for o, r in zip(item.size_hw, item.image.shape[-2:], strict=True))
        boxes = detections.boxes_xyxy * torch.tensor([width, height, width, height])
        original = Detections(boxes, detections.scores, detections.class_index)
        prediction = Prediction(item.source.path, item.size_hw, original, item.source.image_id)
        parts.append(to_results(prediction, dataset_category_ids(info, dataset)))
    return Results.concatenate(parts)


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
    parser.add_argument("--out", type=Path, help="run folder; one that exists is continued")
    options = parser.parse_args()
    folder = options.data / "coco_mini" / "images" / "train2017"
    whole = CocoDataset.load(options.data / "coco_mini" / "annotations" / "instances_train2017_mini.json")
    dataset = whole.select(image_ids=easy_images(whole, options.images))
    experiment = override(recipe("retinanet_lite_320").make(), settings(options.updates, options.images))
    run = options.out or Path(tempfile.mkdtemp()) / "run"
    begun = time.perf_counter()
    outcome = train(experiment, dataset, folder, run, resume=run.exists())
    seconds = time.perf_counter() - begun
    model, info = load_model(outcome.model)
    alone = evaluate(dataset, predict_dataset(model, info, dataset, folder))
    summary = evaluate(dataset, predict_together(model, info, dataset, folder))
    row = {
        "name": "retinanet_lite_320 on its own training images",
        "images": len(dataset.images),
        "objects": len(dataset.annotations),
        "updates": options.updates,
        "training_s": round(seconds),
        "ap": round(summary.ap, 4),
        "ap50": round(summary.ap50, 4),
        "ap_each_alone": round(alone.ap, 4),
        "goal": GOAL,
    }
    write(RESULTS, "python benchmarks/overfit.py", "wall", [row])


if __name__ == "__main__":
    main()
