"""What evaluation needs to know of a dataset file beyond the curves, without making its records.

The engine reads plain files by itself, far faster than records can be made; this is the look that decides
whether a file is plain, and gathers categories and their numbers of objects for the summary.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.coco import parsing
from amidst.coco.records import Category, Rle, parse_segmentation
from amidst.errors import DataError


@dataclass(frozen=True, eq=False)
class Skim:
    """category_ids: of the objects that count (crowds do not), (N,) int64."""

    categories: tuple[Category, ...]
    category_ids: npt.NDArray[np.int64]


_IMAGES = msgspec.json.Decoder(list[parsing.ImageJson])
_ANNOTATIONS = msgspec.json.Decoder(list[parsing.AnnotationJson])


def skim(path: Path, *, with_masks: bool) -> Skim | None:
    """None if the file holds anything but plain records: a defect, an `ignore` flag, or (with_masks) a mask
    that the engine would not read as we do. Reading the records then tells which.

    Raises UsageError if the file cannot be opened.
    """
    data = parsing.read_file(path)
    try:
        sections = parsing.parse_sections(data, path)
        images = parsing.decode(_IMAGES, sections["images"])
        annotations = parsing.decode(_ANNOTATIONS, sections["annotations"])
        categories = parsing.parse_categories(sections["categories"], path)
        if with_masks and not all(_is_plain_mask(annotation) for annotation in annotations):
            return None
    except (msgspec.DecodeError, DataError, KeyError):
        return None
    image_ids, category_ids = {image.id for image in images}, {category.id for category in categories}
    plain = (
        len(image_ids) == len(images)
        and len(category_ids) == len(categories)
        and len({annotation.id for annotation in annotations}) == len(annotations)
        and image_ids >= {annotation.image_id for annotation in annotations}
        and category_ids >= {annotation.category_id for annotation in annotations}
        and not any(annotation.ignore for annotation in annotations)
    )
    if not plain:
        return None
    counted = [annotation.category_id for annotation in annotations if not annotation.iscrowd]
    return Skim(categories, np.array(counted, dtype=np.int64))


def _is_plain_mask(annotation: parsing.AnnotationJson) -> bool:
    value = parse_segmentation(annotation.segmentation, annotation.id)
    if value is None or isinstance(value, Rle):
        return value is not None
    return bool(value) and all(len(part) >= 6 and len(part) % 2 == 0 for part in value)
