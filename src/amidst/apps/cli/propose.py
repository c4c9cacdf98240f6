"""`amidst propose`: scored masks of objects in photographs, folders, or the images of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from torch import nn

from amidst.apps.cli.console import new_app, print_json, print_table, say, warning_line
from amidst.apps.cli.inputs import Inputs, check_output, read_inputs, split_words
from amidst.apps.cli.mask_options import Coarse, Number, Threshold, Zoom, mask_settings
from amidst.apps.cli.opening import choose_device
from amidst.apps.cli.pictures import Gallery
from amidst.apps.cli.progress import step
from amidst.apps.report.drawing import Pixels
from amidst.apps.report.proposal_drawing import draw_best, draw_matches
from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Rle
from amidst.coco.results import Results
from amidst.errors import ImageError
from amidst.inference.opening import open_model
from amidst.inference.propose import Proposed, propose_images, to_results
from amidst.inference.propose_settings import adjusted
from amidst.models.weights import ModelInfo

app = new_app()

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL PATH...",
        help="MODEL: a run folder, a checkpoint, a model file or an exported .onnx file of a network that "
        "proposes masks. PATH: "
        "photographs, and folders to search for photographs.",
        show_default=False,
    ),
]
Images = Annotated[Path | None, typer.Option(help="Folder of the images of --ann.", show_default=False)]
Runtime = Annotated[
    str, typer.Option(help="What runs an exported model (.onnx): auto, onnxruntime or openvino.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per image and line.")]
Nms = Annotated[
    float | None,
    typer.Option(
        help="Leave out, of the -n best, masks whose box overlaps a better one's by more than this, such as "
        "0.7. Default: keep all, as the thesis does and recall wants.",
        min=0,
        max=1,
        show_default=False,
    ),
]
SHOWN_ROWS = 50  # images in the table


@app.command()
def propose(
    words: Words = None,
    ann: Annotated[
        Path | None,
        typer.Option(help="Propose on the images of this COCO file instead of PATHs.", show_default=False),
    ] = None,
    images: Images = None,
    number: Number = None,
    zoom: Zoom = None,
    threshold: Threshold = None,
    coarse: Coarse = False,
    nms: Nms = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the proposals here, as COCO results.", show_default=False),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            help="Write pictures with masks into this folder: where --ann has masks, the best proposal for "
            "each object and missed objects in red; else the masks of highest score.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Annotated[int, typer.Option(help="Threads that read images.", min=0)] = 2,
    runtime: Runtime = "auto",
    as_json: AsJson = False,
) -> None:
    """Propose masks of objects, of whatever category, with scores.

    The masks go with their tight boxes into a COCO results file, which amidst recall scores and Fast R-CNN
    classifies (amidst train fast_rcnn_lite --proposals ...).

    **Examples**

      amidst propose runs/fpn_masks photo.jpg --draw out/

      amidst propose runs/fpn_masks --ann val.json --images images/ -o proposals.json

      amidst propose runs/sharpmask photos/ -n 2000 --zoom 1 -o proposals.json
    """
    model_name, paths = split_words(words or [], None, with_dataset=ann is not None)
    check_output(output)
    inputs = read_inputs(paths, ann, images)
    settings = mask_settings(number, zoom, threshold, coarse)
    model, info = adjusted(*open_model(model_name, choose_device(device), runtime), settings)
    results, broken = _propose(_Work(model, info, inputs, number, nms, workers), draw, as_json)
    if output is not None:
        inputs.write(results, output)
        say(f"{len(results)} proposals written to {output}")
        if ann is not None:
            say(f"score them: amidst recall {ann} {output}")
    if draw is not None:
        say(f"pictures written to {draw}")
    if broken:
        say(f"{len(broken)} of {len(inputs.sources)} images could not be read")
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Work:
    """What to propose on, and how."""

    model: nn.Module
    info: ModelInfo
    inputs: Inputs
    number: int | None
    nms_iou: float | None
    workers: int


def _propose(work: _Work, draw: Path | None, as_json: bool) -> tuple[Results, list[Path]]:
    """Run through all images; list each on stdout as it comes, or as a table at the end."""
    parts: list[Results] = []
    rows: list[tuple[str, str, str, str]] = []
    broken: list[Path] = []

    def failing(path: Path, error: ImageError) -> None:
        broken.append(path)
        warning_line(str(error))
        if as_json:
            print_json({"file_name": str(path), "error": str(error)})

    with ExitStack() as stack:
        gallery = stack.enter_context(Gallery(draw)) if draw is not None else None
        bar = stack.enter_context(step("proposing", len(work.inputs.sources)))
        found: Iterator[Proposed] = propose_images(
            work.model,
            work.info,
            work.inputs.sources,
            limit=work.number,
            nms_iou=work.nms_iou,
            workers=work.workers,
            on_error=failing,
        )
        for proposed in found:
            parts.append(to_results(proposed))
            if as_json:
                print_json(_record(proposed))
            elif len(rows) < SHOWN_ROWS:
                rows.append(_row(proposed))
            if gallery is not None:
                drawing = partial(_draw, proposed=proposed, truth=_truth(work.inputs.dataset, proposed))
                gallery.add(proposed.path, work.inputs.names[proposed.path], drawing, proposed.size_hw)
            bar.update(len(parts) + len(broken))
    if not as_json:
        print_table("", ("image", "size", "proposals", "best score"), rows, right=("proposals", "best score"))
        if len(parts) > len(rows):
            say(f"and {len(parts) - len(rows)} more images")
    return Results.concatenate(parts), broken


def _truth(dataset: CocoDataset | None, proposed: Proposed) -> list[Rle] | None:
    """Masks of the image's objects; None where there is no truth, or an object has no mask."""
    if dataset is None or proposed.image_id is None:
        return None
    objects = [a for a in dataset.annotations_of(proposed.image_id) if not (a.iscrowd or a.ignore)]
    shapes = [annotation.segmentation for annotation in objects]
    if any(not shape for shape in shapes):
        return None
    return [masks.from_segmentation(shape, proposed.size_hw) for shape in shapes if shape is not None]


def _draw(image: Pixels, *, proposed: Proposed, truth: list[Rle] | None) -> Pixels:
    if truth is None:
        return draw_best(image, proposed.rles, proposed.scores)
    return draw_matches(image, truth, proposed.rles)[0]


def _record(proposed: Proposed) -> dict[str, Any]:
    return {
        "file_name": str(proposed.path),
        "image_id": proposed.image_id,
        "height": proposed.size_hw[0],
        "width": proposed.size_hw[1],
        "proposals": [
            {
                "score": round(float(score), 6),
                "bbox": np.round(box, 3).tolist(),
                "segmentation": {"size": list(rle.size), "counts": rle.counts},
            }
            for score, box, rle in zip(proposed.scores, proposed.boxes_xywh, proposed.rles, strict=True)
        ],
    }


def _row(proposed: Proposed) -> tuple[str, str, str, str]:
    height, width = proposed.size_hw
    best = f"{proposed.scores[0]:.2f}" if len(proposed.scores) else "-"
    return str(proposed.path), f"{width} x {height}", str(len(proposed.scores)), best
