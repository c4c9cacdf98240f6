"""Category labelling: eight workers drop one icon of each category that they see; the union counts.

Categories that come later are asked about in questions of their own (`questions`).

Source: section 2.4.1 of the thesis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, bindparam, insert, select, update

from amidst.crowd import cells, free_units, questions, units
from amidst.crowd.bodies import ImageRef, LabellingBody, LabellingTask, Panel
from amidst.crowd.context import Campaign, read_image
from amidst.crowd.decisions import last_outcome, record
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.rules import CATEGORIES_PRESENT, Drop, LabellingInputs, LabellingOutcome
from amidst.crowd.schema import answer, slot, unit
from amidst.crowd.schema_chain import cell, icon_drop
from amidst.crowd.validation import check_labelling


def offer(turn: Turn) -> Offer | NoWork:
    """An image that the worker has not labelled."""
    found = free_units.find(turn.connection, turn.worker, "labelling", 1)
    if not found:
        return NoWork(reason="nothing_open")
    image_id = found[0].ref_id
    asked = questions.asked(turn.connection, image_id, found[0].question)
    if not asked:  # its categories are being retired at this moment
        return NoWork(reason="nothing_open")
    return Offer("labelling", Plan((Item("image", image_id, found[0].id),), categories=asked))


def task(turn: Turn, plan: Plan) -> LabellingTask:
    """The image and the panels, in an order drawn by lot."""
    panels = _panels(turn, plan)
    order = turn.campaign.lot("panels", turn.worker.id, plan.items[0].ref).permutation(len(panels))
    image = read_image(turn.connection, plan.items[0].ref)
    return LabellingTask(image=image, panels=tuple(panels[index] for index in order))


def judge(turn: Turn, plan: Plan, body: LabellingBody) -> Judgement:
    """Raises AnswerError."""
    check_labelling(body, _panels(turn, plan), read_image(turn.connection, plan.items[0].ref))
    return Judgement()


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the icons; the last worker's answer makes the cells."""
    item = filed.plan.items[0]
    rows = [
        {
            "answer_id": filed.answer_id,
            "image_id": item.ref,
            "category_id": icon.category,
            "x": icon.x,
            "y": icon.y,
        }
        for panel in filed.body.panels
        for icon in panel.icons
    ]
    if rows:
        turn.connection.execute(insert(icon_drop), rows)
    complete = filed.units.get(item.unit)
    if complete:
        units.decide(turn.connection, item.unit)
    question_id = turn.connection.execute(_QUESTION, {"unit": item.unit}).scalar_one()
    if complete or last_outcome(turn.connection, CATEGORIES_PRESENT, subject(item.ref, question_id)):
        settle(turn.connection, turn.campaign, item.ref, turn.now)


def settle(connection: Connection, campaign: Campaign, image_id: int, now: int) -> None:
    """Draws the union of each question of an image and makes the cells that it lacks; cells that lost or
    regained support are settled.
    """
    image = read_image(connection, image_id)
    cells_of_image = select(cell.c.category_id, cell.c.id).where(cell.c.image_id == image_id)
    known = {row[0]: row[1] for row in connection.execute(cells_of_image.order_by(cell.c.id))}
    asked = connection.execute(_QUESTIONS, {"image": image_id}).scalars().all()
    changed = [_settle(connection, campaign, image, known, question_id, now) for question_id in asked]
    if any(changed):
        for cell_id in known.values():
            cells.settle(connection, campaign, cell_id, now)


def gather(
    connection: Connection, campaign: Campaign, image: ImageRef, question_id: int = 0
) -> LabellingInputs:
    """The icons of workers whose work counts, of one question of an image."""
    where = {"image": image.id, "question": question_id}
    drops = connection.execute(_DROPS, where)
    work = connection.execute(_WORK, where).first()
    config = campaign.config.labelling
    return LabellingInputs(
        answers=work.done if work else 0,
        workers=work.needed if work else config.workers,
        drops=tuple(Drop(*row) for row in drops),
        radius=config.cluster_px * float(np.hypot(image.width, image.height)),
    )


def subject(image_id: int, question_id: int) -> str:
    """What a decision on a question is about."""
    return f"image/{image_id}/{question_id}" if question_id else f"image/{image_id}"


def _panels(turn: Turn, plan: Plan) -> Sequence[Panel]:
    """What a ticket shows. One of before tickets said so shows what the first question asks about still."""
    ids = plan.categories or questions.asked(turn.connection, plan.items[0].ref, 0)
    return questions.shown_panels(turn.connection, turn.campaign.panels, ids)


def _settle(
    connection: Connection,
    campaign: Campaign,
    image: ImageRef,
    known: dict[int, int],
    question_id: int,
    now: int,
) -> bool:
    """Of one question; whether it is decided otherwise than before. Nothing is decided until all have
    answered for the first time. known: the cells of the image by category, of which these are the old ones.
    """
    inputs, about = gather(connection, campaign, image, question_id), subject(image.id, question_id)
    if inputs.answers < inputs.workers and last_outcome(connection, CATEGORIES_PRESENT, about) is None:
        return False
    outcome, changed = record(connection, CATEGORIES_PRESENT, about, inputs, now)
    assert isinstance(outcome, LabellingOutcome)
    for there in outcome.present if changed else ():
        category_id, place = there.category_id, {"prior_x": there.x, "prior_y": there.y}
        if category_id in known:
            connection.execute(update(cell).where(cell.c.id == known[category_id]).values(place))
        elif outcome.complete:
            made = connection.execute(
                insert(cell).returning(cell.c.id),
                {"image_id": image.id, "category_id": category_id, **place},
            ).scalar_one()
            workers = campaign.config.spotting.workers
            units.create(connection, "spotting", "cell", [made], workers, now, category_id=category_id)
            if category_id not in campaign.categories:  # retired since it was shown
                cells.settle(connection, campaign, made, now)
    return changed


_OF_IMAGE = (
    (unit.c.stage == "labelling") & (unit.c.ref_kind == "image") & (unit.c.ref_id == bindparam("image"))
)
_QUESTIONS = select(unit.c.question).where(_OF_IMAGE).order_by(unit.c.question)
_QUESTION = select(unit.c.question).where(unit.c.id == bindparam("unit"))
_WORK = select(unit.c.done, unit.c.needed).where(_OF_IMAGE, unit.c.question == bindparam("question"))
_DROPS = (
    select(icon_drop.c.category_id, icon_drop.c.x, icon_drop.c.y)
    .join(answer, answer.c.id == icon_drop.c.answer_id)
    .join(slot, slot.c.answer_id == answer.c.id)
    .join(unit, unit.c.id == slot.c.unit_id)
    .where(icon_drop.c.image_id == bindparam("image"), unit.c.question == bindparam("question"))
    .where(answer.c.voided_by.is_(None))
    .order_by(icon_drop.c.id)
)


WORK = StageWork(offer, task, judge, accept)
