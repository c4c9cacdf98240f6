"""What a dataset is made of: the five figures of Fig. 2.5 as numbers (spec K.2; thesis §2.5).

    (a) instances per category
    (b) distinct categories per image, with mean
    (c) instances per image, with mean
    (d) number of categories against mean instances per category (one point per dataset)
    (e) instance size, as a share of the image

A crowd region counts as one instance in (a) to (c) unless `count_crowds` is false; its size says nothing
about the size of an object, so (e) never counts it. Every image counts, those without objects too: they stand
at 0 in (b) and (c) and lower the means. Sizes are shares of the image, 0..1: by default the square root of
area / (width * height), which is a share of the image's side; the thesis does not define its axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from amidst.coco.dataset import CocoDataset
from amidst.config import Config
from amidst.curation.references import COCO_LARGE_CATEGORY
from amidst.errors import DataError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SIZE_EDGES = tuple(float(10 ** (-0.2 * k)) for k in range(7, -1, -1))
"""4, 6.3, 10, 15.8, 25, 40, 63 and 100 per cent: five bins a decade, eight with the one below 4 per cent."""

SMALL_AREA, MEDIUM_AREA = 32.0**2, 96.0**2
"""Upper bounds of COCO's small and medium objects, in square pixels."""


class StatisticsConfig(Config, frozen=True):
    """What counts. size: "side" is sqrt(area / image area), "area" is area / image area."""

    count_crowds: bool = True
    size: Literal["side", "area"] = "side"


@dataclass(frozen=True)
class CategoryCount:
    """One bar of figure (a). images: how many images hold the category."""

    id: int
    name: str
    supercategory: str
    instances: int
    images: int


@dataclass(frozen=True)
class Statistics:
    """The five figures of one dataset.

    categories: by instances, descending, then id; categories without instances too.
    categories_per_image, instances_per_image: element n is the number of images with n of them.
    sizes: instances below SIZE_EDGES[0], then in each bin; the last bin takes shares above 1 too.
    absolute_sizes: instances that are small, medium and large by COCO's bounds.
    unsized: instances that have no positive area, or an image without one; they are in no bin.
    Means are None where there is nothing to average.
    """

    name: str
    images: int
    instances: int
    crowds: int
    empty_images: int
    categories: tuple[CategoryCount, ...]
    categories_per_image: tuple[int, ...]
    instances_per_image: tuple[int, ...]
    sizes: tuple[int, ...]
    absolute_sizes: tuple[int, int, int]
    unsized: int
    config: StatisticsConfig

    @property
    def mean_categories_per_image(self) -> float | None:
        """Of figure (b)."""
        return _mean_of_histogram(self.categories_per_image)

    @property
    def mean_instances_per_image(self) -> float | None:
        """Of figure (c)."""
        return _mean_of_histogram(self.instances_per_image)

    @property
    def instances_per_category(self) -> float | None:
        """The mean of figure (d), over all categories of the file."""
        return self.instances / len(self.categories) if self.categories else None

    @property
    def single_category_share(self) -> float | None:
        """Images with objects of exactly one category, of all images."""
        if not self.images:
            return None
        return self.categories_per_image[1] / self.images if len(self.categories_per_image) > 1 else 0.0

    @property
    def large_categories(self) -> int:
        """Categories with more than 5,000 instances (82 of COCO's 91)."""
        return sum(category.instances > COCO_LARGE_CATEGORY for category in self.categories)


def statistics(dataset: CocoDataset, name: str, config: StatisticsConfig | None = None) -> Statistics:
    """The five figures of a dataset. Nothing is refused: an empty dataset has empty figures."""
    config = config or StatisticsConfig()
    columns = _columns(dataset)
    counted = np.ones(len(columns.crowd), bool) if config.count_crowds else ~columns.crowd
    image, category = columns.image[counted], columns.category[counted]
    images, categories = len(dataset.images), len(dataset.categories)
    pairs = np.unique(image * max(categories, 1) + category)  # each (image, category) once
    pair_image, pair_category = pairs // max(categories, 1), pairs % max(categories, 1)
    per_image = np.bincount(image, minlength=images)
    kinds_per_image = np.bincount(pair_image, minlength=images)
    instances = np.bincount(category, minlength=categories)
    with_category = np.bincount(pair_category, minlength=categories)
    counts = [
        CategoryCount(c.id, c.name, c.supercategory, int(instances[k]), int(with_category[k]))
        for k, c in enumerate(dataset.categories)
    ]
    sizes, absolute, unsized = _sizes(columns, config)
    return Statistics(
        name=name,
        images=images,
        instances=int(counted.sum()),
        crowds=int(columns.crowd.sum()),
        empty_images=int((per_image == 0).sum()),
        categories=tuple(sorted(counts, key=lambda c: (-c.instances, c.id))),
        categories_per_image=_histogram(kinds_per_image),
        instances_per_image=_histogram(per_image),
        sizes=sizes,
        absolute_sizes=absolute,
        unsized=unsized,
        config=config,
    )


def to_builtins(figures: Statistics) -> dict[str, Any]:
    """The figures as JSON: counts, means and shares, with the edges of the bins beside them."""
    sized = sum(figures.sizes)
    return {
        "name": figures.name,
        "images": figures.images,
        "empty_images": figures.empty_images,
        "instances": figures.instances,
        "crowds": figures.crowds,
        "count_crowds": figures.config.count_crowds,
        "instances_per_category": {
            "categories": [
                {
                    "id": c.id,
                    "name": c.name,
                    "supercategory": c.supercategory,
                    "instances": c.instances,
                    "images": c.images,
                }
                for c in figures.categories
            ],
            "above_5000": figures.large_categories,
        },
        "categories_per_image": {
            "images": list(figures.categories_per_image),
            "mean": figures.mean_categories_per_image,
            "single_category_share": figures.single_category_share,
        },
        "instances_per_image": {
            "images": list(figures.instances_per_image),
            "mean": figures.mean_instances_per_image,
        },
        "categories_and_instances": {
            "categories": len(figures.categories),
            "mean_instances_per_category": figures.instances_per_category,
        },
        "instance_size": {
            "measure": "sqrt(area / image area)" if figures.config.size == "side" else "area / image area",
            "edges": list(SIZE_EDGES),
            "instances": list(figures.sizes),
            "shares": [count / sized for count in figures.sizes] if sized else [],
            "small_medium_large": list(figures.absolute_sizes),
            "without_size": figures.unsized,
        },
    }


@dataclass(frozen=True)
class _Columns:
    """Annotations as arrays (N,): row of the image, index of the category, area in square pixels and as a
    share of the image (NaN where there is none), crowd flag."""

    image: Ints
    category: Ints
    area: Floats
    share: Floats
    crowd: npt.NDArray[np.bool_]


def _columns(dataset: CocoDataset) -> _Columns:
    row = {image.id: n for n, image in enumerate(dataset.images)}
    index = {category.id: n for n, category in enumerate(dataset.categories)}
    count = len(dataset.annotations)
    image = np.fromiter((row[a.image_id] for a in dataset.annotations), np.int64, count)
    category = np.fromiter((index[a.category_id] for a in dataset.annotations), np.int64, count)
    area = np.fromiter((a.area for a in dataset.annotations), np.float64, count)
    crowd = np.fromiter((a.iscrowd for a in dataset.annotations), np.bool_, count)
    pixels = np.array([i.width * i.height for i in dataset.images], np.float64)[image]
    usable = (area > 0) & (pixels > 0)
    share = np.divide(area, pixels, out=np.full(count, np.nan), where=usable)
    return _Columns(image, category, area, share, crowd)


def _sizes(columns: _Columns, config: StatisticsConfig) -> tuple[tuple[int, ...], tuple[int, int, int], int]:
    """Figure (e): counts below the first edge and per bin; small, medium, large; instances without size."""
    single = ~columns.crowd
    sized = single & ~np.isnan(columns.share)
    share = columns.share[sized]
    measure = np.sqrt(share) if config.size == "side" else share
    bins = np.searchsorted(np.array(SIZE_EDGES), measure, side="right").clip(max=len(SIZE_EDGES) - 1)
    area = columns.area[sized]
    small, medium = int((area < SMALL_AREA).sum()), int((area < MEDIUM_AREA).sum())
    counts = np.bincount(bins, minlength=len(SIZE_EDGES))
    absolute = (small, medium - small, len(area) - medium)
    return tuple(counts.tolist()), absolute, int(single.sum() - sized.sum())


def _histogram(values: Ints) -> tuple[int, ...]:
    return tuple(np.bincount(values).tolist())


def _mean_of_histogram(counts: tuple[int, ...]) -> float | None:
    total = sum(counts)
    return sum(n * count for n, count in enumerate(counts)) / total if total else None


def require_distinct_names(names: list[str]) -> None:
    """Raises DataError if two datasets of one comparison bear the same name."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"two datasets are called {repeated[0]!r}; give them names", rule="duplicate-name")
