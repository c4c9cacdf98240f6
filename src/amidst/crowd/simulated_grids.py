"""Verification grids in memory: known masks among unknown ones, the gate, the votes (spec 6.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import (
    Body,
    CategoryRef,
    GridMask,
    ImageRef,
    Task,
    VerificationBody,
    VerificationTask,
)
from amidst.crowd.config import CampaignConfig, VerificationConfig
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.world import TrueObject, WorldImage

Rng = np.random.Generator
Ask = Callable[[SimulatedWorker, Task, Body | None], Body]


@dataclass
class Candidate:
    """A mask that waits for votes. drawer: index of its worker. overlap: with the truth, for the records."""

    image: WorldImage
    category: CategoryRef
    mask: Rle
    drawer: int
    overlap: float
    votes: dict[int, bool] = field(default_factory=dict)

    def verdict(self, config: VerificationConfig) -> bool | None:
        """Accepted, discarded, or None while votes are missing."""
        good = sum(self.votes.values())
        bad = len(self.votes) - good
        if len(self.votes) >= config.votes and not bad:
            return True
        if good >= config.good_votes and bad:
            return True
        if bad > config.votes + config.more_votes - config.good_votes:
            return False
        return None


def grid_item(image: WorldImage, category: CategoryRef, mask: Rle) -> GridMask:
    """A mask as a grid shows it."""
    x, y, width, height = (float(value) for value in masks.boxes([mask])[0])
    record = image.record
    ref = ImageRef(id=record.id, width=record.width, height=record.height)
    return GridMask(image=ref, category=category, crop_xywh=(x, y, width, height), mask=mask)


def judge(
    ask: Ask,
    workers: Sequence[SimulatedWorker],
    candidates: Sequence[Candidate],
    config: CampaignConfig,
    rng: Rng,
    gate_failures: dict[str, int],
) -> list[bool]:
    """The verdict on every candidate, after as many grids as it takes.

    gate_failures: counts by habit of the workers whose grids were not used, added to. A candidate on which
    every worker has voted, or drawn it, without a verdict is discarded.
    """
    rules = config.verification
    waiting = [c for c in candidates if c.verdict(rules) is None]
    pool = {c.image.record.id: c.image for c in candidates}
    known = [(image, thing) for image in pool.values() for thing in image.objects if thing.area > 300]
    for _ in range(200):
        for worker in (workers[k] for k in rng.permutation(len(workers))):
            mine = [c for c in waiting if c.drawer != worker.index and worker.index not in c.votes]
            if not mine:
                continue
            real = mine[: rules.grid - rules.known_bad - rules.known_good]
            bad = fill_and_judge(ask, worker, real, known, rules, rng)
            if bad is None:
                gate_failures[worker.habit] = gate_failures.get(worker.habit, 0) + 1
                continue
            for candidate, poor in zip(real, bad, strict=True):
                candidate.votes[worker.index] = not poor
            waiting = [c for c in waiting if c.verdict(rules) is None]
        if not waiting:
            break
    return [c.verdict(rules) is True for c in candidates]


def fill_and_judge(
    ask: Ask,
    worker: SimulatedWorker,
    real: Sequence[Candidate],
    known: Sequence[tuple[WorldImage, TrueObject]],
    rules: VerificationConfig,
    rng: Rng,
) -> list[bool] | None:
    """Which of the real masks the worker marked as poor; None if the worker did not pass the gate."""
    items: list[tuple[GridMask, int]] = []  # with rank among the real ones, -1 known bad, -2 known good
    items += [(grid_item(c.image, c.category, c.mask), k) for k, c in enumerate(real)]
    for number, kind in ((rules.known_bad, -1), (rules.known_good, -2)):
        for _ in range(number if known else 0):
            image, thing = known[int(rng.integers(len(known)))]
            mask = spoil(thing.mask, rules.bad_iou, rng) if kind == -1 else thing.mask
            name = CategoryRef(id=thing.category_id, name="")
            items.append((grid_item(image, name, mask), kind))
    order = rng.permutation(len(items))
    shown = [items[k] for k in order]
    task = VerificationTask(items=tuple(item for item, _ in shown))
    earlier: Body | None = None
    for _ in range(rules.tries):
        body = ask(worker, task, earlier)
        assert isinstance(body, VerificationBody)
        earlier = body
        marked = [shown[k][1] for k in body.bad]
        if passes_gate(marked, len(items), rules, gold=bool(known)):
            poor = set(marked)
            return [k in poor for k in range(len(real))]
    return None


def passes_gate(marked: Sequence[int], count: int, rules: VerificationConfig, *, gold: bool = True) -> bool:
    """Enough known bad ones (-1) marked, and not too many of all items or of the known good (-2)."""
    if not gold:
        return True
    found, wronged = (sum(kind == wanted for kind in marked) for wanted in (-1, -2))
    enough = found >= rules.must_find
    modest = len(marked) <= rules.max_marked * count and wronged <= rules.max_marked * rules.known_good
    return enough and modest


def spoil(mask: Rle, most_iou: float, rng: Rng) -> Rle:
    """A poor version of a mask: moved sideways until it overlaps the original no more than `most_iou`."""
    whole = masks.decode([mask])[0]
    angle = rng.uniform(0, 2 * np.pi)
    step = max(1.0, 0.1 * float(np.sqrt(np.count_nonzero(whole))))
    for distance in range(1, 60):
        dx, dy = (round(distance * step * part) for part in (np.cos(angle), np.sin(angle)))
        moved = _moved(whole, dx, dy)
        spoiled = masks.encode(moved[None])[0]
        if np.count_nonzero(moved) < 12:
            angle += 2.0  # over the edge of the image: try another way
        elif masks.iou([spoiled], [mask])[0, 0] <= most_iou:
            return spoiled
    return masks.encode(_moved(whole, 0, whole.shape[0] // 2)[None])[0]


def _moved(whole: masks.Mask, dx: int, dy: int) -> masks.Mask:
    height, width = whole.shape
    moved = np.zeros_like(whole)
    moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = whole[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    return moved
