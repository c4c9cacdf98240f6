"""Verdicts on masks and crowd regions from their votes, and what follows for instance and cell."""

from __future__ import annotations

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, func, select, update

from amidst.crowd import cells, units
from amidst.crowd.context import Campaign
from amidst.crowd.decisions import record
from amidst.crowd.rules import (
    MASK_VERDICT,
    REGION_VERDICT,
    Inputs,
    Outcome,
    RegionInputs,
    Rule,
    VerdictInputs,
    VerdictOutcome,
)
from amidst.crowd.schema import answer, category, slot, unit
from amidst.crowd.schema_chain import cell, crowd_region, instance, mask_vote, segmentation


def settle(connection: Connection, campaign: Campaign, kind: str, ref_id: int, now: int) -> int | None:
    """Judges a segmentation or crowd region; its cell if the verdict is another than before.

    kind: "segmentation" or "crowd_region". The caller settles the cells, in order of id.
    """
    table = _TABLES[kind]
    cell_id: int = connection.execute(_LOCKED[kind], {"ref": ref_id}).scalar_one()
    rule, inputs = gather(connection, campaign, kind, ref_id)
    outcome, changed = record(
        connection, rule, f"{kind}/{ref_id}", inputs, now, initial=untouched(rule, inputs)
    )
    if not changed:
        return None
    assert isinstance(outcome, VerdictOutcome)
    connection.execute(update(table).where(table.c.id == ref_id).values(state=outcome.state))
    unit_id = connection.execute(_UNIT, {"kind": kind, "ref": ref_id}).scalar()
    if unit_id is not None:
        state = {"pending": "open", "withdrawn": "cancelled"}.get(outcome.state, "decided")
        units.settle(connection, unit_id, state, outcome.needed)
    if kind == "segmentation":
        settle_instance(connection, ref_id)
    return cell_id


def settle_all(connection: Connection, campaign: Campaign, subjects: list[tuple[str, int]], now: int) -> None:
    """Judges masks and regions, then settles the cells that this changes."""
    changed = {settle(connection, campaign, kind, ref_id, now) for kind, ref_id in sorted(subjects)}
    for cell_id in sorted(changed - {None}, key=int):  # type: ignore[arg-type]
        cells.settle(connection, campaign, int(cell_id), now)  # type: ignore[arg-type]


def gather(connection: Connection, campaign: Campaign, kind: str, ref_id: int) -> tuple[Rule, Inputs]:
    """The rule of a mask or region, and its inputs from the votes that count."""
    votes = tuple(connection.execute(_VOTES, {"kind": kind, "ref": ref_id}).scalars())
    row = connection.execute(_JUDGED[kind], {"ref": ref_id}).one()
    config = campaign.config.verification
    if kind == "segmentation":
        return MASK_VERDICT, VerdictInputs(
            votes=votes,
            first=config.votes,
            more=config.more_votes,
            good_needed=config.good_votes,
            early_stop=config.early_stop,
            by_expert=row[0],
            counts=bool(row[2]),
            retired=bool(row[3]),
        )
    return REGION_VERDICT, RegionInputs(
        votes=votes,
        total=campaign.config.crowd_regions.votes,
        good_needed=campaign.config.crowd_regions.good_votes,
        early_stop=config.early_stop,
        by_expert=row[0],
        empty=bool(row[1]),
        counts=bool(row[2]),
        retired=bool(row[3]),
    )


def untouched(rule: Rule, inputs: Inputs) -> Outcome:
    """The verdict before any vote, which is not written down."""
    plain = msgspec.structs.replace(inputs, votes=(), counts=True, by_expert=False, retired=False)
    before: Outcome = rule.decide(plain)
    return before


def settle_instance(connection: Connection, segmentation_id: int) -> None:
    """The instance's state and attempts, from its masks."""
    instance_id = connection.execute(
        select(segmentation.c.instance_id).where(segmentation.c.id == segmentation_id)
    ).scalar_one()
    states = [
        row[0]
        for row in connection.execute(
            select(segmentation.c.state).where(segmentation.c.instance_id == instance_id)
        )
    ]
    state = next((name for name in ("accepted", "pending") if name in states), "pool")
    connection.execute(
        update(instance)
        .where(instance.c.id == instance_id)
        .values(state=state, attempt=states.count("discarded"))
    )


# Statements are made once: SQLAlchemy takes longer to put one together than SQLite to answer it.
_TABLES = {"segmentation": segmentation, "crowd_region": crowd_region}
_KIND: BindParameter[str] = bindparam("kind")
_REF: BindParameter[int] = bindparam("ref")
_UNIT = select(func.max(unit.c.id)).where(
    unit.c.stage == "verification", unit.c.ref_kind == _KIND, unit.c.ref_id == _REF
)
_LOCKED = {
    kind: select(table.c.cell_id).where(table.c.id == _REF).with_for_update()
    for kind, table in _TABLES.items()
}
_VOTES = (
    select(mask_vote.c.good)
    .join(unit, unit.c.id == mask_vote.c.unit_id)
    .join(slot, (slot.c.answer_id == mask_vote.c.answer_id) & (slot.c.unit_id == unit.c.id))
    .where(unit.c.ref_kind == _KIND, unit.c.ref_id == _REF, slot.c.state == "submitted")
    .order_by(mask_vote.c.id)
)
_JUDGED = {
    kind: select(
        table.c.by_expert, table.c.rle.is_(None), answer.c.voided_by.is_(None), category.c.state == "retired"
    )
    .join(answer, answer.c.id == table.c.answer_id)
    .join(cell, cell.c.id == table.c.cell_id)
    .join(category, category.c.id == cell.c.category_id)
    .where(table.c.id == _REF)
    for kind, table in _TABLES.items()
}
