"""`amidst predict`: detect objects in photographs, folders, or the images of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from torch import nn

from amidst.apps.cli.console import new_app, print_json, print_table, say, warning_line
from amidst.apps.cli.inputs import Inputs, read_inputs, split_words
from amidst.apps.cli.opening import BUILT_IN, choose_device, open_model
from amidst.apps.cli.pictures import Draw as Drawing
from amidst.apps.cli.pictures import Gallery
from amidst.apps.cli.progress import step
from amidst.apps.report.drawing import draw_detections
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.errors import ImageError, UsageError
from amidst.inference.predict import (
    Prediction,
    dataset_category_ids,
    predict_images,
    to_results,
)
from amidst.models.config import MaskConfig
from amidst.models.weights import ModelInfo
from amidst.training.setup import check_proposals

app = new_app()

GPU_BATCH = 8
SHOWN_ROWS = 50  # images in the table
SHOWN_OBJECTS = 5  # objects of an image in the table


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL|PATH",
        help="MODEL: a run folder, a checkpoint, a model file, an exported .onnx file, or a built-in "
        f"name; left out, it is the built-in **{BUILT_IN}**. PATH: photographs, and folders to search for "
        "photographs.",
        show_default=False,
    ),
]
Ann = Annotated[
    Path | None,
    typer.Option(help="Predict on the images of this COCO file instead of PATHs.", show_default=False),
]
Images = Annotated[Path | None, typer.Option(help="Folder of the images of --ann.", show_default=False)]
ProposalFile = Annotated[
    Path | None,
    typer.Option("--proposals", help="Fast R-CNN: proposals for --ann, as COCO results.", show_default=False),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Write all detections here, as COCO results.", show_default=False),
]
Draw = Annotated[
    Path | None, typer.Option(help="Write the photographs with boxes into this folder.", show_default=False)
]
Threshold = Annotated[
    float, typer.Option(help="Least score that is listed and drawn; results files hold all.", min=0, max=1)
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Batch = Annotated[int, typer.Option("--batch", help="Images at a time; 0 = 1 on a CPU, 8 on a GPU.", min=0)]
Workers = Annotated[int, typer.Option(help="Threads that read images.", min=0)]
Runtime = Annotated[
    str, typer.Option(help="What runs an exported model (.onnx): auto, onnxruntime or openvino.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per image and line.")]


@app.command()
def predict(
    words: Words = None,
    ann: Ann = None,
    images: Images = None,
    proposals: ProposalFile = None,
    output: Output = None,
    draw: Draw = None,
    threshold: Threshold = 0.3,
    device: Device = "auto",
    batch_size: Batch = 0,
    workers: Workers = 2,
    runtime: Runtime = "auto",
    as_json: AsJson = False,
) -> None:
    """Detect objects in photographs, folders or a dataset.

    Photographs of any size, orientation and colour mode are taken; a file that cannot be read is named and
    passed over, and the exit code is then 1.

    **Examples**

      amidst predict photo.jpg --draw out/

      amidst predict runs/mine holiday/ -o found.json

      amidst predict runs/mine --ann val.json --images images/ -o results.json
    """
    model_name, paths = split_words(words or [], BUILT_IN, with_dataset=ann is not None)
    inputs = read_inputs(paths, ann, images, proposals)
    place = choose_device(device)
    model, info = open_model(model_name, place, runtime)
    if isinstance(info.config, MaskConfig):
        raise UsageError(f"{model_name} proposes masks: amidst propose {model_name} ...")
    check_proposals(info.config, proposals is not None)
    category_ids = dataset_category_ids(info, inputs.dataset or CocoDataset())
    batch_size = batch_size or (1 if place.type == "cpu" else GPU_BATCH)
    work = Work(model, info, inputs, category_ids, threshold, batch_size, workers)
    results, broken = _predict(work, draw, as_json)
    if output is not None:
        inputs.write(results, output)
        say(f"{len(results)} detections written to {output}")
    if draw is not None:
        say(f"pictures written to {draw}")
    if broken:
        say(f"{len(broken)} of {len(inputs.sources)} images could not be read")
        raise typer.Exit(1)


@dataclass(frozen=True)
class Work:
    """What to predict on, and how."""

    model: nn.Module
    info: ModelInfo
    inputs: Inputs
    category_ids: npt.NDArray[np.int64]  # (K,)
    threshold: float
    batch_size: int
    workers: int

    @property
    def category_names(self) -> dict[int, str]:
        """Name of each category id."""
        names = (str(category["name"]) for category in self.info.categories)
        return dict(zip(self.category_ids.tolist(), names, strict=True))


def _predict(work: Work, draw: Path | None, as_json: bool) -> tuple[Results, list[Path]]:
    """Run through all sources; list each image on stdout as it comes, or as a table at the end."""
    parts: list[Results] = []
    rows: list[tuple[str, str, str, str]] = []
    broken: list[Path] = []

    def failing(path: Path, error: ImageError) -> None:
        broken.append(path)
        warning_line(str(error))
        if as_json:
            print_json({"file_name": str(path), "error": str(error)})

    with ExitStack() as stack:
        gallery = Gallery(draw) if draw is not None else None
        if gallery is not None:
            stack.enter_context(gallery)
        bar = stack.enter_context(step("predicting", len(work.inputs.sources)))
        predictions = predict_images(
            work.model,
            work.info,
            work.inputs.sources,
            batch_size=work.batch_size,
            workers=work.workers,
            on_error=failing,
        )
        for prediction in predictions:
            part = to_results(prediction, work.category_ids)
            parts.append(part)
            if as_json:
                print_json(_json_record(work, prediction, part))
            elif len(rows) < SHOWN_ROWS:
                rows.append(_row(work, prediction, part))
            if gallery is not None:
                name = work.inputs.names[prediction.path]
                gallery.add(prediction.path, name, _drawing(work, prediction, part), prediction.size_hw)
            bar.update(len(parts) + len(broken))
    if not as_json:
        _print_rows(rows, len(parts))
    return Results.concatenate(parts), broken


def _drawing(work: Work, prediction: Prediction, part: Results) -> Drawing:
    """What draws the detections on their photograph."""
    return partial(
        draw_detections,
        boxes_xyxy=prediction.detections.boxes_xyxy.numpy(),
        category_ids=part.category_ids,
        scores=part.scores,
        names=work.category_names,
        min_score=work.threshold,
    )


def _listed(work: Work, part: Results) -> list[int]:
    """Indices of the detections that reach the threshold, by descending score."""
    order = np.argsort(-part.scores, kind="stable")
    return [int(index) for index in order if part.scores[index] >= work.threshold]


def _json_record(work: Work, prediction: Prediction, part: Results) -> dict[str, Any]:
    names, boxes = work.category_names, part.boxes_xywh
    return {
        "file_name": str(prediction.path),
        "image_id": prediction.image_id,
        "height": prediction.size_hw[0],
        "width": prediction.size_hw[1],
        "detections": [
            {
                "category_id": int(part.category_ids[index]),
                "category": names[int(part.category_ids[index])],
                "score": round(float(part.scores[index]), 6),
                "bbox": [round(float(value), 3) for value in boxes[index]] if boxes is not None else None,
            }
            for index in _listed(work, part)
        ],
    }


def _row(work: Work, prediction: Prediction, part: Results) -> tuple[str, str, str, str]:
    names, listed = work.category_names, _listed(work, part)
    words = [f"{names[int(part.category_ids[i])]} {part.scores[i]:.2f}" for i in listed[:SHOWN_OBJECTS]]
    if len(listed) > SHOWN_OBJECTS:
        words.append(f"and {len(listed) - SHOWN_OBJECTS} more")
    height, width = prediction.size_hw
    return str(prediction.path), f"{width} x {height}", str(len(listed)), ", ".join(words)


def _print_rows(rows: Sequence[tuple[str, str, str, str]], images: int) -> None:
    if rows:
        print_table("", ("image", "size", "objects", "best"), rows, right=("objects",))
    if images > len(rows):
        say(f"and {images - len(rows)} more images")
