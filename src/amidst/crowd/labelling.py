"""Category labelling: eight workers drop one icon of each category that they see; the union counts.

Source: section 2.4.1 of the thesis.
"""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, insert, select, update

from amidst.crowd import cells, free_units, units
from amidst.crowd.bodies import ImageRef, LabellingBody, LabellingTask
from amidst.crowd.context import Campaign, read_image
from amidst.crowd.decisions import record
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.rules import CATEGORIES_PRESENT, Drop, LabellingInputs, LabellingOutcome
from amidst.crowd.schema import answer, unit
from amidst.crowd.schema_chain import cell, icon_drop
from amidst.crowd.validation import check_labelling


def offer(turn: Turn) -> Offer | NoWork:
    """An image that the worker has not labelled."""
    found = free_units.find(turn.connection, turn.worker, "labelling", 1)
    if not found:
        return NoWork(reason="nothing_open")
    return Offer("labelling", Plan((Item("image", found[0].ref_id, found[0].id),)))


def task(turn: Turn, plan: Plan) -> LabellingTask:
    """The image and the panels, in an order drawn by lot."""
    order = turn.campaign.lot("panels", turn.worker.id, plan.items[0].ref).permutation(
        len(turn.campaign.panels)
    )
    image = read_image(turn.connection, plan.items[0].ref)
    return LabellingTask(image=image, panels=tuple(turn.campaign.panels[index] for index in order))


def judge(turn: Turn, plan: Plan, body: LabellingBody) -> Judgement:
    """Raises AnswerError."""
    check_labelling(body, turn.campaign.panels, read_image(turn.connection, plan.items[0].ref))
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
    if filed.units.get(item.unit):
        units.decide(turn.connection, item.unit)
        settle(turn.connection, turn.campaign, item.ref, turn.now)


def settle(connection: Connection, campaign: Campaign, image_id: int, now: int) -> None:
    """Draws the union and makes the cells that it lacks; cells that lost or regained support are settled."""
    image = read_image(connection, image_id)
    outcome, changed = record(
        connection, CATEGORIES_PRESENT, f"image/{image_id}", gather(connection, campaign, image), now
    )
    assert isinstance(outcome, LabellingOutcome)
    if not changed:
        return
    known = {
        row.category_id: row.id
        for row in connection.execute(
            select(cell.c.id, cell.c.category_id).where(cell.c.image_id == image_id).order_by(cell.c.id)
        )
    }
    for there in outcome.present:
        category_id, place = there.category_id, {"prior_x": there.x, "prior_y": there.y}
        if category_id in known:
            connection.execute(update(cell).where(cell.c.id == known[category_id]).values(place))
        elif outcome.complete:
            made = connection.execute(
                insert(cell).returning(cell.c.id),
                {"image_id": image_id, "category_id": category_id, **place},
            ).scalar_one()
            workers = campaign.config.spotting.workers
            units.create(connection, "spotting", "cell", [made], workers, now, category_id=category_id)
    for cell_id in known.values():
        cells.settle(connection, campaign, cell_id, now)


def gather(connection: Connection, campaign: Campaign, image: ImageRef) -> LabellingInputs:
    """The icons of workers whose work counts."""
    drops = connection.execute(
        select(icon_drop.c.category_id, icon_drop.c.x, icon_drop.c.y)
        .join(answer, answer.c.id == icon_drop.c.answer_id)
        .where(icon_drop.c.image_id == image.id, answer.c.voided_by.is_(None))
        .order_by(icon_drop.c.id)
    )
    work = connection.execute(
        select(unit.c.done, unit.c.needed).where(
            unit.c.ref_kind == "image", unit.c.ref_id == image.id, unit.c.stage == "labelling"
        )
    ).first()
    config = campaign.config.labelling
    return LabellingInputs(
        answers=work.done if work else 0,
        workers=work.needed if work else config.workers,
        drops=tuple(Drop(*row) for row in drops),
        radius=config.cluster_px * float(np.hypot(image.width, image.height)),
    )


WORK = StageWork(offer, task, judge, accept)
