"""Workers who do not exist: what each notices, confuses, draws and approves (spec 11; thesis-spec K.4).

A worker overlooks things, the more the smaller and the more hidden they are, takes one category for its
lookalike, draws outlines that are finer or coarser, approves masks by their overlap with what is there,
tires, and sometimes leaves. A spammer does none of that and answers to be paid. Nobody knows which items are
known to the engine: a worker sees a photograph and what the ticket shows, nothing else.

What decides everything is one number per worker and category: the chance to notice a plain, large object of
it. It is the product of the worker's skill, which differs between workers, and the category's ease, which
workers share, so that the misses of several workers are not independent, as they are not in life.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from amidst.coco.records import Category
from amidst.config import Config
from amidst.errors import UsageError

Floats = npt.NDArray[np.float64]
Habit = Literal["honest", "nothing", "everything", "random", "copy"]
SPAM: tuple[Habit, ...] = ("nothing", "everything", "random", "copy")


class CrowdModel(Config, frozen=True):
    """How a population of workers is drawn. Pairs are (mean, standard deviation) over workers.

    skill: chance to notice a large object of an easy category. ease: (lowest, highest) of a category.
    knee: side in pixels of a square at which a free-standing object is noticed with 63 % of that.
    confusion: chance to give a noticed category the name of a lookalike. false_alarm: chance per image to
    name a category out of thin air. hand: spread of a click, pixels. outline: spread of the vertices of an
    outline, share of the object's side. coarse: chance to be one who draws with few vertices.
    approve_iou: overlap at which a mask is approved as often as not; approve_slope: of the logistic curve
    there. slip: chance of a vote that means nothing. fatigue: share of attention lost over 200 answers.
    drop_out: chance to leave a ticket unfinished. pace: spread of the logarithm of a worker's speed.
    spam: share of workers who are spammers, of all four kinds in turn.
    """

    skill: tuple[float, float] = (0.8, 0.1)
    ease: tuple[float, float] = (0.65, 1.0)
    knee: tuple[float, float] = (9.0, 1.5)
    confusion: tuple[float, float] = (0.01, 0.008)
    false_alarm: tuple[float, float] = (0.005, 0.004)
    hand: tuple[float, float] = (0.6, 0.15)
    outline: tuple[float, float] = (0.014, 0.009)
    coarse: float = 0.25
    approve_iou: tuple[float, float] = (0.7, 0.03)
    approve_slope: tuple[float, float] = (22.0, 4.0)
    slip: tuple[float, float] = (0.01, 0.005)
    fatigue: tuple[float, float] = (0.1, 0.05)
    drop_out: tuple[float, float] = (0.02, 0.01)
    pace: float = 0.35
    spam: float = 0.02


@dataclass(frozen=True, slots=True)
class SimulatedWorker:
    """One worker; see `CrowdModel` for the meaning of the numbers.

    detection: by category id, skill times ease. tolerance: how far an outline may run beside the object,
    share of its side; few vertices for those who allow much.
    """

    index: int
    name: str
    habit: Habit
    detection: dict[int, float]
    knee: float
    confusion: float
    false_alarm: float
    hand: float
    outline: float
    tolerance: float
    approve_iou: float
    approve_slope: float
    slip: float
    fatigue: float
    drop_out: float
    pace: float

    def attention(self, answers_done: int) -> float:
        """Factor on what is noticed after so many answers."""
        return 1 - self.fatigue * min(1.0, answers_done / 200)

    def visibility(self, area: npt.ArrayLike, visible_share: npt.ArrayLike) -> Floats:
        """Factor on what is noticed for objects of these areas (pixels) and visible shares, 0..1."""
        size = 1 - np.exp(-np.asarray(area, dtype=np.float64) / self.knee**2)
        return np.asarray(size * np.sqrt(visible_share), dtype=np.float64)


def make_workers(
    seed: int, number: int, categories: Sequence[Category], model: CrowdModel | None = None
) -> tuple[SimulatedWorker, ...]:
    """A population, spammers first among equals: every 1/spam-th worker is one.

    The same seed gives the same workers, and a larger population begins with the smaller one. Raises
    UsageError if `number` is negative or `spam` not a share.
    """
    model = model or CrowdModel()
    if number < 0 or not 0 <= model.spam <= 1:
        raise UsageError(f"expected workers from 0 and spam in 0..1, got {number} and {model.spam}")
    ease = np.random.default_rng([seed, 2]).uniform(*model.ease, len(categories))
    return tuple(_worker(seed, index, categories, ease, model) for index in range(number))


def _worker(
    seed: int, index: int, categories: Sequence[Category], ease: Floats, model: CrowdModel
) -> SimulatedWorker:
    rng = np.random.default_rng([seed, 3, index])

    def draw(pair: tuple[float, float], low: float = 0.0, high: float = np.inf) -> float:
        return float(np.clip(rng.normal(*pair), low, high))

    skill = draw(model.skill, 0.2, 0.98)
    own = np.clip(skill * ease + rng.normal(0, 0.04, len(categories)), 0.02, 0.98)
    spammers = int((index + 1) * model.spam + 1e-9)
    spam = spammers > int(index * model.spam + 1e-9)
    return SimulatedWorker(
        index=index,
        name=f"worker {index + 1}",
        habit=SPAM[(spammers - 1) % len(SPAM)] if spam else "honest",
        detection={category.id: float(p) for category, p in zip(categories, own, strict=True)},
        knee=draw(model.knee, 2),
        confusion=draw(model.confusion, 0, 1),
        false_alarm=draw(model.false_alarm, 0, 1),
        hand=draw(model.hand, 0.1),
        outline=draw(model.outline, 0.002),
        tolerance=0.07 if rng.random() < model.coarse else 0.015,
        approve_iou=draw(model.approve_iou, 0.3, 0.9),
        approve_slope=draw(model.approve_slope, 5),
        slip=draw(model.slip, 0, 1),
        fatigue=draw(model.fatigue, 0, 0.9),
        drop_out=draw(model.drop_out, 0, 1),
        pace=float(np.exp(rng.normal(0, model.pace))),
    )
