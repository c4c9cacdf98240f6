"""From a ticket to an answer: what a simulated worker sends, how long it took, whether it was sent at all.

    crowd = make_workers(seed=7, number=200, categories=world.categories)
    turn = answer(task, images, crowd[3], turn_rng(7, crowd[3], ticket_number), Memory())

`images` maps the ids of the campaign to the photographs of the generated world; category ids must be the
world's own. All chance comes from the generator that is passed in, so a run repeats if its tickets do.
Times are active seconds of the worker, after the thesis's totals (section 2.4.4): about 27 s to label an
image, 79 s to draw an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from amidst.crowd.bodies import (
    BallotTask,
    Body,
    CaptionTask,
    CrowdBody,
    CrowdTask,
    FilterTask,
    LabellingBody,
    LabellingTask,
    SegmentationBody,
    SegmentationTask,
    SpottingBody,
    SpottingTask,
    Task,
    TrainingTask,
    VerificationBody,
    VerificationTask,
)
from amidst.crowd.simulated_drawing import paint_crowd, segment
from amidst.crowd.simulated_judging import verify
from amidst.crowd.simulated_seeing import filter_images, label, spot
from amidst.crowd.simulated_spam import spam
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.simulated_writing import describe, score
from amidst.crowd.world import WorldImage

Rng = np.random.Generator

_SPAM_PACE = 0.15  # spammers need this share of the time


@dataclass(frozen=True, slots=True)
class Memory:
    """What a worker remembers.

    done: answers given so far, which tire. previous: the last body sent in this stage. earlier: the body of
    an earlier try at the same ticket, where the reply was "look again".
    """

    done: int = 0
    previous: Body | None = None
    earlier: Body | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What comes of a ticket. leaves: the worker goes away without sending the body."""

    body: Body
    seconds: float
    leaves: bool


def turn_rng(seed: int, worker: SimulatedWorker, *keys: int) -> Rng:
    """The chance of one turn, told apart by non-negative `keys` such as unit and try."""
    return np.random.default_rng([seed, 5, worker.index, *keys])


def answer(
    task: Task, images: Mapping[int, WorldImage], worker: SimulatedWorker, rng: Rng, memory: Memory
) -> Turn:
    """The worker's answer to a ticket.

    Raises KeyError if the task names an image that is not in `images`, or a category not of the world.
    """
    if worker.habit == "honest":
        body = _honest(task, images, worker, rng, memory)
        pace = worker.pace
    else:
        body = spam(task, worker.habit, memory.previous, rng)
        pace = worker.pace * _SPAM_PACE
    seconds = _seconds(task, body) * pace * float(np.exp(rng.normal(0, 0.3)))
    return Turn(body, seconds, bool(rng.random() < worker.drop_out))


def _honest(
    task: Task, images: Mapping[int, WorldImage], worker: SimulatedWorker, rng: Rng, memory: Memory
) -> Body:
    attention = worker.attention(memory.done)
    match task:
        case LabellingTask():
            return label(task, images[task.image.id], worker, attention, rng)
        case SpottingTask():
            return spot(task, images[task.image.id], worker, attention, rng)
        case SegmentationTask() | TrainingTask():
            return segment(task, images[task.image.id], worker, attention, rng)
        case VerificationTask():
            earlier = memory.earlier if isinstance(memory.earlier, VerificationBody) else None
            return verify(task, images, worker, attention, rng, earlier)
        case FilterTask():
            return filter_images(task, images, worker, attention, rng)
        case CrowdTask():
            return paint_crowd(task, images[task.image.id], worker, attention, rng)
        case CaptionTask():
            return describe(task, images[task.image.id], worker, attention, rng)
        case BallotTask():
            return score(task, worker, attention, rng)


def _seconds(task: Task, body: Body) -> float:
    """Typical active time for an answer of this length."""
    match body:
        case LabellingBody():
            return 12 + 4.5 * sum(len(panel.icons) for panel in body.panels)
        case SpottingBody():
            return 2.5 + 1.5 * len(body.points)
        case SegmentationBody():
            return 12 + 2.2 * sum(len(part.points) for part in body.parts)
        case CrowdBody():
            return 90 if body.region is not None else 15
    match task:
        case VerificationTask() | FilterTask():
            return 1.2 * len(task.items)
        case BallotTask():
            return 4 * len(task.candidates)
    return 45
