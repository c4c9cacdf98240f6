"""`amidst dataset show`: a local page to browse a dataset, and results beside it."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from amidst.apps.cli.console import say
from amidst.apps.explorer.captions import load_captions
from amidst.apps.explorer.index import Index, Split
from amidst.apps.explorer.server import make_explorer, make_server
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.errors import DataError, UsageError


def show(
    files: Annotated[
        list[Path], typer.Argument(metavar="ANN.json...", help="COCO files; several are shown as splits.")
    ],
    images: Annotated[
        list[Path], typer.Option(help="Folder of the images; give several where splits lie apart.")
    ],
    results: Annotated[
        Path | None,
        typer.Option(help="COCO results file to show beside the annotations.", show_default=False),
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="COCO captions file of the same images.", show_default=False)
    ] = None,
    port: Annotated[
        int, typer.Option(help="Port on this machine; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Open a local page to browse a dataset: filters, boxes, masks, captions, sample sheets, results.

    The page is served to this machine alone, until Ctrl-C.

    **Examples**

      amidst dataset show instances_val.json --images val2017/

      amidst dataset show val.json --images val2017/ --results runs/mine/results.json
    """
    for folder in images:
        if not folder.is_dir():
            raise UsageError(f"--images {folder}: there is no such folder")
    splits = make_splits(files, results)
    sentences = load_captions(captions) if captions is not None else {}
    explorer = make_explorer(Index(splits), images, ", ".join(file.stem for file in files), sentences)
    try:
        server = make_server(explorer, port)
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror or error}") from None
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    say(f"{len(explorer.index.images):,} images at {address} (Ctrl-C ends)")
    if browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("")
    finally:
        server.server_close()


def make_splits(files: list[Path], results: Path | None) -> list[Split]:
    """The files as splits, each with the detections of its images.

    Raises DataError if a detection belongs to no image.
    """
    found = None if results is None else Results.load(results)
    datasets = [CocoDataset.load(file) for file in files]
    if found is not None:
        known = [image.id for dataset in datasets for image in dataset.images]
        strangers = ~np.isin(found.image_ids, known)
        if strangers.any():
            stranger = int(found.image_ids[strangers][0])
            raise DataError(
                f"image {stranger} is in none of the datasets", file=results, rule="unknown-image"
            )
    splits = []
    for file, dataset in zip(files, datasets, strict=True):
        part = None
        if found is not None:
            part = found.take(np.isin(found.image_ids, [image.id for image in dataset.images]))
            part.check_against(dataset)
        splits.append(Split(file.stem, dataset, part))
    return splits
