"""YOLO: a text file for each image, a line for each object, and data.yaml with the names of the classes.

    class x y width height                   a box: its centre and size
    class x1 y1 x2 y2 x3 y3 ...              an outline

All coordinates are fractions of the image's width and height; a class is the index of its name.

The format cannot hold ids, crowds, "ignore", licences, masks with several parts or holes, areas, or any
further field. Crowds and ignored objects are left out, for as plain objects they would be taught to a
detector; objects of several parts or with an RLE are written as boxes in a file of outlines.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from amidst.coco.dataset import CocoDataset
from amidst.coco.images import image_size
from amidst.coco.records import Annotation, Box, Image, Polygons
from amidst.curation.conversion import (
    Losses,
    Numbering,
    label_path,
    new_folder,
    polygon_box,
    refuse_collisions,
)
from amidst.curation.sources import PICTURES
from amidst.errors import DataError, UsageError

LABELS, NAMES = "labels", "data.yaml"


def write_yolo(dataset: CocoDataset, folder: str | Path, *, outlines: bool = False) -> Losses:
    """Writes labels/ and data.yaml into a new folder; what was lost.

    outlines: write polygons instead of boxes. Raises UsageError if the folder exists, DataError for
    colliding names.
    """
    refuse_collisions(dataset)
    return new_folder(folder, lambda base: _write(dataset, base, outlines))


def read_yolo(folder: str | Path, images: str | Path, *, like: CocoDataset | None = None) -> CocoDataset:
    """A dataset of a folder with data.yaml and labels/, and the folder of the images, whose files give
    the sizes.

    Images without a label file have no objects. Raises UsageError for missing folders, DataError naming
    file and line.
    """
    base, pictures = Path(folder), Path(images)
    names = _class_names(base / NAMES)
    if not pictures.is_dir():
        raise UsageError(f"there is no folder {pictures}")
    files = [p.relative_to(pictures) for p in sorted(pictures.rglob("*")) if p.suffix.lower() in PICTURES]
    numbering = Numbering((file.as_posix() for file in files), like)
    numbering.add_categories(names)
    labels = set((base / LABELS).rglob("*.txt"))
    for file in files:
        height, width = image_size(pictures / file)
        image_id = numbering.add_image(file.as_posix(), width, height)
        path = label_path(base / LABELS, file.as_posix(), ".txt")
        if path in labels:
            labels.remove(path)
            _read_labels(path, numbering, image_id, names, (height, width))
    if labels:
        raise DataError("there is no image for these labels", file=min(labels), rule="missing-image")
    return numbering.dataset()


def _write(dataset: CocoDataset, base: Path, outlines: bool) -> Losses:
    losses: Losses = Losses()
    classes = dataset.class_map()
    for image in dataset.images:
        lines = []
        for annotation in dataset.annotations_of(image.id):
            if annotation.iscrowd or annotation.ignore:
                losses["crowd regions left out" if annotation.iscrowd else "ignored objects left out"] += 1
                continue
            numbers = _numbers(annotation, image, outlines, losses)
            lines.append(f"{classes.class_index(annotation.category_id)} {numbers}\n")
        path = label_path(base / LABELS, image.file_name, ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")
    text = yaml.safe_dump({"names": dict(enumerate(classes.names))}, allow_unicode=True, sort_keys=False)
    (base / NAMES).write_text(text, encoding="utf-8")
    return losses


def _numbers(annotation: Annotation, image: Image, outlines: bool, losses: Losses) -> str:
    shape = annotation.segmentation
    if outlines and isinstance(shape, tuple) and len(shape) == 1:
        points = zip(shape[0][0::2], shape[0][1::2], strict=True)
        values = [value for x, y in points for value in (x / image.width, y / image.height)]
    else:
        if shape is not None:
            losses["masks reduced to boxes"] += 1
        x, y, width, height = annotation.bbox_xywh
        values = [
            (x + width / 2) / image.width,
            (y + height / 2) / image.height,
            width / image.width,
            height / image.height,
        ]
    return " ".join(f"{value:.12g}" for value in values)


def _class_names(file: Path) -> list[str]:
    try:
        document: Any = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except yaml.YAMLError as error:
        raise DataError(f"not YAML: {error}", file=file, rule="yaml") from None
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(
            "expected `names`: a list, or indices 0, 1, ... with names", file=file, rule="classes"
        )
    if len(set(names)) < len(names):
        raise DataError("two classes have the same name", file=file, rule="duplicate-id")
    return names


def _read_labels(
    path: Path, numbering: Numbering, image_id: int, names: list[str], size_hw: tuple[int, int]
) -> None:
    height, width = size_hw
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            first, *rest = line.split()
            index, values = int(first), [float(word) for word in rest]
        except ValueError:
            raise _bad(path, number, "expected a class index and numbers") from None
        if not 0 <= index < len(names):
            raise _bad(path, number, f"class {index} is none of the {len(names)} of {NAMES}")
        if not all(math.isfinite(v) and -1e-6 <= v <= 1 + 1e-6 for v in values):
            raise _bad(path, number, "coordinates must be fractions 0..1")
        category_id = numbering.category(names[index])
        if len(values) == 4:
            x, y, w, h = values
            box: Box = ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
            numbering.add_object(image_id, category_id, box)
        elif len(values) >= 6 and len(values) % 2 == 0:
            scale = (width, height)
            shape: Polygons = (tuple(value * scale[i % 2] for i, value in enumerate(values)),)
            numbering.add_object(image_id, category_id, polygon_box(shape), shape, size_hw=size_hw)
        else:
            raise _bad(path, number, f"expected 4 numbers or at least 3 points, got {len(values)} numbers")


def _bad(path: Path, line: int, problem: str) -> DataError:
    return DataError(problem, file=os.fspath(path), record=f"line {line}", rule="label")
