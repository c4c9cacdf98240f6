"""Small objects in large photographs, with and without tiles: AP, time and memory.

    python benchmarks/tiles.py                     9 sheets of 24 photographs, 2304x1536 pixels
    python benchmarks/tiles.py --sheets 1          does it run

The validation photographs of coco_person, at most 384 pixels large, are laid on sheets 6 wide and 4 high; the
built-in detector of persons looks at each sheet as a whole, in tiles, and at each photograph alone. The last
is what tiles can reach at best. --data holds coco_person/; by default it is $AMIDST_SHARED/data.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from timing import Row, add_arguments, show, write

from amidst.coco.dataset import CocoDataset
from amidst.coco.images import read_image
from amidst.coco.records import Annotation, Image
from amidst.coco.results import Results
from amidst.evaluation import evaluate
from amidst.inference.predict import (
    Prediction,
    dataset_category_ids,
    dataset_sources,
    predict_images,
    to_results,
)
from amidst.inference.reading import open_image
from amidst.inference.tiles import Tiling, predict_tiled
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import load_model, resolve_model

RESULTS = Path(__file__).parent / "results" / "tiles.json"
SIDE, COLUMNS, ROWS = 384, 6, 4
TILES = (640, 480, 384)
OVERLAP = 0.4
MOST = (1, 10, 2000)  # detections of an image that count


def sheets(dataset: CocoDataset, images: Path, folder: Path, number: int) -> CocoDataset:
    """Photographs side by side, written to `folder`, with their objects."""
    pages: list[Image] = []
    objects: list[Annotation] = []
    for page in range(number):
        sheet = np.full((ROWS * SIDE, COLUMNS * SIDE, 3), 120, dtype=np.uint8)
        first = page * ROWS * COLUMNS
        for place, image in enumerate(dataset.images[first : first + ROWS * COLUMNS]):
            x, y = place % COLUMNS * SIDE, place // COLUMNS * SIDE
            sheet[y : y + image.height, x : x + image.width] = read_image(images / image.file_name)
            for own in dataset.annotations_of(image.id):
                left, top, width, height = own.bbox_xywh
                moved = (left + x, top + y, width, height)
                objects.append(
                    Annotation(own.id, page, own.category_id, moved, own.area, own.iscrowd, own.ignore)
                )
        PillowImage.fromarray(sheet).save(folder / f"{page}.png")
        pages.append(Image(page, sheet.shape[1], sheet.shape[0], f"{page}.png"))
    return CocoDataset(tuple(pages), tuple(objects), dataset.categories)


def scored(
    name: str, dataset: CocoDataset, category_ids: np.ndarray, predict: Callable[[], Iterable[Prediction]]
) -> Row:
    """AP of all predictions, and the time they took."""
    begun = time.perf_counter()
    parts = [to_results(prediction, category_ids) for prediction in predict()]
    seconds = time.perf_counter() - begun
    stats = evaluate(dataset, Results.concatenate(parts), max_dets=MOST).stats
    return {
        "name": name,
        "ap": round(float(stats[0]), 3),
        "ap50": round(float(stats[1]), 3),
        "seconds": round(seconds, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_arguments(parser, RESULTS)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("AMIDST_SHARED", "../shared")) / "data"
    )
    parser.add_argument("--sheets", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images = arguments.data / "coco_person" / "images"
    single = CocoDataset.load(arguments.data / "coco_person" / "annotations" / "person_val.json")
    single = single.select([image.id for image in single.images[: arguments.sheets * ROWS * COLUMNS]])
    model, info = load_model(resolve_model("person"))
    model = prepare_for_inference(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = sheets(single, images, folder, arguments.sheets)

        def tiled(side: int) -> Iterator[Prediction]:
            opened = map(open_image, dataset_sources(large, folder))
            return predict_tiled(model, info, opened, Tiling(side, side, OVERLAP))

        ids = dataset_category_ids(info, single)
        whole = partial(predict_images, model, info, dataset_sources(large, folder))
        rows = [scored("whole sheets", large, ids, whole)]
        rows += [scored(f"tiles of {side}", large, ids, partial(tiled, side)) for side in TILES]
        alone = partial(predict_images, model, info, dataset_sources(single, images))
        rows.append(scored("photographs alone", single, ids, alone))
    show(rows)
    write(arguments.output, "python benchmarks/tiles.py", "wall", rows)


if __name__ == "__main__":
    main()
