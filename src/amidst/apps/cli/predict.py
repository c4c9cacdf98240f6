"""`amidst predict`: detect objects in photographs, folders, or the images of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say, warning_line
from amidst.apps.cli.inputs import Inputs, check_output, read_inputs, split_words
from amidst.apps.cli.lazy import load_module
from amidst.apps.cli.opening import BUILT_IN, choose_device, usual_batch
from amidst.apps.cli.pictures import Gallery
from amidst.apps.cli.predict_records import Work, best_words, detection_records, drawing, listed
from amidst.apps.cli.predict_video import only_videos, predict_videos
from amidst.apps.cli.progress import step
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.errors import ImageError, UsageError
from amidst.inference.opening import open_model
from amidst.inference.predict import (
    OnError,
    Prediction,
    Progress,
    dataset_category_ids,
    predict_images,
    to_results,
)
from amidst.inference.reading import Source, open_image, read_ahead
from amidst.inference.tiles import Tiling, predict_tiled
from amidst.models.config import MaskConfig
from amidst.training.setup import check_proposals

app = new_app()

SHOWN_ROWS = 50  # images in the table
LARGE_AHEAD = 2  # photographs decoded ahead of their tiles

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL|PATH",
        help="MODEL: a run folder, a checkpoint, a model file, an exported .onnx file, or a built-in "
        f"name; left out, it is the built-in **{BUILT_IN}**. PATH: photographs and folders to search for "
        "photographs, or videos.",
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
    typer.Option(
        "-o",
        "--output",
        help="Write all detections here: COCO results, of videos JSON lines.",
        show_default=False,
    ),
]
Draw = Annotated[
    Path | None, typer.Option(help="Write the photographs with boxes into this folder.", show_default=False)
]
Threshold = Annotated[
    float, typer.Option(help="Least score that is listed and drawn; results files hold all.", min=0, max=1)
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Tile = Annotated[
    str,
    typer.Option(
        metavar="SIZE",
        help="Look at each photograph in tiles of SIZE x SIZE or WIDTHxHEIGHT pixels, and once whole.",
        show_default=False,
    ),
]
Overlap = Annotated[
    float, typer.Option(help="Share of a tile's side that neighbours have in common.", min=0, max=0.9)
]
Every = Annotated[int, typer.Option(help="Videos: every so many-th frame.", min=1)]
Batch = Annotated[int, typer.Option("--batch", help="Images at a time; 0 = 1 on a CPU, 8 on a GPU.", min=0)]
Runtime = Annotated[
    str, typer.Option(help="What runs an exported model (.onnx): auto, onnxruntime or openvino.")
]
Precision = Annotated[
    Literal["float32", "bfloat16"],
    typer.Option(help="bfloat16 is faster on GPUs and on CPUs with AMX, and keeps three digits."),
]
Workers = Annotated[
    int, typer.Option(help="Threads that read images; with --engine, processes that predict.", min=0)
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="local or ray: in parts, resumable, on processes or a Ray cluster; PATH is one folder, which "
        "may be in object storage (s3://...), and -o a folder for the parts.",
        show_default=False,
    ),
]
Parts = Annotated[Literal["parquet", "jsonl"], typer.Option("--parts", help="Format of --engine's parts.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per image and line.")]


@app.command()
def predict(
    context: typer.Context,
    words: Words = None,
    ann: Ann = None,
    images: Images = None,
    proposals: ProposalFile = None,
    output: Output = None,
    draw: Draw = None,
    threshold: Threshold = 0.3,
    device: Device = "auto",
    tile: Tile = "",
    overlap: Overlap = 0.2,
    every: Every = 1,
    batch_size: Batch = 0,
    workers: Workers = 2,
    runtime: Runtime = "auto",
    precision: Precision = "float32",
    engine: Engine = None,
    parts: Parts = "parquet",
    as_json: AsJson = False,
) -> None:
    """Detect objects in photographs, folders, a dataset or videos.

    A file that cannot be read is named and passed over, and the exit code is then 1. Large photographs are
    better looked at in tiles. A video gives a line of JSON a frame and, with --draw, a video with boxes.

    **Examples**

      amidst predict photo.jpg --draw out/

      amidst predict aerial.tif --tile 800 --draw out/

      amidst predict clip.mp4 --every 5 -o detections.jsonl --draw out/

      amidst predict runs/mine holiday/ -o found.json

      amidst predict runs/mine --ann val.json --images images/ -o results.json

      amidst predict runs/mine s3://bucket/photos --engine ray --workers 8 -o s3://bucket/found
    """
    model_name, paths = split_words(words or [], BUILT_IN, with_dataset=ann is not None)
    if engine is not None:
        many = load_module("amidst.apps.cli.predict_many").predict_many
        given = (model_name, paths, ann, images, output)
        many(context, *given, engine, workers, parts, as_json, device, batch_size, runtime, precision)
        return
    videos = only_videos(paths, ann, proposals, every)
    check_output(output, lines=bool(videos))
    inputs = Inputs([], {}) if videos else read_inputs(paths, ann, images, proposals)
    tiling, place = read_tiling(tile, overlap, proposals), choose_device(device)
    model, info = open_model(model_name, place, runtime, getattr(torch, precision))
    if isinstance(info.config, MaskConfig):
        raise UsageError(f"{model_name} proposes masks: amidst propose {model_name} ...")
    check_proposals(info.config, proposals is not None)
    category_ids = dataset_category_ids(info, inputs.dataset or CocoDataset())
    work = Work(model, info, category_ids, threshold, batch_size or usual_batch(place), workers, tiling)
    if videos:
        predict_videos(work, videos, every, output, draw, as_json)
        return
    _finish(inputs, *_predict(work, inputs, draw, as_json), output, draw)


def _finish(
    inputs: Inputs, results: Results, broken: list[Path], output: Path | None, draw: Path | None
) -> None:
    """Write the results and say where; exit code 1 where a file could not be read."""
    if output is not None:
        inputs.write(results, output)
        say(f"{len(results)} detections written to {output}")
    if draw is not None:
        say(f"pictures written to {draw}")
    if broken:
        say(f"{len(broken)} of {len(inputs.sources)} images could not be read")
        raise typer.Exit(1)


def read_tiling(tile: str, overlap: float, proposals: Path | None) -> Tiling | None:
    """What --tile and --overlap ask for. Raises UsageError."""
    if not tile:
        return None
    if proposals is not None:
        raise UsageError("--tile does not go with --proposals: they are boxes of the whole photograph")
    width, _, height = tile.lower().partition("x")
    try:
        return Tiling(int(width), int(height or width), overlap)
    except ValueError:
        raise UsageError(f"--tile {tile}: expected pixels, such as 800 or 1024x768") from None


def _predict(work: Work, inputs: Inputs, draw: Path | None, as_json: bool) -> tuple[Results, list[Path]]:
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
        bar = stack.enter_context(step("predicting", len(inputs.sources)))

        def on_tile(done: int, count: int) -> None:
            if count > 1:
                bar.update(len(parts) + len(broken), note=f"tile {done} of {count}")

        for prediction in _predictions(work, inputs.sources, failing, on_tile):
            part = to_results(prediction, work.category_ids)
            parts.append(part)
            if as_json:
                print_json(_json_record(work, prediction, part))
            elif len(rows) < SHOWN_ROWS:
                rows.append(_row(work, prediction, part))
            if gallery is not None:
                name = inputs.names[prediction.path]
                gallery.add(prediction.path, name, drawing(work, prediction, part), prediction.size_hw)
            bar.update(len(parts) + len(broken))
    if not as_json:
        _print_rows(rows, len(parts))
    return Results.concatenate(parts), broken


def _predictions(
    work: Work, sources: Sequence[Source], on_error: OnError, on_tile: Progress
) -> Iterator[Prediction]:
    batch, workers = work.batch_size, work.workers
    if work.tiling is None:
        return predict_images(
            work.model, work.info, sources, batch_size=batch, workers=workers, on_error=on_error
        )
    images = read_ahead(sources, open_image, workers=min(workers, 1), ahead=LARGE_AHEAD)
    return predict_tiled(
        work.model,
        work.info,
        images,
        work.tiling,
        batch_size=batch,
        workers=workers,
        on_error=on_error,
        on_tile=on_tile,
    )


def _json_record(work: Work, prediction: Prediction, part: Results) -> dict[str, Any]:
    return {
        "file_name": str(prediction.path),
        "image_id": prediction.image_id,
        "height": prediction.size_hw[0],
        "width": prediction.size_hw[1],
        "detections": detection_records(work, part, listed(part, work.threshold)),
    }


def _row(work: Work, prediction: Prediction, part: Results) -> tuple[str, str, str, str]:
    height, width = prediction.size_hw
    found = listed(part, work.threshold)
    return str(prediction.path), f"{width} x {height}", str(len(found)), best_words(work, part, found)


def _print_rows(rows: Sequence[tuple[str, str, str, str]], images: int) -> None:
    if rows:
        print_table("", ("image", "size", "objects", "best"), rows, right=("objects",))
    if images > len(rows):
        say(f"and {images - len(rows)} more images")
