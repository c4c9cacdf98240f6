"""How simulated workers judge masks in a verification grid (spec 6.6; thesis-spec K.4).

A worker compares the outline shown with the objects of the named category in the photograph; the chance to
approve is logistic in the best overlap. A region around many objects is judged by how much of it lies on
objects of the category.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.crowd.bodies import GridMask, VerificationBody, VerificationTask
from amidst.crowd.simulated_seeing import by_category
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.world import WorldImage

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator

_REGION_SHIFT = 0.25  # a region is approved where a mask of this much more overlap would be


def verify(
    task: VerificationTask,
    images: Mapping[int, WorldImage],
    worker: SimulatedWorker,
    attention: float,
    rng: Rng,
    earlier: VerificationBody | None = None,
) -> VerificationBody:
    """Positions of the masks that look poor; a second look adds to what the `earlier` one found."""
    quality = np.array([shown_quality(item, images[item.image.id]) for item in task.items])
    approve = approval(quality, worker, attention)
    bad = set(np.flatnonzero(rng.random(len(quality)) >= approve).tolist())
    return VerificationBody(bad=tuple(sorted(bad | set(earlier.bad if earlier else ()))))


def approval(quality: npt.ArrayLike, worker: SimulatedWorker, attention: float = 1.0) -> Floats:
    """Chance to approve a mask of this overlap with the truth, elementwise.

    Logistic around the worker's own limit; a slip is a vote by coin. Who has lost attention lets poor masks
    pass, in proportion.
    """
    overlap = np.asarray(quality, dtype=np.float64)
    chance = 1 / (1 + np.exp(-worker.approve_slope * (overlap - worker.approve_iou)))
    careless = worker.slip + (1 - worker.slip) * (1 - attention) * 0.3
    return np.asarray(chance + (1 - chance) * careless - chance * worker.slip * 0.5)


def shown_quality(item: GridMask, image: WorldImage) -> float:
    """Best overlap of the shown mask with an object of the category; for regions the share on objects."""
    truths = [thing.mask for thing in by_category(image).get(item.category.id, [])]
    if not truths:
        return 0.0
    if item.region:
        together = masks.merge(truths)
        return min(1.0, float(masks.iou([item.mask], [together], [True])[0, 0]) + _REGION_SHIFT)
    return float(masks.iou([item.mask], truths).max())
