"""Instance spotting: eight workers put a cross on every instance of one category, up to ten.

All crosses are kept; drawing settles which belong to one instance. The icon of labelling shows where to
look, and stands in where nobody put a cross.

Source: section 2.4.2 of the thesis.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, text, update

from amidst.crowd import cells, free_units, units
from amidst.crowd.bodies import CategoryRef, ImageRef, SpottingBody, SpottingTask
from amidst.crowd.cell_rule import PointRow
from amidst.crowd.context import Campaign
from amidst.crowd.decisions import last_outcome, record
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.rules import POINTS_UNITED, SpottingInputs, SpottingOutcome
from amidst.crowd.schema import LIVE_SLOT, answer, category, image, slot, unit
from amidst.crowd.schema_chain import cell, point
from amidst.crowd.validation import check_spotting


def offer(turn: Turn) -> Offer | NoWork:
    """A cell that the worker has not spotted."""
    found = free_units.find(turn.connection, turn.worker, "spotting", 1)
    if not found:
        return NoWork(reason="nothing_open")
    return Offer("spotting", Plan((Item("cell", found[0].ref_id, found[0].id),)))


def task(turn: Turn, plan: Plan) -> SpottingTask:
    """The image, the category, and where an icon of it was dropped."""
    shown, kind = read_cell(turn.connection, plan.items[0].ref)
    prior = turn.connection.execute(
        select(cell.c.prior_x, cell.c.prior_y).where(cell.c.id == plan.items[0].ref)
    ).one()
    return SpottingTask(
        image=shown,
        category=kind,
        prior_xy=(prior[0], prior[1]),
        max_points=turn.campaign.config.spotting.max_points,
    )


def judge(turn: Turn, plan: Plan, body: SpottingBody) -> Judgement:
    """Raises AnswerError."""
    shown, _ = read_cell(turn.connection, plan.items[0].ref)
    check_spotting(body, shown, turn.campaign.config.spotting)
    return Judgement()


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the crosses; after the last worker's answer the cell goes on."""
    item = filed.plan.items[0]
    if filed.body.points:
        made = turn.connection.execute(
            insert(point).returning(point.c.id, sort_by_parameter_order=True),
            [
                {"cell_id": item.ref, "answer_id": filed.answer_id, "x": cross.x, "y": cross.y}
                for cross in filed.body.points
            ],
        )
        crosses = [
            PointRow(row[0], cross.x, cross.y) for row, cross in zip(made, filed.body.points, strict=True)
        ]
        every = ("pending", "accepted", "discarded", "withdrawn")
        masks = cells.read_masks(turn.connection, item.ref, every)  # none, unless work was voided
        cells.cover(turn.connection, turn.campaign, masks, crosses)
    complete = filed.units.get(item.unit)
    if complete:
        units.decide(turn.connection, item.unit)
    if complete or last_outcome(turn.connection, POINTS_UNITED, f"points/{item.ref}"):
        settle(turn.connection, turn.campaign, item.ref, turn.now)


def settle(connection: Connection, campaign: Campaign, cell_id: int, now: int) -> None:
    """Decides whether there are too many to point at, sees to a point, and settles the cell."""
    outcome, changed = record(
        connection, POINTS_UNITED, f"points/{cell_id}", gather(connection, campaign, cell_id), now
    )
    assert isinstance(outcome, SpottingOutcome)
    if changed:
        connection.execute(update(cell).where(cell.c.id == cell_id).values(more_than_10=outcome.more_than_10))
    if outcome.complete and not cells.points(connection, cell_id):
        _stand_in(connection, campaign, cell_id)
    cells.settle(connection, campaign, cell_id, now)


def gather(connection: Connection, campaign: Campaign, cell_id: int) -> SpottingInputs:
    """Of each answer that counts the number of points, and whether there were more."""
    bodies = connection.execute(_BODIES, {"cell": cell_id})
    said = [msgspec.json.decode(row[0], type=SpottingBody) for row in bodies]
    config = campaign.config.spotting
    return SpottingInputs(
        answers=tuple((len(body.points), body.more_than_10) for body in said),
        workers=units.needed(connection, "spotting", "cell", cell_id) or config.workers,
        max_points=config.max_points,
        crowd_votes=config.crowd_votes,
    )


def read_cell(connection: Connection, cell_id: int) -> tuple[ImageRef, CategoryRef]:
    """The image and category of a cell, as tasks show them."""
    row = connection.execute(_CELL, {"cell": cell_id}).one()
    shown = ImageRef(id=row[0], width=row[1], height=row[2])
    return shown, CategoryRef(id=row[3], name=row[4], icon=row[5], definition=row[6])


def _stand_in(connection: Connection, campaign: Campaign, cell_id: int) -> None:
    row = connection.execute(select(cell.c.prior_x, cell.c.prior_y).where(cell.c.id == cell_id)).one()
    made = connection.execute(
        insert(point).returning(point.c.id), {"cell_id": cell_id, "x": row[0], "y": row[1]}
    ).scalar_one()
    masks = cells.read_masks(connection, cell_id, ("pending", "accepted", "discarded", "withdrawn"))
    cells.cover(connection, campaign, masks, [PointRow(made, row[0], row[1])])


_CELL = (
    select(
        image.c.id,
        image.c.width,
        image.c.height,
        category.c.id,
        category.c.name,
        category.c.icon,
        category.c.definition,
    )
    .select_from(cell)
    .join(image, image.c.id == cell.c.image_id)
    .join(category, category.c.id == cell.c.category_id)
    .where(cell.c.id == bindparam("cell"))
)
_BODIES = (
    select(answer.c.body_json)
    .join(slot, slot.c.answer_id == answer.c.id)
    .join(unit, unit.c.id == slot.c.unit_id)
    .where(unit.c.ref_kind == "cell", unit.c.ref_id == bindparam("cell"), unit.c.stage == "spotting")
    .where(slot.c.state == "submitted", text(LIVE_SLOT))  # the latter for its index
    .order_by(answer.c.id)
)
WORK = StageWork(offer, task, judge, accept)
