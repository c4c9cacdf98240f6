"""Work that waits for known items: grids that cannot be made, categories that nobody can be trained in.

Counts open units by stage: not for a hot path.
"""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Connection, false, func, select

from amidst.crowd.bodies import Wire
from amidst.crowd.context import read_campaign
from amidst.crowd.schema import category, gold, unit

NAMED = 5
REMEDY = (
    "import some (amidst crowd add DIR --known COCO.json), or let an expert draw, whose masks need no "
    "verdict, and make those known on the page Known items"
)


class Lack(Wire, frozen=True):
    """What a stage waits for. waiting: its open units. text: a sentence with what to do."""

    stage: str
    waiting: int
    text: str


def lacking(connection: Connection) -> tuple[Lack, ...]:
    """The stages in which workers get nothing, or less than there is, for want of known items."""
    config = read_campaign(connection).config
    waiting = _counts(connection, unit.c.stage, unit.c.state == "open")
    retired = select(category.c.id).where(category.c.state == "retired")
    usable = gold.c.category_id.is_(None) | gold.c.category_id.not_in(retired)
    known = _counts(connection, gold.c.kind, (gold.c.state == "active") & usable)
    found: list[Lack] = []
    if waiting.get("image_filter"):
        needed = {"iconic": config.image_filter.known_iconic, "not_iconic": config.image_filter.known_good}
        remedy = "choose some on the page Known items"
        found += _grid("image_filter", waiting, needed, known, ("images", "iconic", "good"), remedy)
    if waiting.get("segmentation") and config.segmentation.require_training:
        found += _untrained(connection)
    if waiting.get("verification"):
        needed = {"known_bad": config.verification.known_bad, "known_good": config.verification.known_good}
        found += _grid("verification", waiting, needed, known, ("masks", "poor", "good"), REMEDY)
    return tuple(found)


def _counts(connection: Connection, column: Column[str], wanted: ColumnElement[bool]) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).where(wanted).group_by(column))
    return {row[0]: row[1] for row in rows}


def _grid(
    stage: str,
    waiting: dict[str, int],
    needed: dict[str, int],
    known: dict[str, int],
    names: tuple[str, str, str],
    remedy: str,
) -> list[Lack]:
    """Of a stage of grids. names: what it shows, and what known ones of the kinds of `needed` are called."""
    if all(known.get(kind, 0) >= number for kind, number in needed.items()):
        return []
    what, *kinds = names
    asked = " and ".join(
        f"{number} known {name}" for number, name in zip(needed.values(), kinds, strict=True)
    )
    there = " and ".join(str(known.get(kind, 0)) for kind in needed)
    text = (
        f"{waiting[stage]:,} {what} wait, and a grid of {stage.replace('_', ' ')} needs {asked} {what}; "
        f"there are {there}: {remedy}"
    )
    return [Lack(stage=stage, waiting=waiting[stage], text=text)]


def _untrained(connection: Connection) -> list[Lack]:
    """Categories with objects to draw and no known mask to train on."""
    known = select(gold.c.category_id).where(gold.c.kind == "training", gold.c.state == "active")
    rows = connection.execute(
        select(category.c.name, func.count())
        .join(unit, unit.c.category_id == category.c.id)
        .where(unit.c.stage == "segmentation", unit.c.state == "open", unit.c.expert_only == false())
        .where(category.c.id.not_in(known))
        .group_by(category.c.id, category.c.name)
        .order_by(func.count().desc(), category.c.id)
    ).all()
    if not rows:
        return []
    total = sum(row[1] for row in rows)
    more = f" and {len(rows) - NAMED} more kinds" if len(rows) > NAMED else ""
    names = ", ".join(row[0] for row in rows[:NAMED]) + more
    text = f"{names}: objects wait to be drawn, and there is no known mask to train workers on: {REMEDY}"
    return [Lack(stage="segmentation", waiting=total, text=text)]
