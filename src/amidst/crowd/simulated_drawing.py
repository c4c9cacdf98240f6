"""How simulated workers draw: an outline around one object (spec 6.5), a brushed region over many (6.7).

An outline is traced from the visible pixels of the object, thinned to the vertices that a person would set,
and each vertex is moved by the tremble of the hand and by a share of the object's size. An outline that
would cross itself is drawn again, steadier; no body leaves here that the engine's geometry rules refuse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import CrowdBody, CrowdTask, Part, SegmentationBody, SegmentationTask, TrainingTask
from amidst.crowd.outlines import first_crossing, rasterise
from amidst.crowd.simulated_outlines import Points, signed_area, simplify, trace
from amidst.crowd.simulated_seeing import (
    XY,
    by_category,
    distance_to,
    lookalike_ids,
    near_mask,
    primed_chances,
)
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.world import TrueObject, WorldImage

Rng = np.random.Generator
Bools = npt.NDArray[np.bool_]

_SAME = 0.35  # a mask that overlaps an object so much is taken as its mask
_LEAST_PART = 12  # pixels; smaller pieces of an object are not bothered with unless there is nothing else
_STEADIER = (1.0, 0.6, 0.3, 0.1, 0.0)  # factors on the tremble, attempt by attempt
_UNCLEAR = 0.05  # chance to give up on an object at the limit of what can be seen
_BRUSH = 2  # pixels by which a painted region runs over


def segment(
    task: SegmentationTask | TrainingTask,
    image: WorldImage,
    worker: SimulatedWorker,
    attention: float,
    rng: Rng,
) -> SegmentationBody:
    """The outline of what stands at the target, or the statement that nothing is left there."""
    things = by_category(image).get(task.category.id, [])
    if not things:
        return _nothing_of_it(task, image, worker, rng)
    covered = covered_objects(things, task.masks)
    hit = object_at([thing.mask for thing in things], task.target_xy)
    if hit is not None and not covered[hit]:
        thing = things[hit]
        unclear = 1 - float(worker.visibility(thing.area, thing.visible_share))
        if rng.random() < _UNCLEAR * unclear:
            return SegmentationBody(kind="cannot_tell")
        return mask_body(outline(thing.mask, worker, rng), thing.mask.size, task.target_xy)
    chances = primed_chances(things, task.category.id, worker, attention)
    noticed = (rng.random(len(things)) < chances) & ~covered
    return SegmentationBody(kind="not_here" if noticed.any() else "all_done")


def _nothing_of_it(
    task: SegmentationTask | TrainingTask, image: WorldImage, worker: SimulatedWorker, rng: Rng
) -> SegmentationBody:
    """Nothing of the category is there: said so, unless a lookalike at the target is taken for it."""
    others = by_category(image)
    for name in lookalike_ids(task.category.id):
        for thing in others.get(name, []):
            if near_mask(thing.mask, task.target_xy) and rng.random() < worker.confusion:
                return mask_body(outline(thing.mask, worker, rng), thing.mask.size, task.target_xy)
    return SegmentationBody(kind="no_such_object")


def covered_objects(things: Sequence[TrueObject], drawn: Sequence[Rle]) -> Bools:
    """Which objects have a mask already, (N,)."""
    if not things or not drawn:
        return np.zeros(len(things), dtype=bool)
    overlap = masks.iou([thing.mask for thing in things], list(drawn))
    return np.asarray(overlap.max(axis=1) >= _SAME)


def object_at(shapes: Sequence[Rle], place: XY) -> int | None:
    """Index of the mask nearest to a place, None if none lies within three pixels."""
    distances = [distance_to(shape, place) for shape in shapes]
    nearest = int(np.argmin(distances))
    return nearest if np.isfinite(distances[nearest]) else None


# ------------------------------------------------------------------------------------------------ outlines


def outline(shape: Rle, worker: SimulatedWorker, rng: Rng) -> tuple[Part, ...]:
    """The parts and holes that a worker draws around a mask; none of them crosses itself."""
    x, y, width, height = (int(value) for value in masks.boxes([shape])[0])
    whole = masks.decode([shape])[0, y : y + height, x : x + width].astype(bool)
    side = float(np.sqrt(np.count_nonzero(whole)))
    rings = [ring + np.array([x, y]) for ring in trace(whole)]
    worth = [ring for ring in rings if abs(signed_area(ring)) >= max(_LEAST_PART, 0.01 * side**2)]
    drawn = worth or rings[:1]
    tremble = worker.hand * 0.6 + worker.outline * side
    return tuple(
        Part(
            points=_vertices(_drawn(ring, side, tremble, shape.size, worker, rng)), hole=signed_area(ring) < 0
        )
        for ring in drawn
    )


def _drawn(
    ring: Points, side: float, tremble: float, size_hw: tuple[int, int], worker: SimulatedWorker, rng: Rng
) -> Points:
    """One border as a hand would draw it."""
    thinned = simplify(ring, 0.35 + worker.tolerance * side)
    limits = np.array([size_hw[1], size_hw[0]], dtype=np.float64)
    for factor in _STEADIER:
        moved = thinned + rng.normal(0, factor * tremble, thinned.shape)
        rounded = np.round(np.clip(moved, np.zeros(2), limits), 2).astype(np.float64)
        if first_crossing(rounded) is None and abs(signed_area(rounded)) > 1:
            return rounded
    return np.round(ring, 2)


def _vertices(points: Points) -> tuple[XY, ...]:
    return tuple((float(x), float(y)) for x, y in points)


def mask_body(parts: tuple[Part, ...], size_hw: tuple[int, int], target_xy: XY) -> SegmentationBody:
    """The answer with these parts; it confirms by itself that the mask does not hold the target."""
    return SegmentationBody(
        kind="mask", parts=parts, off_target=not near_mask(rasterise(parts, size_hw), target_xy)
    )


# ------------------------------------------------------------------------------------------------ regions


def paint_crowd(
    task: CrowdTask, image: WorldImage, worker: SimulatedWorker, attention: float, rng: Rng
) -> CrowdBody:
    """A brush over every object without a mask that the worker notices, short of the masks there are."""
    things = by_category(image).get(task.category.id, [])
    chances = primed_chances(things, task.category.id, worker, attention)
    marked = [any(near_mask(thing.mask, point) for point in task.points) for thing in things]
    chances = np.where(marked, np.maximum(chances, 0.95), chances)
    left = (rng.random(len(things)) < chances) & ~covered_objects(things, task.masks)
    size_hw = (task.image.height, task.image.width)
    if not left.any():
        return CrowdBody(none_left=True)
    seen = [thing.mask for thing, keep in zip(things, left, strict=True) if keep]
    shown: Bools = np.any(masks.decode(seen), axis=0)
    taken: Bools = np.any(masks.decode(task.masks, size_hw), axis=0)
    region = _brushed(shown) & ~taken
    return CrowdBody(region=masks.encode(region[None])[0])


def _brushed(shown: Bools) -> Bools:
    """The mask grown by the brush, in steps of one pixel up, down, left and right."""
    grown = shown.copy()
    for _ in range(_BRUSH):
        step = grown.copy()
        step[1:] |= grown[:-1]
        step[:-1] |= grown[1:]
        step[:, 1:] |= grown[:, :-1]
        step[:, :-1] |= grown[:, 1:]
        grown = step
    return grown
