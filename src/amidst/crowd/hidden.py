"""Known objects among those to be drawn: whether a worker who has passed the gate still draws well.

    share of such tickets   10 % for a stranger, falling to 2 % as known objects tell more about him, never 0;
                            10 % again when the last fifty were drawn worse than all before would have it

A ticket of a known object looks like any other: an image, a category, a point, the masks that are there. It
takes no place, its drawing is kept and nothing follows from it but whether it was right. Grids of
verification and of the filter have known items of their own, as many as the thesis gives, whoever works.

All of it is ours: the thesis has a gate before drawing and verification after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import SegmentationBody, SegmentationTask
from amidst.crowd.config import SegmentationConfig
from amidst.crowd.context import read_category, read_image
from amidst.crowd.plans import Item, Judgement, Plan, Target, Turn
from amidst.crowd.reputation import QualityConfig, reputation
from amidst.crowd.schema import answer, gold, gold_result, ticket, training_attempt
from amidst.crowd.training import needed_iou
from amidst.crowd.validation import DECIMALS, drawn_mask

HISTORY = 500  # known objects back to which a worker is judged


def offer(turn: Turn, category_ids: Collection[int]) -> Plan | None:
    """A known object of one of these categories, if it is its turn; those least seen first."""
    config = turn.campaign.config.segmentation
    lot = turn.campaign.lot("hidden", turn.worker.id, _last_ticket(turn))
    chance = lot.random()
    if turn.worker.expert or chance >= config.gold_most or chance >= share(turn, config):
        return None
    known = select(gold.c.id).where(gold.c.kind == "training", gold.c.state == "active")
    ids = turn.connection.execute(
        known.where(
            gold.c.category_id.in_(sorted({*category_ids} & turn.campaign.categories.keys()))
        ).order_by(gold.c.id)
    ).scalars()
    shuffled = lot.permutation(np.array(list(ids), dtype=np.int64)).tolist()
    if not shuffled:
        return None
    seen = _seen(turn.connection, turn.worker.id)
    chosen = min(shuffled, key=lambda one: seen[one])
    x, y = _point(_truth(turn.connection, chosen), lot)
    return Plan((Item("gold", chosen, gold=chosen),), Target(0, x, y))


def share(turn: Turn, config: SegmentationConfig) -> float:
    """Of the worker's coming tickets that hold a known object."""
    rows = turn.connection.execute(
        select(gold_result.c.correct)
        .join(answer, answer.c.id == gold_result.c.answer_id)
        .where(answer.c.worker_id == turn.worker.id, answer.c.stage == "segmentation")
        .order_by(gold_result.c.id.desc())
        .limit(HISTORY)
    ).scalars()
    history = [bool(correct) for correct in rows][::-1]
    limits = QualityConfig(gold_most=config.gold_most, gold_least=config.gold_least)
    known = reputation(history, limits)
    return config.gold_most if known.changed else known.gold_share


def task(turn: Turn, plan: Plan) -> SegmentationTask:
    """The known object's point, and the other known masks of its category in the image."""
    row = _row(turn.connection, plan.items[0].ref)
    image = read_image(turn.connection, row.image_id)
    others = turn.connection.execute(
        select(gold.c.rle)
        .where(gold.c.kind == "training", gold.c.state == "active", gold.c.id != row.id)
        .where(gold.c.image_id == row.image_id, gold.c.category_id == row.category_id)
        .order_by(gold.c.id)
    ).scalars()
    assert plan.target is not None
    return SegmentationTask(
        image=image,
        category=read_category(turn.connection, row.category_id),
        target_xy=(plan.target.x, plan.target.y),
        masks=tuple(Rle((image.height, image.width), str(rle)) for rle in others),
    )


def judge(turn: Turn, plan: Plan, body: SegmentationBody) -> Judgement:
    """Whether the drawing overlaps the truth as in training; "cannot tell" says nothing about a worker.

    Raises AnswerError, for the same drawings as of any other object.
    """
    known = plan.items[0].gold
    if body.kind != "mask":
        return Judgement(golds=() if body.kind == "cannot_tell" else ((known, False),))
    config = turn.campaign.config.segmentation
    row, truth = _row(turn.connection, known), _truth(turn.connection, known)
    assert plan.target is not None
    image = read_image(turn.connection, row.image_id)
    mask = drawn_mask(body, image, (plan.target.x, plan.target.y), config)
    overlap = float(masks.iou([mask], [truth])[0, 0])
    return Judgement(mask=mask, golds=((known, overlap >= needed_iou(truth, config)),))


def _last_ticket(turn: Turn) -> int:
    latest = select(func.max(ticket.c.id)).where(
        ticket.c.worker_id == turn.worker.id, ticket.c.stage == "segmentation"
    )
    return int(turn.connection.execute(latest).scalar() or 0)


def _seen(connection: Connection, worker_id: int) -> Counter[int]:
    """How often a worker has met each known object, in training too."""
    trained = select(training_attempt.c.gold_id).where(training_attempt.c.worker_id == worker_id)
    drawn = (
        select(gold_result.c.gold_id)
        .join(answer, answer.c.id == gold_result.c.answer_id)
        .where(answer.c.worker_id == worker_id, answer.c.stage == "segmentation")
    )
    return Counter([*connection.execute(trained).scalars(), *connection.execute(drawn).scalars()])


def _row(connection: Connection, gold_id: int) -> Any:
    return connection.execute(
        select(gold.c.id, gold.c.image_id, gold.c.category_id, gold.c.rle).where(gold.c.id == gold_id)
    ).one()


def _truth(connection: Connection, gold_id: int) -> Rle:
    row = _row(connection, gold_id)
    image = read_image(connection, row.image_id)
    return Rle((image.height, image.width), row.rle)


def _point(mask: Rle, lot: np.random.Generator) -> tuple[float, float]:
    """Anywhere inside a mask, as a worker puts a cross."""
    rows, columns = np.nonzero(masks.decode([mask])[0])
    chosen = int(lot.integers(len(rows)))
    x, y = columns[chosen] + lot.random(), rows[chosen] + lot.random()
    return round(float(x), DECIMALS), round(float(y), DECIMALS)
