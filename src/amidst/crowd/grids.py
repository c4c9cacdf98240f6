"""Grids with known items hidden among the others, and the gate that they make.

A grid holds items to judge, known bad and known good ones, and items that were decided before and only fill
it up; their places are drawn by lot and nothing tells them apart. A worker has to mark enough of the known
bad ones, and not more than a share of the known good ones, nor of all that are not known to be bad.

Source: section 2.4.3 of the thesis (4 known bad of 64, 3 to be found); known good ones are ours.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select

from amidst.crowd.plans import Item, Judgement, Plan
from amidst.crowd.schema import gold


@dataclass(frozen=True, slots=True)
class Known:
    """A known item. image_id: one image should not come twice."""

    id: int
    image_id: int


def draw(
    connection: Connection,
    kind: str,
    number: int,
    lot: np.random.Generator,
    category_id: int | None = None,
    *,
    beside: Sequence[Known] = (),
) -> list[Known]:
    """Known items of a kind, by lot, of images that differ from each other and from those `beside`, as far
    as there are; fewer if there are no more.
    """
    query = select(gold.c.id, gold.c.image_id).where(gold.c.kind == kind, gold.c.state == "active")
    if category_id is not None:
        query = query.where(gold.c.category_id == category_id)
    rows = [Known(*row) for row in connection.execute(query.order_by(gold.c.id))]
    shuffled = [rows[index] for index in lot.permutation(len(rows))]
    seen = {known.image_id for known in beside}
    first: list[Known] = []
    second: list[Known] = []
    for known in shuffled:
        (second if known.image_id in seen else first).append(known)
        seen.add(known.image_id)
    return (first + second)[:number]


def mix(
    judged: Sequence[Item], known: Sequence[Known], fillers: Sequence[Item], lot: np.random.Generator
) -> Plan:
    """All of them in an order drawn by lot."""
    items = [*judged, *(Item("gold", one.id, gold=one.id) for one in known), *fillers]
    return Plan(tuple(items[index] for index in lot.permutation(len(items))))


def gate(
    connection: Connection,
    plan: Plan,
    marked: Collection[int],
    bad_kind: str,
    must_find: int,
    max_marked: float,
) -> Judgement:
    """Whether the marks (positions) meet the gate, and how each known item was taken."""
    known = [item.gold for item in plan.items if item.gold]
    rows = connection.execute(select(gold.c.id, gold.c.kind).where(gold.c.id.in_(known)))
    kinds = {row[0]: row[1] for row in rows}
    results, found, false_marks, good, marked_others = [], 0, 0, 0, 0
    for place, item in enumerate(plan.items):
        bad, mark = kinds.get(item.gold) == bad_kind, place in marked
        marked_others += mark and not bad
        if item.gold:
            results.append((item.gold, bad == mark))
            found += bad and mark
            good += not bad
            false_marks += mark and not bad
    known_bad = len(results) - good
    passed = (
        found >= min(must_find, known_bad)
        and false_marks <= max_marked * good
        and marked_others <= max_marked * (len(plan.items) - known_bad)
    )
    return Judgement(status="accepted" if passed else "look_again", golds=tuple(results))
