"""Instance segmentation: one open ticket per cell; the next instance is the live point with most neighbours.

Who has not passed the gate of any category with work gets a training mask of one instead; who has, gets a
known object now and then (`hidden`). "Nothing here"
and "all done" need a second person; so does "not here", which closes the point and those close to it.

Source: section 2.4.3 of the thesis.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, insert, select

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd import cells, free_units, hidden, training, units, verdicts
from amidst.crowd.bodies import SegmentationBody, SegmentationTask
from amidst.crowd.cell_rule import closed_points, live_points, neighbours, target, workable
from amidst.crowd.free_units import Free
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Target, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.schema_chain import claim, instance, segmentation
from amidst.crowd.spotting import read_cell
from amidst.crowd.validation import check_outlines, drawn_mask


def offer(turn: Turn) -> Offer | NoWork:
    """An instance of a category whose gate is open to the worker, else a training mask."""
    with_work = free_units.categories_with_work(turn.connection, "segmentation", turn.worker)
    if not with_work:
        return NoWork(reason="nothing_open")
    passed = training.passed(turn, with_work)
    known = hidden.offer(turn, passed)
    if known is not None:
        return Offer("segmentation", known)
    for category_id in _by_lot(turn, passed):
        found = free_units.find(turn.connection, turn.worker, "segmentation", 1, category_id=category_id)
        plan = _plan(turn, found[0]) if found else None
        if plan is not None:
            return Offer("segmentation", plan)
    return training.offer(turn, _by_lot(turn, with_work - passed))


def task(turn: Turn, plan: Plan) -> SegmentationTask:
    """The target and the masks that the cell has now."""
    if plan.items[0].gold:
        return hidden.task(turn, plan)
    image, category = read_cell(turn.connection, plan.items[0].ref)
    assert plan.target is not None
    return SegmentationTask(
        image=image,
        category=category,
        target_xy=(plan.target.x, plan.target.y),
        masks=tuple(cells.read_masks(turn.connection, plan.items[0].ref).values()),
    )


def judge(turn: Turn, plan: Plan, body: SegmentationBody) -> Judgement:
    """Raises AnswerError."""
    config = turn.campaign.config.segmentation
    check_outlines(body, config)
    if plan.items[0].gold:
        return hidden.judge(turn, plan, body)
    if body.kind != "mask":
        return Judgement()
    assert plan.target is not None
    image, _ = read_cell(turn.connection, plan.items[0].ref)
    return Judgement(mask=drawn_mask(body, image, (plan.target.x, plan.target.y), config))


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the mask and opens its verification, or keeps the claim; then the cell goes on."""
    item = filed.plan.items[0]
    if item.gold:
        return
    if filed.judgement.mask is None:
        _claim(turn, filed, turn.worker.expert and units.is_expert_only(turn.connection, item.unit))
    else:  # nobody judges an expert's mask: a campaign's first known items are made of such
        _keep(turn, filed, filed.judgement.mask, turn.worker.expert)
        units.decide(turn.connection, item.unit)
    cells.settle(turn.connection, turn.campaign, item.ref, turn.now)


def _plan(turn: Turn, found: Free) -> Plan | None:
    """The next instance of a cell; None if the cell has none for this worker after all."""
    inputs = cells.gather(turn.connection, turn.campaign, found.ref_id)
    live = live_points(inputs)
    points = workable(inputs, live) or (live if turn.worker.expert else ())
    if not points:
        return None
    chosen = target(points, inputs.radius)
    return Plan((Item("cell", found.ref_id, found.id),), Target(chosen.id, chosen.x, chosen.y))


def _keep(turn: Turn, filed: Filed, mask: Rle, by_expert: bool) -> None:
    cell_id = filed.plan.items[0].ref
    assert filed.plan.target is not None
    x, y, width, height = (float(value) for value in masks.boxes([mask])[0])
    made = turn.connection.execute(
        insert(segmentation).returning(segmentation.c.id),
        {
            "cell_id": cell_id,
            "instance_id": _instance(turn.connection, cell_id, filed.plan.target.point),
            "answer_id": filed.answer_id,
            "parts_json": msgspec.json.encode(filed.body.parts).decode(),
            "rle": str(mask.counts),
            "area": int(masks.area([mask])[0]),
            "x": x,
            "y": y,
            "w": width,
            "h": height,
            "by_expert": by_expert,
        },
    ).scalar_one()
    cells.cover(turn.connection, turn.campaign, {made: mask}, cells.every_point(turn.connection, cell_id))
    if not by_expert:
        _, category = read_cell(turn.connection, cell_id)
        units.create(
            turn.connection,
            "verification",
            "segmentation",
            [made],
            turn.campaign.config.verification.votes,
            turn.now,
            category_id=category.id,
            author_id=turn.worker.id,
        )
    verdicts.settle(turn.connection, turn.campaign, "segmentation", made, turn.now)
    verdicts.settle_instance(turn.connection, made)


def _claim(turn: Turn, filed: Filed, by_expert: bool) -> None:
    item, kind = filed.plan.items[0], filed.body.kind
    assert filed.plan.target is not None
    inputs = cells.gather(turn.connection, turn.campaign, item.ref)
    live = live_points(inputs)
    aim = filed.plan.target
    at_target = [point for point in live if point.id == aim.point]
    if kind in ("no_such_object", "all_done"):
        closed = tuple(point.id for point in live)
    elif at_target:
        closed = neighbours(live, at_target[0], inputs.radius / 2)
    else:
        closed = (aim.point,)
    turn.connection.execute(
        insert(claim),
        {
            "cell_id": item.ref,
            "unit_id": item.unit,
            "answer_id": filed.answer_id,
            "kind": kind,
            "points_json": msgspec.json.encode(closed).decode(),
            "by_expert": by_expert,
        },
    )
    same = [
        row for row in cells.gather(turn.connection, turn.campaign, item.ref).claims if row.unit == item.unit
    ]
    if closed_points(same, inputs.confirmations):
        units.decide(turn.connection, item.unit)
    else:
        units.ask_another(turn.connection, item.unit)


def _instance(connection: Connection, cell_id: int, point_id: int) -> int:
    """The instance seeded by a point, made with its first mask."""
    known = connection.execute(select(instance.c.id).where(instance.c.point_id == point_id)).scalar()
    if known is not None:
        return int(known)
    made: int = connection.execute(
        insert(instance).returning(instance.c.id), {"cell_id": cell_id, "point_id": point_id}
    ).scalar_one()
    return made


def _by_lot(turn: Turn, category_ids: set[int]) -> list[int]:
    """Categories in an order of the worker's own, so that workers spread."""
    ids = sorted(category_ids)
    return [ids[index] for index in turn.campaign.lot("categories", turn.worker.id).permutation(len(ids))]


WORK = StageWork(offer, task, judge, accept)
