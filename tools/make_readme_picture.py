"""Compose the README's picture: a row of photographs of the bundled sample with detections drawn on them.

    python tools/make_readme_picture.py MODEL [-o docs/images/detections.jpg] [--min-score 0.4] [--ids 1 2 3]

MODEL is what `amidst predict` takes (a run folder, a model file, a built-in name), or a results file (.json)
of the sample's images. The photographs' credits, which belong beside the picture, are printed.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from amidst.apps.report.drawing import draw_detections
from amidst.coco.dataset import CocoDataset
from amidst.coco.images import read_image
from amidst.coco.results import Results
from amidst.data import sample_dir
from amidst.inference.predict import predict_dataset
from amidst.models.weights import load_model, resolve_model

ROOT = Path(__file__).resolve().parent.parent
WIDTH, GAP = 1600, 10  # of the row and between photographs, pixels
QUALITY = 88
IDS = (252219, 415748, 547336, 349860)


def sample(image_ids: list[int]) -> CocoDataset:
    """The chosen photographs of both splits."""
    folder = sample_dir() / "annotations"
    splits = (CocoDataset.load(folder / f"{name}.json") for name in ("train", "val"))
    both = CocoDataset.merge(list(splits))
    return both.select(image_ids=image_ids)


def detect(model: str, dataset: CocoDataset) -> Results:
    """Detections on the photographs, from a results file or by running the model."""
    if model.endswith(".json"):
        results = Results.load(model)
        return results.take(np.isin(results.image_ids, [image.id for image in dataset.images]))
    network, info = load_model(resolve_model(model))
    return predict_dataset(network, info, dataset, sample_dir() / "images")


def row(dataset: CocoDataset, image_ids: list[int], results: Results, min_score: float) -> NDArray[np.uint8]:
    """The photographs side by side at one height, with their detections: (H, WIDTH, 3)."""
    assert results.boxes_xywh is not None
    names = {category.id: category.name for category in dataset.categories}
    aspects = [dataset.image(i).width / dataset.image(i).height for i in image_ids]
    height = round((WIDTH - GAP * (len(image_ids) - 1)) / sum(aspects))
    canvas = np.full((height, WIDTH, 3), 255, np.uint8)
    left = 0
    for number, image_id in enumerate(image_ids):
        record = dataset.image(image_id)
        last = number == len(image_ids) - 1
        width = WIDTH - left if last else round(height * record.width / record.height)
        pixels = read_image(sample_dir() / "images" / record.file_name)
        photograph = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        own = results.take(results.image_ids == image_id)
        assert own.boxes_xywh is not None
        corners = np.concatenate(
            [own.boxes_xywh[:, :2], own.boxes_xywh[:, :2] + own.boxes_xywh[:, 2:]], axis=1
        )
        scale = np.array([width / record.width, height / record.height] * 2)
        canvas[:, left : left + width] = draw_detections(
            np.asarray(photograph), corners * scale, own.category_ids, own.scores, names, min_score=min_score
        )
        left += width + GAP
    return canvas


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images" / "detections.jpg")
    parser.add_argument("--min-score", type=float, default=0.4)
    parser.add_argument("--ids", type=int, nargs="+", default=list(IDS))
    given = parser.parse_args()
    dataset = sample(given.ids)
    picture = row(dataset, given.ids, detect(given.model, dataset), given.min_score)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(given.output, quality=QUALITY, optimize=True)
    print(
        f"{given.output}: {picture.shape[1]}x{picture.shape[0]}, {given.output.stat().st_size / 1e3:.0f} kB"
    )
    for image_id in given.ids:
        record = dataset.image(image_id)
        print(f"  {record.file_name}: licence {record.license}, {record.extra.get('flickr_url')}")


if __name__ == "__main__":
    main()
