"""The chapter's segmentation baseline: the average shape of a category, pasted into boxes (spec E; thesis
§2.7).

The masks of a category are sorted by the aspect of their boxes, height / width, into clusters of equal count,
as the deformable part model does. Within a cluster the masks, resized to one template, are mirrored where
that brings them closer to their mean; mean and mirror image are the two orientations of the component.
Pasting picks the cluster by the aspect of the box and, as nothing tells the orientation, the more frequent
one.

A template is a map of probabilities, (h, w) float32 in 0..1, its long side 48 pixels. N training masks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Rle
from amidst.config import Config
from amidst.curation.pasting import Pixels, Placement, full_box
from amidst.curation.resampling import Floats, area_average, bilinear_window
from amidst.errors import DataError
from amidst.evaluation.segmentation import object_mask

Aspects = npt.NDArray[np.float64]

MAX_ITERATIONS = 25
THRESHOLDS = tuple(k / 10 for k in range(1, 10))


class ShapeConfig(Config, frozen=True):
    """How shapes are learnt.

    clusters: by aspect, fewer where a category has less than `least_per_cluster` masks for each.
    orientation: align mirror images. tune_threshold: per component, the one of .1 to .9 with the best mean
    IoU on the training masks, instead of `threshold`.
    least_area, least_side: smaller objects (square pixels, pixels) are not learnt from.
    most_per_category: learn from at most this many, evenly spread over the file.
    """

    clusters: int = 3
    least_per_cluster: int = 20
    orientation: bool = True
    threshold: float = 0.5
    tune_threshold: bool = False
    long_side: int = 48
    least_area: float = 100.0
    least_side: float = 5.0
    most_per_category: int = 1000


@dataclass(frozen=True, eq=False)
class Component:
    """One cluster of a category.

    low: boxes of this aspect (height / width) or more belong to it, up to the next component's.
    probability: (h, w) mean of the aligned masks. mirrored_share: training masks that are its mirror image.
    """

    low: float
    probability: Floats
    count: int
    mirrored_share: float
    threshold: float

    @property
    def pasted(self) -> Floats:
        """The map in its more frequent orientation."""
        return self.probability[:, ::-1] if self.mirrored_share > 0.5 else self.probability


@dataclass(frozen=True, eq=False)
class ShapeMasks:
    """The learnt shapes: components by category id, in ascending order of aspect.

    A category without training masks is not in it; its boxes are filled.
    """

    components: Mapping[int, tuple[Component, ...]]
    names: Mapping[int, str] = field(default_factory=dict)

    def component(self, category_id: int, aspect: float) -> Component | None:
        """The component for boxes of this aspect; None for a category without training masks."""
        candidates = self.components.get(category_id, ())
        fitting = [c for c in candidates if c.low <= aspect] or list(candidates[:1])
        return fitting[-1] if fitting else None

    def __call__(self, category_id: int, placement: Placement) -> Pixels:
        """The shape of a category in a box, as `pasting.Shape`."""
        _, _, width, height = placement.box_xywh
        component = self.component(category_id, height / width if width > 0 else math.inf)
        if component is None:
            return full_box(category_id, placement)
        map_ = bilinear_window(component.pasted, placement.size_hw, placement.rows, placement.columns)
        pixels: Pixels = map_ >= component.threshold - 1e-6  # a map of ones stays one under rounding
        return pixels


def fit(dataset: CocoDataset, config: ShapeConfig | None = None) -> ShapeMasks:
    """Learns the shapes of all categories that have a mask.

    Raises DataError, naming the object, for a broken mask.
    """
    config = config or ShapeConfig()
    objects: defaultdict[int, list[Annotation]] = defaultdict(list)
    for annotation in dataset.annotations:
        if not annotation.iscrowd and annotation.segmentation_json is not None:
            objects[annotation.category_id].append(annotation)
    components = {}
    for category_id, of_category in sorted(objects.items()):
        crops = [crop for a in _chosen(of_category, config) if (crop := _crop(dataset, a)).size]
        if crops:
            components[category_id] = _components(crops, config)
    names = {category.id: category.name for category in dataset.categories}
    return ShapeMasks(components, {category_id: names[category_id] for category_id in components})


def _chosen(objects: Sequence[Annotation], config: ShapeConfig) -> Sequence[Annotation]:
    """Large enough objects, or all where none is, thinned evenly to the number allowed."""
    large = [
        a for a in objects if a.area >= config.least_area and min(a.bbox_xywh[2:]) >= config.least_side
    ] or objects
    if len(large) <= config.most_per_category:
        return large
    places = np.linspace(0, len(large) - 1, config.most_per_category).astype(int)
    return [large[k] for k in places.tolist()]


def _crop(dataset: CocoDataset, annotation: Annotation) -> Pixels:
    """The mask inside its tight box; (0, 0) for an empty one."""
    pixels: Pixels = masks.decode([_small_mask(dataset, annotation)])[0].astype(bool)
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not rows.size:
        return np.zeros((0, 0), bool)
    crop: Pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return crop


def _small_mask(dataset: CocoDataset, annotation: Annotation) -> Rle:
    """The object's mask: an RLE as it is, polygons rasterised in the whole pixels around them.

    Moving polygons by whole pixels does not change their pixels, and most objects are far smaller than their
    image.
    """
    parts = annotation.segmentation
    if parts is None or isinstance(parts, Rle) or not parts or any(len(part) < 6 for part in parts):
        return object_mask(dataset, annotation)
    image = dataset.image(annotation.image_id)
    x, y = [v for part in parts for v in part[0::2]], [v for part in parts for v in part[1::2]]
    left, top = max(math.floor(min(x)), 0), max(math.floor(min(y)), 0)
    right, bottom = min(math.ceil(max(x)), image.width), min(math.ceil(max(y)), image.height)
    if right <= left or bottom <= top:
        return masks.empty((0, 0))
    moved = [[v - (top if k % 2 else left) for k, v in enumerate(part)] for part in parts]
    try:
        return masks.from_polygons(moved, (bottom - top, right - left))
    except DataError as error:
        raise DataError(error.problem, record=f"annotation {annotation.id}", rule=error.rule) from None


def _components(crops: Sequence[Pixels], config: ShapeConfig) -> tuple[Component, ...]:
    aspects = np.array([crop.shape[0] / crop.shape[1] for crop in crops])
    lows = cluster_bounds(aspects, config.clusters, config.least_per_cluster)
    cluster = np.searchsorted(lows, aspects, side="right") - 1
    return tuple(
        _component(
            [crops[k] for k in np.flatnonzero(cluster == n).tolist()],
            low,
            float(np.median(aspects[cluster == n])),
            config,
        )
        for n, low in enumerate(lows.tolist())
        if (cluster == n).any()
    )


def cluster_bounds(aspects: Aspects, clusters: int, least: int) -> Aspects:
    """Lower bounds of the clusters (n,): sorted aspects at index ceil(i N / n).

    n is lowered, to 1 at least, until every cluster has about `least` members.
    """
    count = len(aspects)
    n = max(1, min(clusters, count // least))
    return np.sort(aspects)[[math.ceil(i * count / n) for i in range(n)]]


def _component(crops: Sequence[Pixels], low: float, aspect: float, config: ShapeConfig) -> Component:
    side = config.long_side
    size_hw = (side, max(1, round(side / aspect))) if aspect >= 1 else (max(1, round(side * aspect)), side)
    stack = np.stack([area_average(crop, size_hw) for crop in crops])
    mirrored = align(stack) if config.orientation else np.zeros(len(stack), bool)
    aligned = np.where(mirrored[:, None, None], stack[:, :, ::-1], stack)
    component = Component(
        low,
        aligned.mean(0, dtype=np.float64).astype(np.float32),
        len(crops),
        float(mirrored.mean()),
        config.threshold,
    )
    if not config.tune_threshold:
        return component
    best = max(THRESHOLDS, key=lambda t: (_mean_iou(component.pasted >= t, stack >= 0.5), -abs(t - 0.5)))
    return Component(low, component.probability, component.count, component.mirrored_share, best)


def align(stack: Floats) -> Pixels:
    """Which of the masks (N, h, w) to mirror so that they resemble their mean: (N,).

    Alternates between mirroring each mask where that lowers its distance to the mean and taking the mean
    anew, until nothing changes.
    """
    mirrored = np.zeros(len(stack), bool)
    flat, flipped = stack.reshape(len(stack), -1), stack[:, :, ::-1].reshape(len(stack), -1)
    for _ in range(MAX_ITERATIONS):
        mean = np.where(mirrored[:, None], flipped, flat).mean(0)
        # |mask - mean| compared for both orientations: the norms are equal, the products decide
        better = flipped @ mean > flat @ mean + 1e-6
        if np.array_equal(better, mirrored):
            break
        mirrored = better
    return mirrored


def _mean_iou(shape: Pixels, stack: Pixels) -> float:
    shared = (stack & shape).sum((1, 2))
    union = (stack | shape).sum((1, 2))
    return float((shared / np.maximum(union, 1)).mean())
