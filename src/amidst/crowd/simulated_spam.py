"""How spammers answer: nothing, everything, at random, or what they sent the last time (spec 11).

Their bodies have the right form, which is all that a spammer cares for. "Copy" repeats the last body of the
stage, moved into the image where it would stick out; without one it answers at random.
"""

from __future__ import annotations

import numpy as np

from amidst.coco import masks
from amidst.crowd.bodies import (
    BallotBody,
    BallotTask,
    Body,
    CaptionBody,
    CaptionTask,
    CrowdBody,
    CrowdTask,
    FilterBody,
    FilterTask,
    LabellingBody,
    LabellingTask,
    Part,
    Point,
    Removal,
    Score,
    SegmentationBody,
    SegmentationTask,
    SpottingBody,
    SpottingTask,
    Task,
    TrainingTask,
    VerificationBody,
    VerificationTask,
)
from amidst.crowd.outlines import rasterise
from amidst.crowd.simulated_drawing import mask_body
from amidst.crowd.simulated_seeing import XY, anywhere, fill_panel, on_canvas, spread
from amidst.crowd.simulated_workers import Habit

Rng = np.random.Generator

_RANDOM_SHARE = 0.25  # of the items of a grid that a random clicker marks
_RANDOM_CATEGORY = 0.1
_CAPTION = "This is a very nice picture and I like it a lot"


def spam(task: Task, habit: Habit, previous: Body | None, rng: Rng) -> Body:
    """The body that a spammer of this habit sends."""
    match task:
        case LabellingTask():
            return _labels(task, habit, previous, rng)
        case SpottingTask():
            return _points(task, habit, previous, rng)
        case SegmentationTask() | TrainingTask():
            return _outline(task, habit, previous, rng)
        case VerificationTask():
            marked = _marked(len(task.items), habit, previous, rng)
            return VerificationBody(bad=marked)
        case FilterTask():
            marked = _marked(len(task.items), habit, previous, rng)
            return FilterBody(removed=tuple(Removal(item=k, reason="iconic_object") for k in marked))
        case CrowdTask():
            return _region(task, habit, previous, rng)
        case CaptionTask():
            return CaptionBody(text=_CAPTION)
        case BallotTask():
            fixed = {"nothing": 1, "everything": 5}.get(habit)
            draws = [fixed or int(rng.integers(1, 6)) for _ in task.candidates]
            pairs = zip(task.candidates, draws, strict=True)
            return BallotBody(scores=tuple(Score(candidate=c.id, score=value) for c, value in pairs))


def _labels(task: LabellingTask, habit: Habit, previous: Body | None, rng: Rng) -> LabellingBody:
    width, height = task.image.width, task.image.height
    named: dict[int, XY] = {}
    if habit == "copy" and isinstance(previous, LabellingBody):
        icons = [icon for panel in previous.panels for icon in panel.icons]
        named = {icon.category: on_canvas(icon.x, icon.y, width, height) for icon in icons}
    elif habit != "nothing":
        chance = 1.0 if habit == "everything" else _RANDOM_CATEGORY
        categories = [category.id for panel in task.panels for category in panel.categories]
        named = {k: anywhere(width, height, rng) for k in categories if rng.random() < chance}
    return LabellingBody(panels=tuple(fill_panel(panel, named) for panel in task.panels))


def _points(task: SpottingTask, habit: Habit, previous: Body | None, rng: Rng) -> SpottingBody:
    width, height = task.image.width, task.image.height
    if habit == "nothing":
        return SpottingBody(none=True)
    if habit == "copy" and isinstance(previous, SpottingBody):
        places = [on_canvas(point.x, point.y, width, height) for point in previous.points]
    else:
        number = task.max_points if habit == "everything" else int(rng.integers(1, 4))
        places = [anywhere(width, height, rng) for _ in range(number)]
    points = tuple(Point(x=x, y=y) for x, y in spread(places))
    return SpottingBody(points=points, none=not points, more_than_10=habit == "everything")


def _outline(
    task: SegmentationTask | TrainingTask, habit: Habit, previous: Body | None, rng: Rng
) -> SegmentationBody:
    width, height = task.image.width, task.image.height
    size_hw = (height, width)
    if habit == "nothing":
        return SegmentationBody(kind="no_such_object")
    if habit == "everything":
        corners = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
        return mask_body((Part(points=corners),), size_hw, task.target_xy)
    if habit == "copy" and isinstance(previous, SegmentationBody) and previous.parts:
        parts = tuple(
            Part(points=tuple(on_canvas(x, y, width, height) for x, y in part.points), hole=part.hole)
            for part in previous.parts
        )
        if int(masks.area([rasterise(parts, size_hw)])[0]) >= 4:
            return mask_body(parts, size_hw, task.target_xy)
    x, y = min(max(task.target_xy[0], 6.0), width - 6.0), min(max(task.target_xy[1], 6.0), height - 6.0)
    reach = rng.uniform(6, 40)
    angles = rng.uniform(0, 2 * np.pi / 3) + np.array([0, 1, 2]) * 2 * np.pi / 3
    triangle = tuple(on_canvas(x + reach * np.cos(a), y + reach * np.sin(a), width, height) for a in angles)
    return mask_body((Part(points=triangle),), size_hw, task.target_xy)


def _marked(count: int, habit: Habit, previous: Body | None, rng: Rng) -> tuple[int, ...]:
    if habit == "nothing":
        return ()
    if habit == "everything":
        return tuple(range(count))
    if habit == "copy" and isinstance(previous, VerificationBody):
        return tuple(k for k in previous.bad if k < count)
    if habit == "copy" and isinstance(previous, FilterBody):
        return tuple(removal.item for removal in previous.removed if removal.item < count)
    return tuple(np.flatnonzero(rng.random(count) < _RANDOM_SHARE).tolist())


def _region(task: CrowdTask, habit: Habit, previous: Body | None, rng: Rng) -> CrowdBody:
    height, width = task.image.height, task.image.width
    if habit == "nothing":
        return CrowdBody(none_left=True)
    if (
        habit == "copy"
        and isinstance(previous, CrowdBody)
        and previous.region is not None
        and previous.region.size == (height, width)
    ):
        return previous
    if habit == "everything":
        return CrowdBody(region=masks.encode(np.ones((1, height, width), dtype=np.uint8))[0])
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    rows, columns = np.ogrid[:height, :width]
    disc = np.hypot(columns - x, rows - y) <= rng.uniform(15, 80)
    return CrowdBody(region=masks.encode(disc[None])[0])
