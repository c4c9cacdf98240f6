"""`amidst predict --engine`: detections on many pictures, in parts, on processes or a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from amidst.apps.cli.console import print_json, say
from amidst.apps.cli.engines import engine_of, run_job
from amidst.apps.cluster.detecting import Detecting
from amidst.apps.cluster.parts import Format, Plan, Row
from amidst.apps.cluster.places import Place, place_of
from amidst.coco.dataset import CocoDataset
from amidst.errors import UsageError
from amidst.inference.predict import dataset_category_ids
from amidst.models.config import FastRCNNConfig, MaskConfig
from amidst.models.weights import read_info, resolve_model

PART = 32  # pictures


def predict_many(
    model_name: str,
    paths: Sequence[str],
    ann: Path | None,
    images: Path | None,
    output: Path | None,
    engine: str,
    workers: int,
    format: Format,
    as_json: bool,
    unfit: bool,
) -> None:
    """Do the whole job, or what is left of it; exit code 1 where pictures are broken or parts failed."""
    if unfit:
        raise UsageError("--engine does not go with --draw, --tile or --proposals")
    if output is None or output.suffix:
        raise UsageError("--engine writes parts: name a folder with -o, here or in object storage")
    run = engine_of(engine)
    model = resolve_model(model_name)
    info = read_info(model)
    if isinstance(info.config, MaskConfig | FastRCNNConfig):
        raise UsageError(f"{model_name}: --engine is for detectors that need no proposals")
    place, items, dataset = _items(paths, ann, images)
    ids = dataset_category_ids(info, dataset or CocoDataset())
    job = Detecting(model.resolve(), place, tuple(ids.tolist()))
    plan = Plan(tuple(items), PART, place_of(output), format)
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
