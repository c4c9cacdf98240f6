"""Image filter: grids of candidate images in which iconic and invalid ones are marked for removal.

Source: section 2.3 and appendix A of the thesis (grids of 128); redundancy and known images are ours.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from amidst.crowd import campaigns, free_units, grids, questions, units
from amidst.crowd.bodies import FilterBody, FilterTask
from amidst.crowd.context import Campaign, read_images
from amidst.crowd.decisions import record
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.rules import IMAGE_KEPT, FilterInputs, FilterOutcome, filter_image
from amidst.crowd.schema import gold, image, slot, unit
from amidst.crowd.schema_chain import filter_vote
from amidst.crowd.validation import check_positions


def offer(turn: Turn) -> Offer | NoWork:
    """A grid of candidates with known images among them."""
    config = turn.campaign.config.image_filter
    places = config.grid - config.known_iconic - config.known_good
    found = free_units.find(turn.connection, turn.worker, "image_filter", places)
    if not found:
        return NoWork(reason="nothing_open")
    lot = turn.campaign.lot("filter", turn.worker.id, found[0].id, turn.now)
    seen = grids.seen_lately(turn, "image_filter")
    bad = grids.draw(turn, "iconic", config.known_iconic, lot, seen=seen)
    good = grids.draw(turn, "not_iconic", config.known_good, lot, seen=seen, beside=bad)
    if len(bad) < config.known_iconic or len(good) < config.known_good:
        return NoWork(reason="no_gold")
    drawn = {one.image_id for one in (*bad, *good)}  # made known while it had an open unit
    judged = [Item("image", one.ref_id, one.id) for one in found if one.ref_id not in drawn]
    if not judged:
        return NoWork(reason="nothing_open")
    return Offer("image_filter", grids.mix(judged, [*bad, *good], [], lot))


def task(turn: Turn, plan: Plan) -> FilterTask:
    """The images of the grid."""
    golds = [item.ref for item in plan.items if item.kind == "gold"]
    rows = turn.connection.execute(select(gold.c.id, gold.c.image_id).where(gold.c.id.in_(golds)))
    image_of = {row[0]: row[1] for row in rows}
    ids = [image_of[item.ref] if item.kind == "gold" else item.ref for item in plan.items]
    shown = read_images(turn.connection, ids)
    return FilterTask(items=tuple(shown[image_id] for image_id in ids))


def judge(turn: Turn, plan: Plan, body: FilterBody) -> Judgement:
    """Whether the gate is met. Raises AnswerError."""
    marked = [removal.item for removal in body.removed]
    check_positions(marked, len(plan.items))
    config = turn.campaign.config.image_filter
    return grids.gate(turn.connection, plan, set(marked), "iconic", config.must_find, config.max_marked)


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the votes; images that are decided leave the filter."""
    reasons = {removal.item: removal.reason for removal in filed.body.removed}
    votes = [
        {"image_id": item.ref, "answer_id": filed.answer_id, "reason": reasons.get(place, "")}
        for place, item in enumerate(filed.plan.items)
        if item.unit in filed.units
    ]
    turn.connection.execute(insert(filter_vote), votes)
    for image_id in sorted(int(str(vote["image_id"])) for vote in votes):
        settle(turn.connection, turn.campaign, image_id, turn.now)


def settle(connection: Connection, campaign: Campaign, image_id: int, now: int) -> None:
    """Keeps or removes an image, and opens the work on one that is kept."""
    inputs = gather(connection, campaign, image_id)
    untouched = filter_image(
        FilterInputs(reasons=(), workers=inputs.workers, remove_votes=inputs.remove_votes)
    )
    outcome, changed = record(connection, IMAGE_KEPT, f"image/{image_id}", inputs, now, initial=untouched)
    assert isinstance(outcome, FilterOutcome)
    if not changed:
        return
    connection.execute(update(image).where(image.c.id == image_id).values(state=outcome.state))
    state = "open" if outcome.state == "candidate" else "decided"
    own = (unit.c.ref_kind == "image") & (unit.c.ref_id == image_id)
    connection.execute(update(unit).where(own, unit.c.stage == "image_filter").values(state=state))
    later = unit.c.stage.in_(("labelling", "captions"))
    if outcome.state != "kept":
        connection.execute(update(unit).where(own, later, unit.c.state == "open").values(state="cancelled"))
    elif connection.execute(select(unit.c.id).where(own, later)).first() is None:
        campaigns.open_kept(connection, campaign, [image_id], now)
    else:
        connection.execute(update(unit).where(own, later, unit.c.state == "cancelled").values(state="open"))
        questions.settle_empty(connection)


def gather(connection: Connection, campaign: Campaign, image_id: int) -> FilterInputs:
    """The votes that count, and the last word of who vouched for the image."""
    rows = connection.execute(
        select(filter_vote.c.reason)
        .join(slot, slot.c.answer_id == filter_vote.c.answer_id)
        .join(unit, unit.c.id == slot.c.unit_id)
        .where(filter_vote.c.image_id == image_id, unit.c.ref_id == image_id)
        .where(unit.c.stage == "image_filter", slot.c.state == "submitted")
        .order_by(filter_vote.c.id)
    )
    config = campaign.config.image_filter
    workers = units.needed(connection, "image_filter", "image", image_id) or config.workers
    return FilterInputs(
        reasons=tuple(row[0] for row in rows),
        workers=workers,
        remove_votes=min(config.remove_votes, workers),  # of an image that fewer were asked about
        known=connection.execute(_KNOWN, {"image": image_id}).scalar() or "",
    )


# A retired one leaves the grids, but what was said of the image stays; the index leads by kind.
_KNOWN = (
    select(gold.c.kind)
    .where(gold.c.kind.in_(("iconic", "not_iconic")), gold.c.image_id == bindparam("image"))
    .order_by(gold.c.id.desc())
    .limit(1)
)


WORK = StageWork(offer, task, judge, accept)
