"""LabelMe: a JSON file for each image, with shapes that have a label.

    polygon     a part of an object; parts with the same group_id are one object
    rectangle   two opposite corners: an object with a box and no mask
    mask        an RLE as a PNG picture of the pixels inside its box, holes included

`iscrowd` and `ignore` stand in a shape's flags. The format cannot hold ids, areas, licences,
supercategories or other fields. Circles, lines and points are refused by name, for they have no mask.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
from PIL import Image as PillowImage

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Image, Rle, Segmentation
from amidst.curation.conversion import (
    Losses,
    Numbering,
    label_path,
    new_folder,
    polygon_box,
    refuse_collisions,
)
from amidst.errors import DataError, UsageError

_VERSION = "5.5.0"  # of the format that is written


class _Shape(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    group_id: int | None = None
    shape_type: str = "polygon"
    flags: dict[str, Any] | None = None
    mask: str | None = None


class _File(msgspec.Struct):
    imagePath: str  # noqa: N815 - the format's own names
    imageHeight: int  # noqa: N815
    imageWidth: int  # noqa: N815
    shapes: list[_Shape]


def write_labelme(dataset: CocoDataset, folder: str | Path) -> Losses:
    """Writes a JSON file for each image into a new folder; what was lost. The images are not copied.

    Raises UsageError if the folder exists, DataError for colliding names or a bad mask.
    """
    refuse_collisions(dataset)
    return new_folder(folder, lambda base: _write(dataset, base))


def read_labelme(folder: str | Path, *, like: CocoDataset | None = None) -> CocoDataset:
    """A dataset of the JSON files below a folder. Raises UsageError if there is none, DataError naming
    file and shape.
    """
    base = Path(folder)
    if not base.is_dir():
        raise UsageError(f"there is no folder {base}")
    files = {path: _parsed(path) for path in sorted(base.rglob("*.json"))}
    names = {
        path: (
            path.relative_to(base).parent / PurePosixPath(file.imagePath.replace("\\", "/")).name
        ).as_posix()
        for path, file in files.items()
    }
    numbering = Numbering(names.values(), like)
    numbering.add_categories(sorted({shape.label for file in files.values() for shape in file.shapes}))
    for path, file in files.items():
        image_id = numbering.add_image(names[path], file.imageWidth, file.imageHeight)
        for group in _groups(file.shapes):
            _read_object(numbering, image_id, group, file, path)
    return numbering.dataset()


def _write(dataset: CocoDataset, base: Path) -> Losses:
    losses: Losses = Losses()
    names = {category.id: category.name for category in dataset.categories}
    for image in dataset.images:
        shapes = [
            shape
            for annotation in dataset.annotations_of(image.id)
            for shape in _shapes(annotation, image, names[annotation.category_id])
        ]
        document: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": PurePosixPath(image.file_name).name,
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
        }
        path = label_path(base, image.file_name, ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
    further = sum(bool(annotation.extra) for annotation in dataset.annotations)
    if further:
        losses["objects without their further fields"] = further
    return losses


def _shapes(annotation: Annotation, image: Image, name: str) -> list[dict[str, Any]]:
    flags = {key: True for key in ("iscrowd", "ignore") if getattr(annotation, key)}
    shape = annotation.segmentation
    blank = {"label": name, "group_id": None, "description": "", "flags": flags, "mask": None}
    if shape is None:
        x, y, width, height = annotation.bbox_xywh
        corners = [[x, y], [x + width, y + height]]
        return [blank | {"points": corners, "shape_type": "rectangle"}]
    if isinstance(shape, Rle):
        return [blank | _mask_shape(masks.from_segmentation(shape, (image.height, image.width)))]
    group = annotation.id if len(shape) > 1 else None
    return [
        blank
        | {
            "points": [list(point) for point in zip(part[0::2], part[1::2], strict=True)],
            "shape_type": "polygon",
            "group_id": group,
        }
        for part in shape
    ]


def _mask_shape(rle: Rle) -> dict[str, Any]:
    """LabelMe's mask: points are the first and the last pixel of its box."""
    x, y, width, height = (int(value) for value in masks.boxes([rle])[0])
    pixels = masks.decode([rle])[0][y : y + height, x : x + width]
    stream = io.BytesIO()
    if pixels.size:
        PillowImage.fromarray(pixels * np.uint8(255)).convert("1").save(stream, "PNG")
    return {
        "points": [[x, y], [x + width - 1, y + height - 1]],
        "shape_type": "mask",
        "mask": base64.b64encode(stream.getvalue()).decode(),
    }


def _parsed(path: Path) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not a LabelMe file: {error}", file=path, rule="labelme") from None


def _groups(shapes: list[_Shape]) -> list[list[_Shape]]:
    """Shapes of one object each: polygons of the same group and label are parts of one."""
    groups: dict[tuple[int, int | None, str], list[_Shape]] = {}
    for index, shape in enumerate(shapes):
        alone = shape.group_id is None or shape.shape_type != "polygon"
        key = (index, None, "") if alone else (-1, shape.group_id, shape.label)
        groups.setdefault(key, []).append(shape)
    return list(groups.values())


def _read_object(numbering: Numbering, image_id: int, group: list[_Shape], file: _File, path: Path) -> None:
    first = group[0]
    flags: Mapping[str, Any] = first.flags or {}
    size_hw = (file.imageHeight, file.imageWidth)
    kind = first.shape_type
    if kind == "rectangle" and len(first.points) == 2:
        (x1, y1), (x2, y2) = first.points
        box = (min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))
        shape: Segmentation | None = None
    elif kind == "polygon":
        shape = tuple(tuple(value for point in part.points for value in point) for part in group)
        if any(len(part) < 6 for part in shape):
            raise DataError(
                "a polygon has fewer than 3 points", file=path, record=repr(first.label), rule="label"
            )
        box = polygon_box(shape)
    elif kind == "mask" and first.mask is not None and len(first.points) == 2:
        shape = _read_mask(first, size_hw, path)
        x, y, width, height = (float(value) for value in masks.boxes([shape])[0])
        box = (x, y, width, height)
    else:
        raise DataError(
            f"a shape of type {kind!r} with {len(first.points)} points has no mask",
            file=path,
            record=repr(first.label),
            rule="label",
        )
    numbering.add_object(
        image_id,
        numbering.category(first.label),
        box,
        shape,
        iscrowd=bool(flags.get("iscrowd")),
        ignore=bool(flags.get("ignore")),
        size_hw=size_hw,
    )


def _read_mask(shape: _Shape, size_hw: tuple[int, int], path: Path) -> Rle:
    (x, y), (right, bottom) = ((round(px), round(py)) for px, py in shape.points)
    whole = np.zeros(size_hw, dtype=np.uint8)
    window = whole[max(y, 0) : bottom + 1, max(x, 0) : right + 1]
    try:
        data = base64.b64decode(shape.mask or "", validate=True)
        if data:
            with PillowImage.open(io.BytesIO(data)) as picture:
                if picture.size != (window.shape[1], window.shape[0]):
                    raise ValueError(f"{picture.size[0]}x{picture.size[1]} pixels do not fill its box")
                window[:] = np.asarray(picture.convert("L")) > 0
    except (ValueError, OSError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise DataError(f"bad mask: {error}", file=path, record=repr(shape.label), rule="label") from None
    return masks.encode(whole[None])[0]
