"""How well a dataset made from a generated world tells the truth about it (spec 11).

Within each image and category, instances and true objects are paired one to one, best overlap first, from an
IoU of 0.5. Recall counts true objects above an area; one that has no instance but lies at least half inside a
crowd region of its category is neither found nor missed, as in evaluation. Precision counts every instance
that is no crowd region, of whatever size. Images of the world that the dataset does not hold (the filter
removed them) are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Rle
from amidst.crowd.world import TrueObject, World, WorldImage
from amidst.errors import DataError


@dataclass(frozen=True, slots=True)
class WorldScore:
    """Counts and their ratios; a ratio of nothing is None.

    objects: true objects above the area, but for those in regions. found: those with an instance.
    in_regions: true objects above the area that only a crowd region covers. instances: that are no crowd
    region. right: those with a true object. mean_iou: over the right ones.
    """

    objects: int
    found: int
    in_regions: int
    instances: int
    right: int
    mean_iou: float | None

    @property
    def recall(self) -> float | None:
        """Share of the objects found."""
        return self.found / self.objects if self.objects else None

    @property
    def precision(self) -> float | None:
        """Share of the instances that are right."""
        return self.right / self.instances if self.instances else None

    def to_builtins(self) -> dict[str, Any]:
        """Counts and ratios, ready for JSON."""
        return asdict(self) | {"recall": self.recall, "precision": self.precision}


def score_against_world(
    world: World, dataset: CocoDataset, *, least_area: float = 16**2, match_iou: float = 0.5
) -> WorldScore:
    """The score of `dataset`, whose images have the world's file names and whose categories the world's ids.

    Raises DataError for an image that the world does not have, an annotation without a mask, or one whose
    mask has another size than its image.
    """
    known = {image.record.file_name: image for image in world.images}
    cells: list[_Cell] = []
    for record in dataset.images:
        image = known.get(record.file_name)
        if image is None:
            raise DataError(
                f"{record.file_name!r} is no image of this world",
                record=f"image {record.id}",
                rule="world-image",
            )
        cells += _cells(image, dataset.annotations_of(record.id), least_area, match_iou)
    overlaps = [iou for cell in cells for iou in cell.overlaps]
    return WorldScore(
        objects=sum(cell.objects for cell in cells),
        found=sum(cell.found for cell in cells),
        in_regions=sum(cell.in_regions for cell in cells),
        instances=sum(cell.instances for cell in cells),
        right=len(overlaps),
        mean_iou=float(np.mean(overlaps)) if overlaps else None,
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """The counts of one image and category."""

    objects: int
    found: int
    in_regions: int
    instances: int
    overlaps: tuple[float, ...]


def _cells(
    image: WorldImage, annotations: Sequence[Annotation], least_area: float, match_iou: float
) -> list[_Cell]:
    truth: dict[int, list[TrueObject]] = defaultdict(list)
    for thing in image.objects:
        truth[thing.category_id].append(thing)
    size_hw = (image.record.height, image.record.width)
    single: dict[int, list[Rle]] = defaultdict(list)
    regions: dict[int, list[Rle]] = defaultdict(list)
    for annotation in annotations:
        kind = regions if annotation.iscrowd else single
        kind[annotation.category_id].append(_mask(annotation, size_hw))
    names = sorted(truth.keys() | single.keys())
    return [_cell(truth[k], single[k], regions[k], least_area, match_iou) for k in names]


def _cell(
    things: Sequence[TrueObject],
    drawn: Sequence[Rle],
    regions: Sequence[Rle],
    least_area: float,
    match_iou: float,
) -> _Cell:
    shapes = [thing.mask for thing in things]
    pairs = one_to_one(masks.iou(drawn, shapes), match_iou) if drawn and shapes else {}
    covered = np.zeros(len(things), dtype=bool)
    if regions and shapes:
        inside = masks.iou(shapes, [masks.merge(list(regions))], [True])[:, 0]
        covered = inside >= 0.5
    counted = [k for k, thing in enumerate(things) if thing.area > least_area]
    found = sum(k in pairs for k in counted)
    in_regions = sum(k not in pairs and bool(covered[k]) for k in counted)
    return _Cell(len(counted) - in_regions, found, in_regions, len(drawn), tuple(pairs.values()))


def one_to_one(overlap: masks.Floats, least: float) -> dict[int, float]:
    """Columns of a matrix (D, G) that get a row of their own, best overlap first -> that overlap."""
    left = np.array(overlap, dtype=np.float64)
    pairs: dict[int, float] = {}
    while left.size and left.max() >= least:
        row, column = np.unravel_index(int(np.argmax(left)), left.shape)
        pairs[int(column)] = float(left[row, column])
        left[row, :] = -1
        left[:, column] = -1
    return pairs


def _mask(annotation: Annotation, size_hw: tuple[int, int]) -> Rle:
    segmentation = annotation.segmentation
    if segmentation is None:
        raise DataError("there is no mask to score", record=f"annotation {annotation.id}", rule="no-mask")
    try:
        return masks.from_segmentation(segmentation, size_hw)
    except DataError as error:
        raise DataError(error.problem, record=f"annotation {annotation.id}", rule=error.rule) from None
