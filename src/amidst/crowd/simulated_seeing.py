"""What simulated workers see: categories in a photograph, objects of a category, photographs to remove.

Stages of category labelling (spec 6.3), instance spotting (6.4) and the image filter (6.2). A worker sees the
objects of the generated world; how well is in `simulated_workers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import (
    FilterBody,
    FilterTask,
    Icon,
    LabellingBody,
    LabellingTask,
    Panel,
    PanelAnswer,
    Point,
    Removal,
    SpottingBody,
    SpottingTask,
)
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.world import TrueObject, WorldImage
from amidst.crowd.world_scenes import ICONIC_OBJECT, ICONIC_SCENE, INVALID, NON_ICONIC
from amidst.crowd.world_shapes import lookalikes, world_categories

Rng = np.random.Generator
XY = tuple[float, float]

PRIMED = 0.95  # chance to see the object under the blinking icon
_REACH = 3.0  # pixels within which a place counts as on an object
_TRIES = 6  # places considered for a click; the one deepest inside is taken
_SEES_ICONIC = 0.9  # chance to mark an iconic or broken photograph
_REMOVES_GOOD = 0.02


def label(
    task: LabellingTask, image: WorldImage, worker: SimulatedWorker, attention: float, rng: Rng
) -> LabellingBody:
    """One icon on each category that the worker notices, under the name the worker gives it."""
    named: dict[int, XY] = {}
    for category_id, things in by_category(image).items():
        if rng.random() < naming_chance(things, worker, attention):
            seen = worker.visibility([t.area for t in things], [t.visible_share for t in things])
            thing = things[int(rng.choice(len(things), p=seen / seen.sum()))]
            name = mistaken(category_id, rng) if rng.random() < worker.confusion else category_id
            named.setdefault(name, click(thing.mask, worker, rng))
    if rng.random() < worker.false_alarm:
        shown = [category.id for panel in task.panels for category in panel.categories]
        anything = shown[int(rng.integers(len(shown)))]
        named.setdefault(anything, anywhere(task.image.width, task.image.height, rng))
    return LabellingBody(panels=tuple(fill_panel(panel, named) for panel in task.panels))


def fill_panel(panel: Panel, named: Mapping[int, XY]) -> PanelAnswer:
    """A panel with the icons of those of its categories that were named."""
    icons = tuple(
        Icon(category=category.id, x=named[category.id][0], y=named[category.id][1])
        for category in panel.categories
        if category.id in named
    )
    return PanelAnswer(super=panel.super, present=bool(icons), icons=icons)


def spot(
    task: SpottingTask, image: WorldImage, worker: SimulatedWorker, attention: float, rng: Rng
) -> SpottingBody:
    """A cross on each object of the category that the worker notices, knowing what to look for."""
    things = by_category(image).get(task.category.id, [])
    chances = primed_chances(things, task.category.id, worker, attention)
    for k, thing in enumerate(things):
        if near_mask(thing.mask, task.prior_xy):
            chances[k] = max(chances[k], PRIMED)
    noticed = [thing for thing, chance in zip(things, chances, strict=True) if rng.random() < chance]
    if not things and rng.random() < worker.confusion:
        others = by_category(image)
        noticed = [t for name in lookalike_ids(task.category.id) for t in others.get(name, [])]
    picked = rng.permutation(len(noticed))[: task.max_points]
    points = spread([click(noticed[k].mask, worker, rng) for k in sorted(picked)])
    return SpottingBody(
        points=tuple(Point(x=x, y=y) for x, y in points),
        none=not points,
        more_than_10=len(noticed) > task.max_points,
    )


def filter_images(
    task: FilterTask,
    images: Mapping[int, WorldImage],
    worker: SimulatedWorker,  # noqa: ARG001 - all look alike at thumbnails
    attention: float,
    rng: Rng,
) -> FilterBody:
    """Marks what is iconic or broken, and now and then what is not."""
    removed = []
    for position, item in enumerate(task.items):
        layout = images[item.id].layout
        chance = _REMOVES_GOOD if layout == NON_ICONIC else _SEES_ICONIC * attention
        if rng.random() < chance:
            removed.append(_removal(position, layout))
    return FilterBody(removed=tuple(removed))


def _removal(position: int, layout: str) -> Removal:
    if layout == ICONIC_SCENE:
        return Removal(item=position, reason="iconic_scene")
    if layout == INVALID:
        return Removal(item=position, reason="invalid")
    assert layout in (ICONIC_OBJECT, NON_ICONIC)
    return Removal(item=position, reason="iconic_object")


# ------------------------------------------------------------------------------------------------ looking


def by_category(image: WorldImage) -> dict[int, list[TrueObject]]:
    """The objects of a photograph under their category ids."""
    groups: dict[int, list[TrueObject]] = {}
    for thing in image.objects:
        groups.setdefault(thing.category_id, []).append(thing)
    return groups


def primed_chances(
    things: Sequence[TrueObject], category_id: int, worker: SimulatedWorker, attention: float
) -> npt.NDArray[np.float64]:
    """Chance to notice each object when told what to look for: half of the inattention is gone."""
    if not things:
        return np.zeros(0)
    seen = worker.visibility([t.area for t in things], [t.visible_share for t in things])
    return float(np.sqrt(worker.detection[category_id])) * attention * seen


def naming_chance(things: Sequence[TrueObject], worker: SimulatedWorker, attention: float = 1.0) -> float:
    """Chance to notice the category of these objects, all of one category and image; at least one object."""
    seen = worker.visibility([t.area for t in things], [t.visible_share for t in things])
    return float(worker.detection[things[0].category_id] * attention * (1 - np.prod(1 - seen)))


def mistaken(category_id: int, rng: Rng) -> int:
    """The id of a lookalike, or its own where it has none."""
    names = lookalike_ids(category_id) or (category_id,)
    return names[int(rng.integers(len(names)))]


def lookalike_ids(category_id: int) -> tuple[int, ...]:
    """Ids of the categories that a category is taken for; none of one that is not of the generated world."""
    categories = world_categories()
    index = next((k for k, category in enumerate(categories) if category.id == category_id), None)
    return () if index is None else tuple(categories[k].id for k in lookalikes()[index])


# ------------------------------------------------------------------------------------------------ pointing


def click(mask: Rle, worker: SimulatedWorker, rng: Rng) -> XY:
    """A place well inside a mask, missed by the tremble of the hand; x, y with two decimals."""
    height, width = mask.size
    ends = run_ends(mask)
    starts, lengths = ends[:-1:2], np.diff(ends)[::2]
    chosen = rng.choice(len(lengths), size=_TRIES, p=lengths / lengths.sum())
    places = (rng.random(_TRIES) * lengths[chosen]).astype(np.int64)
    depth = np.minimum(places, lengths[chosen] - 1 - places)
    best = int(np.argmax(depth))
    column, row = divmod(int(starts[chosen[best]] + places[best]), height)
    return on_canvas(
        column + 0.5 + rng.normal(0, worker.hand), row + 0.5 + rng.normal(0, worker.hand), width, height
    )


def anywhere(width: int, height: int, rng: Rng) -> XY:
    """Any place of an image."""
    return on_canvas(rng.uniform(0, width), rng.uniform(0, height), width, height)


def on_canvas(x: float, y: float, width: int, height: int) -> XY:
    """The nearest place inside the image that can be sent: two decimals."""
    return round(min(max(float(x), 0.0), width), 2), round(min(max(float(y), 0.0), height), 2)


def near_mask(mask: Rle, place: XY, reach: float = _REACH) -> bool:
    """Whether a place lies within `reach` pixels of a mask."""
    return bool(distance_to(mask, place, reach) <= reach)


def distance_to(mask: Rle, place: XY, reach: float = _REACH) -> float:
    """Pixels from a place to the nearest pixel centre of a mask, 0 on it; infinite beyond `reach`."""
    height, width = mask.size
    span = int(np.ceil(reach))
    x, y = min(int(place[0]), width - 1), min(int(place[1]), height - 1)
    columns = np.arange(max(x - span, 0), min(x + span, width - 1) + 1)
    rows = np.arange(max(y - span, 0), min(y + span, height - 1) + 1)
    ends = run_ends(mask)
    # A pixel is set if it lies in a run of odd rank.
    inside = np.searchsorted(ends, columns[None, :] * height + rows[:, None], side="right") % 2 == 1
    if not inside.any():
        return float("inf")
    if inside[y - rows[0], x - columns[0]]:
        return 0.0
    away = np.hypot(columns[None, :] + 0.5 - place[0], rows[:, None] + 0.5 - place[1])
    return float(away[inside].min())


@lru_cache(maxsize=4096)
def run_ends(mask: Rle) -> npt.NDArray[np.int64]:
    """Where each run of a mask ends, in pixels down the columns; the masks of a ticket are asked often."""
    ends = np.cumsum(np.array(masks.counts(mask), dtype=np.int64))
    ends.flags.writeable = False
    return ends


def spread(points: Sequence[XY], least: float = 2.0) -> list[XY]:
    """The points in order, without those closer than `least` pixels to an earlier one."""
    kept: list[XY] = []
    for x, y in points:
        if all(np.hypot(x - u, y - v) >= least for u, v in kept):
            kept.append((x, y))
    return kept
