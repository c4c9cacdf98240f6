"""What simulated workers write: captions (spec 6.8) and scores for candidate categories (6.1).

A caption names objects of the photograph with sizes and places; the words around them are drawn, so that the
captions of one image differ as those of different people do.
"""

from __future__ import annotations

import numpy as np

from amidst.crowd.bodies import BallotBody, BallotTask, CaptionBody, CaptionTask, Score
from amidst.crowd.simulated_seeing import by_category
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.world import WorldImage
from amidst.crowd.world_shapes import world_categories

Rng = np.random.Generator

_OPENINGS = (
    "In this picture we can see",
    "The photograph shows",
    "Here somebody has arranged",
    "A wide view with",
    "Standing on wavy ground there are",
    "What catches the eye first is",
    "Across the scene one finds",
    "On an ordinary day, a camera met",
)
_EMPTY = (
    "an empty stretch of pale ground",
    "a calm horizon and nothing else",
    "only soft light over quiet hills",
    "bare land beneath a plain sky",
)
_CLOSINGS = (
    "under a soft grey light",
    "while thin bars lie scattered around",
    "in front of a hazy horizon",
    "and the rest of the place is quiet",
    "as if they had been left there in a hurry",
    "with plenty of room between them",
    "before the evening comes",
    "seen from a little above",
)
_SIZES = ((40, "tiny"), (90, "small"), (170, "fairly large"), (10_000, "huge"))
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MOST_GROUPS = 4
_SHOWN, _NOT_SHOWN = (4.2, 4.9), (1.0, 2.8)  # what most think of a category, by whether pictures show it


def describe(
    task: CaptionTask,  # noqa: ARG001 - a sentence of this form always fits 8 to 60 words
    image: WorldImage,
    worker: SimulatedWorker,
    attention: float,
    rng: Rng,
) -> CaptionBody:
    """One sentence of 10 to about 45 words on what the worker notices."""
    phrases = []
    for category_id, things in by_category(image).items():
        if rng.random() < worker.detection[category_id] * attention:
            phrases.append(_phrase(category_id, [thing.area for thing in things], image.record.width, rng))
    chosen = [phrases[k] for k in rng.permutation(len(phrases))[:_MOST_GROUPS]]
    content = _listed(chosen) if chosen else _EMPTY[int(rng.integers(len(_EMPTY)))]
    opening = _OPENINGS[int(rng.integers(len(_OPENINGS)))]
    first, second = (_CLOSINGS[k] for k in rng.permutation(len(_CLOSINGS))[:2])
    return CaptionBody(text=f"{opening} {content}, {first}, {second}.")


def score(
    task: BallotTask,
    worker: SimulatedWorker,
    attention: float,  # noqa: ARG001 - opinions do not tire
    rng: Rng,
) -> BallotBody:
    """A score of 1 to 5 per candidate: what most think of it, give or take one's own taste; more for what the
    world's photographs show.
    """
    shown = {category.name for category in world_categories()}
    scores = []
    for candidate in task.candidates:
        common = np.random.default_rng([candidate.id % 2**32, 17]).uniform(
            *(_SHOWN if candidate.name in shown else _NOT_SHOWN)
        )
        own = common + 0.2 * np.sin(worker.index) + rng.normal(0, 0.6)
        scores.append(Score(candidate=candidate.id, score=int(np.clip(round(own), 1, 5))))
    return BallotBody(scores=tuple(scores))


def _phrase(category_id: int, areas: list[int], width: int, rng: Rng) -> str:
    name = next(category.name for category in world_categories() if category.id == category_id)
    side = np.sqrt(np.mean(areas)) * 480 / width
    size = next(word for limit, word in _SIZES if side < limit)
    count = len(areas)
    many = _NUMBERS[count] if count < len(_NUMBERS) else "a whole crowd of"
    noun = name if count == 1 else name + ("es" if name.endswith(("s", "x", "ch")) else "s")
    place = ("", "on the left", "in the middle", "further back", "near the edge")[int(rng.integers(5))]
    return " ".join(word for word in (many, size, noun.replace("leafs", "leaves"), place) if word)


def _listed(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
