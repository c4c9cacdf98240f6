"""Crowd regions: after ten to fifteen individual masks the rest of a category is painted as one region.

Source: section 2.4.3 of the thesis; that three others judge the region is ours.
"""

from __future__ import annotations

from sqlalchemy import insert

from amidst.coco import masks
from amidst.crowd import cells, free_units, units, verdicts
from amidst.crowd.bodies import CrowdBody, CrowdTask
from amidst.crowd.cell_rule import live_points
from amidst.crowd.outlines import subtract
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.schema_chain import crowd_region
from amidst.crowd.spotting import read_cell
from amidst.crowd.validation import painted_region
from amidst.errors import AnswerError


def offer(turn: Turn) -> Offer | NoWork:
    """A cell whose individual masks are done."""
    found = free_units.find(turn.connection, turn.worker, "crowd_regions", 1)
    if not found:
        return NoWork(reason="nothing_open")
    return Offer("crowd_regions", Plan((Item("cell", found[0].ref_id, found[0].id),)))


def task(turn: Turn, plan: Plan) -> CrowdTask:
    """The masks that exist, and the points that none of them covers."""
    cell_id = plan.items[0].ref
    image, category = read_cell(turn.connection, cell_id)
    live = live_points(cells.gather(turn.connection, turn.campaign, cell_id))
    return CrowdTask(
        image=image,
        category=category,
        masks=tuple(cells.read_masks(turn.connection, cell_id).values()),
        points=tuple((point.x, point.y) for point in live),
    )


def judge(turn: Turn, plan: Plan, body: CrowdBody) -> Judgement:
    """The region without the individual masks. Raises AnswerError."""
    image, _ = read_cell(turn.connection, plan.items[0].ref)
    least = turn.campaign.config.segmentation.min_area
    region = painted_region(body, image, least)
    if region is None:
        return Judgement()
    rest = subtract(region, list(cells.read_masks(turn.connection, plan.items[0].ref).values()))
    if int(masks.area([rest])[0]) < least:
        raise AnswerError("the region lies within the masks that exist", rule="region-covered")
    return Judgement(mask=rest)


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the region and opens its verification; then the cell goes on."""
    item, region = filed.plan.items[0], filed.judgement.mask
    by_expert = turn.worker.expert and units.is_expert_only(turn.connection, item.unit)
    made = turn.connection.execute(
        insert(crowd_region).returning(crowd_region.c.id),
        {
            "cell_id": item.ref,
            "answer_id": filed.answer_id,
            "rle": None if region is None else str(region.counts),
            "area": 0 if region is None else int(masks.area([region])[0]),
            "by_expert": by_expert,
        },
    ).scalar_one()
    units.decide(turn.connection, item.unit)
    if region is not None and not by_expert:
        _, category = read_cell(turn.connection, item.ref)
        units.create(
            turn.connection,
            "verification",
            "crowd_region",
            [made],
            turn.campaign.config.crowd_regions.votes,
            turn.now,
            category_id=category.id,
            author_id=turn.worker.id,
        )
    verdicts.settle(turn.connection, turn.campaign, "crowd_region", made, turn.now)
    cells.settle(turn.connection, turn.campaign, item.ref, turn.now)


WORK = StageWork(offer, task, judge, accept)
