"""COCO files as CVAT writes and reads them.

CVAT says iscrowd = 1 for every mask that it stores as RLE, crowd or not. Read literally, such objects
would all be ignored by the evaluation. So on reading, iscrowd of an RLE counts only if the attribute
`is_crowd` of the annotation says so too (or `trust_iscrowd`), and on writing the meaning goes into that
attribute.

CVAT numbers categories and images from 1 and refuses a category 0; it knows categories by their names.
Where an id is below 1 all of its kind are numbered anew on writing and get their old ids back on reading
with `like`, by name. Everything else that a COCO file can hold is kept, ids of annotations included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Rle
from amidst.curation.conversion import Losses
from amidst.errors import DataError, UsageError

_CROWD = "is_crowd"


def write_cvat(dataset: CocoDataset, file: str | Path) -> Losses:
    """Writes the file; what was lost: nothing but ids below 1. Raises UsageError if the file exists."""
    target = Path(file)
    if target.exists():
        raise UsageError(f"{target} exists already; name a new file")
    images = _from_one(image.id for image in dataset.images)
    categories = _from_one(category.id for category in dataset.categories)
    sizes = {image.id: (image.height, image.width) for image in dataset.images}
    out = []
    for a in dataset.annotations:
        shape = a.segmentation
        if a.iscrowd and shape is not None:
            mask = masks.from_segmentation(shape, sizes[a.image_id])
            shape = Rle(mask.size, masks.counts(mask))
        told = dict(a.extra.get("attributes") or {}) | ({_CROWD: True} if a.iscrowd else {})
        extra = dict(a.extra) | ({"attributes": told} if told else {})
        out.append(
            Annotation(
                a.id,
                images[a.image_id],
                categories[a.category_id],
                a.bbox_xywh,
                a.area,
                isinstance(shape, Rle) or a.iscrowd,
                a.ignore,
                shape,
                extra,
            )
        )
    replace(
        dataset,
        images=tuple(replace(image, id=images[image.id]) for image in dataset.images),
        annotations=tuple(out),
        categories=tuple(replace(c, id=categories[c.id]) for c in dataset.categories),
    ).save(target)
    losses: Losses = Losses()
    for kind, ids in (("images", images), ("categories", categories)):
        if changed := sum(old != new for old, new in ids.items()):
            losses[f"{kind} numbered anew"] = changed
    return losses


def read_cvat(
    file: str | Path, *, like: CocoDataset | None = None, trust_iscrowd: bool = False
) -> CocoDataset:
    """The dataset of a file that CVAT exported.

    like: ids of its images and categories are taken over, by file name and name. trust_iscrowd: an RLE
    with iscrowd = 1 is a crowd, as in COCO's own files. Raises UsageError and DataError as
    `CocoDataset.load`.
    """
    dataset = CocoDataset.load(file)
    image_ids = {image.id: image.id for image in dataset.images}
    category_ids = {category.id: category.id for category in dataset.categories}
    if like is not None:
        image_ids |= _matched(
            {image.id: image.file_name for image in dataset.images},
            {image.file_name: image.id for image in like.images},
        )
        category_ids |= _matched(
            {category.id: category.name for category in dataset.categories},
            {category.name: category.id for category in like.categories},
        )
    try:
        return replace(
            dataset,
            images=tuple(replace(image, id=image_ids[image.id]) for image in dataset.images),
            annotations=tuple(
                _meant(a, image_ids[a.image_id], category_ids[a.category_id], trust_iscrowd)
                for a in dataset.annotations
            ),
            categories=tuple(replace(c, id=category_ids[c.id]) for c in dataset.categories),
        )
    except DataError as error:
        raise DataError(error.problem, file=file, record=error.record, rule=error.rule) from None


def _meant(a: Annotation, image_id: int, category_id: int, trust_iscrowd: bool) -> Annotation:
    told = dict(a.extra.get("attributes") or {})
    said = told.pop(_CROWD, None)
    shape = a.segmentation
    crowd = a.iscrowd and (trust_iscrowd or not isinstance(shape, Rle) or bool(said))
    extra = {key: value for key, value in a.extra.items() if key != "attributes"}
    if told:
        extra["attributes"] = told
    return Annotation(a.id, image_id, category_id, a.bbox_xywh, a.area, crowd, a.ignore, shape, extra)


def _from_one(ids: Iterable[int]) -> dict[int, int]:
    ordered = sorted(ids)
    if not ordered or ordered[0] >= 1:
        return {number: number for number in ordered}
    return {number: place for place, number in enumerate(ordered, 1)}


def _matched(ours: dict[int, str], theirs: dict[str, int]) -> dict[int, int]:
    """New ids by old ones: those that `theirs` knows by name, and numbers above all for the others."""
    free = max([*theirs.values(), *ours], default=0)
    found = {}
    for number, name in ours.items():
        if name in theirs:
            found[number] = theirs[name]
        else:
            free += 1
            found[number] = free
    return found
