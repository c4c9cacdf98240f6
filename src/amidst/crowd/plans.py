"""What passes between the parts of a transaction: a ticket's plan, what a stage offers, what was answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from amidst.coco.records import Rle
from amidst.crowd.bodies import Task
from amidst.crowd.config import Stage
from amidst.crowd.context import Campaign, Worker
from amidst.crowd.results import NoWork, TrainingResult


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One place of a task. unit 0: it only fills the grid; gold 0: it is no known item."""

    kind: str  # what ref is the id of: campaign, image, cell, segmentation, crowd_region, gold
    ref: int
    unit: int = 0
    gold: int = 0


class Target(msgspec.Struct, frozen=True, array_like=True):
    """The point that a mask is wanted for."""

    point: int
    x: float
    y: float


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a ticket's task is made of, in the order of its places. Never leaves the engine.

    categories: ids that a ticket of labelling asks about, by which its answer is judged whatever is added or
    retired meanwhile.
    """

    items: tuple[Item, ...]
    target: Target | None = None
    categories: tuple[int, ...] = ()

    @property
    def units(self) -> tuple[int, ...]:
        """Units that the ticket holds slots of."""
        return tuple(item.unit for item in self.items if item.unit)


@dataclass(frozen=True, slots=True)
class Offer:
    """Work found for a worker. stage: what it turned out to be (training in place of segmentation)."""

    stage: Stage
    plan: Plan


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an answer is worth before it is stored.

    status as in `Receipt`. golds: (gold id, correct) of each known item. mask: the raster of a drawing.
    """

    status: Literal["accepted", "look_again"] = "accepted"
    golds: tuple[tuple[int, bool], ...] = ()
    mask: Rle | None = None
    training: TrainingResult | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One transaction on behalf of one worker. now: UTC microseconds."""

    connection: Connection
    campaign: Campaign
    worker: Worker
    now: int


@dataclass(frozen=True, slots=True)
class Filed:
    """An accepted answer whose row and slots are written.

    units: those whose slots were still free, and whether each has all its judgements now.
    """

    answer_id: int
    plan: Plan
    units: dict[int, bool]
    body: Any
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class StageWork:
    """The functions of a stage.

    offer: finds work, takes nothing yet. task: what the worker is shown. judge: raises AnswerError for a
    body that does not fit. accept: writes what follows from an accepted answer.
    """

    offer: Callable[[Turn], Offer | NoWork]
    task: Callable[[Turn, Plan], Task]
    judge: Callable[[Turn, Plan, Any], Judgement]
    accept: Callable[[Turn, Filed], None]
