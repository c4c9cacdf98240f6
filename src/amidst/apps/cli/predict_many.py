"""`amidst predict --engine`: detections on many pictures, in parts, on processes or a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import typer

from amidst.apps.cli.console import print_json, say
from amidst.apps.cli.engines import engine_of, run_job
from amidst.apps.cli.opening import choose_device, usual_batch
from amidst.apps.cluster.detecting import Detecting
from amidst.apps.cluster.parts import Format, Plan, Row
from amidst.apps.cluster.places import Place, place_of
from amidst.coco.dataset import CocoDataset
from amidst.errors import UsageError
from amidst.inference.opening import EXPORTED, located, open_model
from amidst.inference.predict import dataset_category_ids
from amidst.models.config import FastRCNNConfig, MaskConfig

# Pictures of a part: few, so that little is lost with a worker; but each part costs the cluster's own
# processes some 50 ms, and of a large job 256 parts are enough.
SMALLEST_PART, LARGEST_PART, PARTS = 32, 256, 256
UNFIT = ("draw", "tile", "overlap", "proposals", "threshold", "every")  # for parts


def predict_many(
    context: typer.Context,
    model_name: str,
    paths: Sequence[str],
    ann: Path | None,
    images: Path | None,
    output: Path | None,
    engine: str,
    workers: int,
    format: Format,
    as_json: bool,
    device: str,
    batch_size: int,
    runtime: str,
    precision: str,
) -> None:
    """Do the whole job, or what is left of it; exit code 1 where pictures are broken or parts failed."""
    unfit = _changed(context, UNFIT)
    if unfit:
        raise UsageError(
            f"--engine does not go with {', '.join(unfit)}: parts hold all detections of all pictures"
        )
    if output is None or output.suffix:
        raise UsageError("--engine writes parts: name a folder with -o, here or in object storage")
    run = engine_of(engine)
    # Opened here once: what is wrong with it is said once, not by every worker.
    _, info = open_model(model_name, torch.device("cpu"), runtime, getattr(torch, precision))
    model = located(model_name).resolve()
    if isinstance(info.config, MaskConfig | FastRCNNConfig):
        raise UsageError(f"{model_name}: --engine is for detectors that need no proposals")
    place, items, dataset = _items(paths, ann, images)
    ids = dataset_category_ids(info, dataset or CocoDataset())
    on = "cpu" if model.suffix == EXPORTED else _device(device, engine)
    batch_size = batch_size or usual_batch(torch.device(on))
    job = Detecting(model, place, tuple(ids.tolist()), on, batch_size, runtime=runtime, precision=precision)
    plan = Plan(tuple(items), part_size(len(items)), place_of(output), format)
    summary = run_job("predicting", job, plan, run, max(workers, 1))
    if as_json:
        print_json(summary)
    else:
        say(
            f"{summary['found']} detections on {summary['pictures']} pictures, {summary['broken']} of them "
            f"broken, in {summary['parts']} parts in {plan.output.address}"
        )
    if summary["broken"] or summary["failed"]:
        raise typer.Exit(1)


def part_size(pictures: int) -> int:
    """Pictures of each part of a job: the same whenever it is begun again."""
    return min(max(pictures // PARTS, SMALLEST_PART), LARGEST_PART)


def _changed(context: typer.Context, names: Sequence[str]) -> list[str]:
    """Which of these options have another value than their default."""
    defaults = {option.name: option.default for option in context.command.params}
    return [f"--{name}" for name in names if context.params[name] != defaults[name]]


def _device(name: str, engine: str) -> str:
    """Of every worker. Ray gives each a GPU of its own, which this machine need not have."""
    if engine == "ray" and name.startswith("cuda:"):
        raise UsageError(f"--device {name}: Ray chooses among GPUs; say --device cuda")
    if engine == "ray" and name == "cuda":
        return name
    device = choose_device(name)
    return device.type if engine == "ray" else str(device)


def _items(
    paths: Sequence[str], ann: Path | None, images: Path | None
) -> tuple[Place, list[Row], CocoDataset | None]:
    """Where the pictures are, and what is known of each."""
    if (ann is None) != (images is None):
        raise UsageError("--ann and --images go together: the dataset file, and the folder of its images")
    if ann is not None and images is not None:
        if paths:
            raise UsageError(f"give either --ann or a folder, not both (found {paths[0]})")
        dataset = CocoDataset.load(ann)
        place, listed = place_of(images), dataset.images
        items = [
            item | {"image_id": image.id, "height": image.height, "width": image.width}
            for item, image in zip(place.items([image.file_name for image in listed]), listed, strict=True)
        ]
        return place, items, dataset
    if len(paths) != 1:
        raise UsageError("--engine takes one folder, here or in object storage, or --ann with --images")
    place = place_of(paths[0])
    return place, place.items(), None
