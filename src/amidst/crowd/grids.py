"""Grids with known items hidden among the others, and the gate that they make.

A grid holds items to judge, known bad and known good ones, and items that were decided before and only fill
it up; their places are drawn by lot and nothing tells them apart. Known items that a worker has seen least
come first, for one that came again and again would be known to him too. A worker has to mark enough of the
known bad ones, and not more than a share of the known good ones, nor of all that are not known to be bad.

Source: section 2.4.3 of the thesis (4 known bad of 64, 3 to be found); known good ones are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from sqlalchemy import Connection, bindparam, select

from amidst.crowd.config import Stage
from amidst.crowd.plans import Item, Judgement, Plan, Turn
from amidst.crowd.schema import gold, ticket

REMEMBERED = 50  # tickets back to which known items count as seen

_PLAN = msgspec.json.Decoder(Plan)
_LAST = (
    select(ticket.c.plan_json)
    .where(ticket.c.worker_id == bindparam("worker"), ticket.c.stage == bindparam("at"))
    .order_by(ticket.c.id.desc())
    .limit(REMEMBERED)
)


@dataclass(frozen=True, slots=True)
class Known:
    """A known item. image_id: one image should not come twice. mask_id: of the drawn mask it was made of, or
    0.
    """

    id: int
    image_id: int
    mask_id: int = 0


def seen_lately(turn: Turn, stage: Stage) -> Counter[int]:
    """How often the worker was shown each known item in his last tickets of a stage, however they ended."""
    plans = turn.connection.execute(_LAST, {"worker": turn.worker.id, "at": stage}).scalars()
    return Counter(item.gold for plan in plans for item in _PLAN.decode(plan).items if item.gold)


def draw(
    turn: Turn,
    kind: str,
    number: int,
    lot: np.random.Generator,
    category_id: int | None = None,
    *,
    seen: Mapping[int, int],
    beside: Sequence[Known] = (),
) -> list[Known]:
    """Known items of a kind, least seen first, then by lot, of images that differ from each other and from
    those `beside` where there is a choice; fewer if there are no more.
    """
    query = select(gold.c.id, gold.c.image_id, gold.c.source).where(
        gold.c.kind == kind, gold.c.state == "active"
    )
    if category_id is not None:
        query = query.where(gold.c.category_id == category_id)
    elif kind in ("known_bad", "known_good"):
        query = query.where(gold.c.category_id.in_(sorted(turn.campaign.categories)))
    found = turn.connection.execute(query.order_by(gold.c.id))
    rows = [Known(row[0], row[1], mask_of(row[2])) for row in found]
    shuffled = [rows[index] for index in lot.permutation(len(rows))]
    waiting = sorted(shuffled, key=lambda known: seen.get(known.id, 0))
    images = {known.image_id for known in beside}
    drawn: list[Known] = []
    while waiting and len(drawn) < number:
        least = seen.get(waiting[0].id, 0)
        as_new = (known for known in waiting if seen.get(known.id, 0) == least)
        chosen = next((known for known in as_new if known.image_id not in images), waiting[0])
        waiting.remove(chosen)
        images.add(chosen.image_id)
        drawn.append(chosen)
    return drawn


def mask_of(source: str) -> int:
    """The drawn mask that a known item was made of; 0 for one of elsewhere."""
    kind, _, number = source.partition("/")
    return int(number) if kind == "segmentation" and number.isdecimal() else 0


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
