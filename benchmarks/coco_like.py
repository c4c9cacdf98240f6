"""A COCO-shaped dataset and detections of it, drawn by a seed, for benchmarks that need a size nobody ships.

Detections of an image: its objects jittered (85 % with their category, the rest with another), the same once
more as doubles, and chance boxes, up to a number an image; scores to five decimals, so that there are ties.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from amidst.coco import masks

CATEGORIES = 80
SIZES = [(640, 480), (480, 640), (640, 427), (427, 640), (500, 375)]
TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)


def generate(path: Path, images: int, seed: int = 0) -> None:
    """A COCO-shaped file: 7.3 objects an image (log-normal), 41 % small, long-tailed categories, polygons of
    8 to 60 vertices, 12 % of the objects in two parts, 1.2 % crowds as run lengths."""
    draw = np.random.default_rng(seed)
    frequency = 1 / (np.arange(CATEGORIES) + 2.5)
    frequency[0] *= 2.6
    frequency /= frequency.sum()
    records, number = [], 1
    with path.open("wb") as stream:
        stream.write(b'{"info": {}, "licenses": [], "annotations": [')
        for image in range(1, images + 1):
            width, height = SIZES[image % len(SIZES)]
            records.append({"id": image, "width": width, "height": height, "file_name": f"{image:012d}.jpg"})
            count = min(int(draw.lognormal(1.635, 0.85) + 0.55), 93)
            objects = _objects(draw, count, width, height, frequency, image, number)
            if objects:
                text = msgspec.json.encode(objects)[1:-1]
                stream.write(text if number == 1 else b"," + text)
            number += count
        categories = [{"id": k + 1, "name": f"category {k}", "supercategory": "s"} for k in range(CATEGORIES)]
        stream.write(b'], "categories": ' + msgspec.json.encode(categories))
        stream.write(b', "images": ' + msgspec.json.encode(records) + b"}")


def _objects(
    draw: np.random.Generator, count: int, width: int, height: int, frequency: Any, image: int, first: int
) -> list[dict[str, Any]]:
    side = np.exp(draw.uniform(np.log(8), np.log(350), count))
    stretch = np.exp(draw.normal(0, 0.22, count))
    w, h = np.minimum(side * stretch, 0.98 * width), np.minimum(side / stretch, 0.98 * height)
    x, y = draw.uniform(0, width - w), draw.uniform(0, height - h)
    category = draw.choice(CATEGORIES, count, p=frequency)
    vertices = draw.integers(8, 61, count)
    two_parts, crowd = draw.random(count) < 0.12, draw.random(count) < 0.012
    objects = []
    for n in range(count):
        angles = np.linspace(0, 2 * np.pi, vertices[n], endpoint=False)
        outline = np.empty(2 * vertices[n])
        outline[0::2] = x[n] + w[n] / 2 * (1 + np.cos(angles))
        outline[1::2] = y[n] + h[n] / 2 * (1 + np.sin(angles))
        part = np.round(outline, 2).tolist()
        segmentation: Any = [part, part[: len(part) // 4 * 2]] if two_parts[n] else [part]
        if crowd[n]:
            rows, start = max(int(h[n]), 1), int(x[n]) * height + int(y[n])
            runs = [start] + [rows, height - rows] * max(int(w[n]) - 1, 0) + [rows]
            segmentation = {"counts": [*runs, width * height - sum(runs)], "size": [height, width]}
        objects.append(
            {
                "id": first + n,
                "image_id": image,
                "category_id": int(category[n]) + 1,
                "segmentation": segmentation,
                "area": round(float(np.pi / 4 * w[n] * h[n]), 2),
                "bbox": np.round([x[n], y[n], w[n], h[n]], 2).tolist(),
                "iscrowd": int(crowd[n]),
            }
        )
    return objects


def detect(truth: Path, path: Path, each: int, with_masks: bool, seed: int = 1) -> None:
    """Detections of a file of `generate`, `each` an image: boxes, and ellipses in them as run lengths."""
    draw = np.random.default_rng(seed)
    data = msgspec.json.decode(truth.read_bytes())
    of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    with path.open("wb") as stream:
        for n, image in enumerate(data["images"]):
            found = _detections(draw, image, of_image[image["id"]], each, with_masks)
            stream.write((b"," if n else b"[") + msgspec.json.encode(found)[1:-1])
        stream.write(b"]")


def _detections(
    draw: np.random.Generator,
    image: dict[str, Any],
    objects: list[dict[str, Any]],
    each: int,
    with_masks: bool,
) -> list[dict[str, Any]]:
    width, height = image["width"], image["height"]
    true = np.array([o["bbox"] for o in objects] * 2, dtype=float).reshape(-1, 4)[:each]
    label = np.array([o["category_id"] for o in objects] * 2, dtype=int)[:each]
    jitter = draw.normal(0, 0.1, true.shape) * true[:, [2, 3, 2, 3]]
    side = np.exp(draw.uniform(np.log(8), np.log(350), (each - len(true), 2)))
    chance = np.concatenate([draw.uniform(0, 0.9, (len(side), 2)) * (width, height), side], 1)
    boxes = np.concatenate([true + jitter, chance])
    boxes[:, :2] = np.clip(boxes[:, :2], 0, (width - 2, height - 2))
    boxes[:, 2:] = np.clip(boxes[:, 2:], 1, (width, height) - boxes[:, :2])
    other = draw.integers(1, CATEGORIES + 1, each)
    right = np.arange(each) < len(true)
    right[: len(true)] &= draw.random(len(true)) < 0.85
    category = np.where(right, np.resize(np.append(label, 1), each), other)
    score = np.where(np.arange(each) < len(true), draw.beta(4, 2, each), draw.beta(1, 6, each))
    records = []
    for box, class_id, value in zip(boxes.round(2).tolist(), category.tolist(), score.round(5), strict=True):
        record = {"image_id": image["id"], "category_id": class_id, "bbox": box, "score": float(value)}
        if with_masks:
            record["segmentation"] = _ellipse(box, (height, width))
        records.append(record)
    return records


def _ellipse(box: list[float], size_hw: tuple[int, int]) -> dict[str, Any]:
    x, y, w, h = box
    outline = np.stack([x + w / 2 * (1 + np.cos(TURN)), y + h / 2 * (1 + np.sin(TURN))], 1)
    rle = masks.compress(masks.from_polygons([outline.ravel().tolist()], size_hw))
    return {"size": list(size_hw), "counts": rle.counts}
