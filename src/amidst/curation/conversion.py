"""What all conversions share: ids for formats that have none, and a count of what a format cannot hold.

YOLO, PASCAL VOC and LabelMe name images and categories but do not number them. `Numbering` takes the ids
of a dataset that has them (`like`), by file name and by category name, so that files can go out to such
a tool and come back as the same records; names that are new get ids above all others. Without it ids
count from 1 in order of name.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Box, Category, Image, Segmentation
from amidst.errors import DataError, UsageError

Losses = Counter[str]
"""How many records lost what, as {"crowd regions left out": 3}; empty if the format held everything."""


class Numbering:
    """Gives images and categories their ids, and collects the records."""

    def __init__(self, image_names: Iterable[str], like: CocoDataset | None = None) -> None:
        known = {image.file_name: image for image in like.images} if like else {}
        self._categories = {category.name: category for category in like.categories} if like else {}
        self._like = like
        names = sorted(set(image_names))
        free = max((image.id for image in known.values()), default=0)
        self._image_ids = {name: known[name].id for name in names if name in known}
        for name in names:
            if name not in self._image_ids:
                free += 1
                self._image_ids[name] = free
        self._known = known
        self.images: list[Image] = []
        self.annotations: list[Annotation] = []

    def add_categories(self, names: Sequence[str], *, first: int = 1) -> None:
        """Categories in the order of a format's own list; new ones are numbered from `first` or above
        all others.
        """
        for name in names:
            if name not in self._categories:
                number = max((c.id for c in self._categories.values()), default=first - 1) + 1
                self._categories[name] = Category(number, name)

    def category(self, name: str) -> int:
        """The id of a category that was added."""
        return self._categories[name].id

    def add_image(self, name: str, width: int, height: int, extra: dict[str, Any] | None = None) -> int:
        """Keeps the image; its id. Raises DataError if `like` knows it with another size."""
        number, known = self._image_ids[name], self._known.get(name)
        if known is not None and (known.width, known.height) != (width, height):
            raise DataError(
                f"{width}x{height} pixels here, {known.width}x{known.height} in the dataset it came from",
                record=f"image {name}",
                rule="image-size",
            )
        if known is not None:
            self.images.append(known)
        else:
            self.images.append(Image(number, width, height, name, extra=extra or {}))
        return number

    def add_object(
        self,
        image_id: int,
        category_id: int,
        box: Box,
        shape: Segmentation | None = None,
        *,
        iscrowd: bool = False,
        ignore: bool = False,
        size_hw: tuple[int, int] = (0, 0),
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Keeps an object, numbered from 1. Its area is that of its mask, or of its box if it has none."""
        area = box[2] * box[3]
        if shape is not None:
            area = float(masks.area([masks.from_segmentation(shape, size_hw)])[0])
        number = len(self.annotations) + 1
        self.annotations.append(
            Annotation(number, image_id, category_id, box, area, iscrowd, ignore, shape, extra or {})
        )

    def dataset(self) -> CocoDataset:
        """All that was added."""
        return CocoDataset(
            tuple(sorted(self.images, key=lambda image: image.id)),
            tuple(self.annotations),
            tuple(sorted(self._categories.values(), key=lambda category: category.id)),
            self._like.info if self._like else {},
            self._like.licenses if self._like else (),
        )


def polygon_box(parts: Sequence[Sequence[float]]) -> Box:
    """The box around all vertices."""
    xs = [x for part in parts for x in part[0::2]]
    ys = [y for part in parts for y in part[1::2]]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def label_path(folder: Path, file_name: str, suffix: str) -> Path:
    """Where the labels of an image go: its own path with another suffix. Raises DataError if it leaves
    the folder.
    """
    path = PurePosixPath(file_name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise DataError(
            "the path leaves the images folder", record=f"image file {file_name!r}", rule="file-name"
        )
    return folder.joinpath(*path.with_suffix(suffix).parts)


def refuse_collisions(dataset: CocoDataset) -> None:
    """Raises DataError if two images differ only in suffix, for their labels would be one file."""
    seen: dict[str, str] = {}
    for image in dataset.images:
        stem = str(PurePosixPath(image.file_name).with_suffix(""))
        if stem in seen:
            raise DataError(
                f"{seen[stem]} and {image.file_name} would share one label file",
                record=f"image {image.id}",
                rule="label-collision",
            )
        seen[stem] = image.file_name


def new_folder(folder: str | Path, write: Callable[[Path], Losses]) -> Losses:
    """Runs `write` on a folder beside the wanted one and renames it at the end. Raises UsageError if it
    exists.
    """
    target = Path(folder)
    if target.exists():
        raise UsageError(f"{target} exists already; name a new folder")
    beside = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        losses = write(beside)
        beside.replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return losses
