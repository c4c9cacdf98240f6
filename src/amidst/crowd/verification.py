"""Verification: grids of masks in which the poor ones are marked.

One category per grid where it has known masks enough. Nobody judges a mask of their own, or one mask twice.
Masks that were decided before fill small grids; what is said of them does not count.

Source: section 2.4.3 of the thesis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Select, Table, bindparam, insert, select

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd import free_units, grids, verdicts
from amidst.crowd.bodies import CategoryRef, GridMask, ImageRef, VerificationBody, VerificationTask
from amidst.crowd.free_units import Free
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.schema import answer, category, gold, image
from amidst.crowd.schema_chain import cell, crowd_region, mask_vote, segmentation
from amidst.crowd.spoiling import nudged
from amidst.crowd.validation import check_positions

RECENT = 500  # masks among which fillers are drawn


def offer(turn: Turn) -> Offer | NoWork:
    """A grid of masks that wait, of one category or, lacking known masks, of several."""
    config = turn.campaign.config.verification
    first = free_units.find(turn.connection, turn.worker, "verification", 1)
    if not first:
        return NoWork(reason="nothing_open")
    lot = turn.campaign.lot("grid", turn.worker.id, first[0].id, turn.now)
    seen = grids.seen_lately(turn, "verification")
    places = config.grid - config.known_bad - config.known_good
    for category_id in (first[0].category_id, None):
        bad = grids.draw(turn, "known_bad", config.known_bad, lot, category_id, seen=seen)
        good = grids.draw(turn, "known_good", config.known_good, lot, category_id, seen=seen, beside=bad)
        if len(bad) < config.known_bad or len(good) < config.known_good:
            continue
        found = {first[0].id: first[0]}
        for one in free_units.find(
            turn.connection, turn.worker, "verification", places - 1, category_id=category_id
        ):
            found.setdefault(one.id, one)
        waiting, shown = _once(turn, list(found.values())[:places], [*bad, *good])
        if waiting:
            break
    else:
        return NoWork(reason="no_gold")
    if len(waiting) < min(config.min_items, places) and not _is_due(turn, waiting, category_id):
        return NoWork(reason="nothing_open")
    judged = [Item(one.ref_kind, one.ref_id, one.id) for one in waiting]
    fillers = _fillers(turn, places - len(judged), category_id, shown)
    picked = [fillers[index] for index in lot.permutation(len(fillers))[: places - len(judged)]]
    return Offer("verification", grids.mix(judged, [*bad, *good], picked, lot))


def task(turn: Turn, plan: Plan) -> VerificationTask:
    """The masks, all in the same form whatever they are."""
    shown: dict[tuple[str, int], GridMask] = {}
    lot = turn.campaign.lot("shown", *(item.ref for item in plan.items))
    for kind in {item.kind for item in plan.items}:
        refs = [item.ref for item in plan.items if item.kind == kind]
        shown |= {(kind, ref): mask for ref, mask in _read(turn, kind, refs, lot).items()}
    return VerificationTask(items=tuple(shown[item.kind, item.ref] for item in plan.items))


def judge(turn: Turn, plan: Plan, body: VerificationBody) -> Judgement:
    """Whether the gate is met. Raises AnswerError."""
    check_positions(body.bad, len(plan.items))
    config = turn.campaign.config.verification
    return grids.gate(turn.connection, plan, set(body.bad), "known_bad", config.must_find, config.max_marked)


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the votes and judges the masks anew."""
    marked = set(filed.body.bad)
    votes = [
        (item, place not in marked) for place, item in enumerate(filed.plan.items) if item.unit in filed.units
    ]
    turn.connection.execute(
        insert(mask_vote),
        [{"unit_id": item.unit, "answer_id": filed.answer_id, "good": good} for item, good in votes],
    )
    subjects = [(item.kind, item.ref) for item, _ in votes]
    verdicts.settle_all(turn.connection, turn.campaign, subjects, turn.now)


def _is_due(turn: Turn, waiting: list[Free], category_id: int | None) -> bool:
    """Whether a small grid is better than none: a mask has waited long, or no more are to be drawn."""
    patience = round(1e6 * turn.campaign.config.verification.patience_s)
    if min(one.created_at for one in waiting) <= turn.now - patience:
        return True
    return not free_units.is_open(turn.connection, "segmentation", category_id)


def _once(turn: Turn, found: list[Free], known: list[grids.Known]) -> tuple[list[Free], set[int]]:
    """Those to judge of whose instance no other mask stands in the grid; all instances that stand there."""
    masks_found = [one.ref_id for one in found if one.ref_kind == "segmentation"]
    ids = [*masks_found, *(one.mask_id for one in known if one.mask_id)]
    rows = turn.connection.execute(_INSTANCE, {"refs": ids})
    of = {row[0]: row[1] for row in rows}
    shown = {of[one.mask_id] for one in known if one.mask_id in of}
    left = []
    for one in found:
        if one.ref_kind == "segmentation":
            if of[one.ref_id] in shown:
                continue
            shown.add(of[one.ref_id])
        left.append(one)
    return left, shown


def _fillers(turn: Turn, number: int, category_id: int | None, shown: set[int]) -> list[Item]:
    """Masks decided lately, of other authors: one of an instance, none of those shown, none that is known."""
    if number <= 0:
        return []
    by_category, values = category_id is not None, {"worker": turn.worker.id, "category": category_id}
    sources = turn.connection.execute(_SOURCES[by_category], values).scalars()
    known = {grids.mask_of(source) for source in sources}
    rows = turn.connection.execute(_DECIDED[by_category], values).all()
    taken = shown | {row[1] for row in rows if row[0] in known}
    of = {row[1]: row[0] for row in rows if row[1] not in taken}
    return [Item("segmentation", mask_id) for mask_id in sorted(of.values())]


def _read(turn: Turn, kind: str, refs: list[int], lot: np.random.Generator) -> dict[int, GridMask]:
    rows = turn.connection.execute(_SHOWN[kind], {"refs": refs}).all()
    rles = [Rle((row.height, row.width), row.rle) for row in rows]
    if kind == "gold":  # the same pixels in two tickets would tell that a mask is known
        rles = [nudged(rle, lot) for rle in rles]
    boxes = masks.boxes(rles)
    side = turn.campaign.config.verification.crop
    return {
        row.id: GridMask(
            image=ImageRef(id=row.image_id, width=row.width, height=row.height),
            category=CategoryRef(id=row.category_id, name=row.name, icon=row.icon),
            crop_xywh=crop(tuple(box), row.width, row.height, side),
            mask=rle,
            region=kind == "crowd_region",
        )
        for row, rle, box in zip(rows, rles, boxes, strict=True)
    }


def crop(
    box_xywh: tuple[float, ...], width: int, height: int, side: float
) -> tuple[float, float, float, float]:
    """The part of the image around a box, `side` times as large, within the image."""
    x, y, w, h = (float(value) for value in box_xywh)
    left, top = max(0.0, x - w * (side - 1) / 2), max(0.0, y - h * (side - 1) / 2)
    right = min(float(width), x + w * (side + 1) / 2)
    bottom = min(float(height), y + h * (side + 1) / 2)
    return round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2)


def _decided(of_category: bool) -> Select[Any]:
    recent = (
        select(
            segmentation.c.id,
            segmentation.c.instance_id,
            segmentation.c.cell_id,
            segmentation.c.answer_id,
            segmentation.c.state,
        )
        .order_by(segmentation.c.id.desc())
        .limit(RECENT)
        .subquery("recent")
    )
    query = (
        select(recent.c.id, recent.c.instance_id)
        .join(cell, cell.c.id == recent.c.cell_id)
        .join(category, category.c.id == cell.c.category_id)
        .join(answer, answer.c.id == recent.c.answer_id)
        .where(category.c.state == "active")
        .where(recent.c.state.in_(("accepted", "discarded")), answer.c.worker_id != bindparam("worker"))
        .order_by(recent.c.id)
    )
    return query.where(cell.c.category_id == bindparam("category")) if of_category else query


def _sources(of_category: bool) -> Select[Any]:
    """Of what the known masks of grids were made, by the index of kind and category."""
    query = select(gold.c.source).where(
        gold.c.kind.in_(("known_good", "known_bad")), gold.c.state == "active", gold.c.source != ""
    )
    return query.where(gold.c.category_id == bindparam("category")) if of_category else query


def _shown(table: Table) -> Select[Any]:
    columns = (
        table.c.id,
        table.c.rle,
        image.c.id.label("image_id"),
        image.c.width,
        image.c.height,
        category.c.id.label("category_id"),
        category.c.name,
        category.c.icon,
    )
    place = table if table is gold else cell  # which image and category a mask belongs to
    joined = table if table is gold else table.join(cell, cell.c.id == table.c.cell_id)
    return (
        select(*columns)
        .select_from(joined)
        .join(image, image.c.id == place.c.image_id)
        .join(category, category.c.id == place.c.category_id)
        .where(table.c.id.in_(bindparam("refs", expanding=True)))
        .order_by(table.c.id)
    )


# Statements are made once: SQLAlchemy takes longer to put one together than SQLite to answer it.
_DECIDED = {of_category: _decided(of_category) for of_category in (False, True)}
_SOURCES = {of_category: _sources(of_category) for of_category in (False, True)}
_INSTANCE = select(segmentation.c.id, segmentation.c.instance_id).where(
    segmentation.c.id.in_(bindparam("refs", expanding=True))
)
_SHOWN = {table.name: _shown(table) for table in (segmentation, crowd_region, gold)}

WORK = StageWork(offer, task, judge, accept)
