"""The categories of a campaign: adding some, also while it runs; retiring one, and taking it up again.

Nothing is deleted. What was said of a retired category (icons, crosses, masks, votes) stays in the database:
its cells are withdrawn, its work is called off, the export leaves it out. Taken up again, its cells go on
where they were.

Source: section 2.3 of the thesis (91 categories, of which 11 were not drawn at first).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, func, insert, literal, select, true, update

from amidst.crowd import questions, unsettled
from amidst.crowd.bodies import Wire
from amidst.crowd.context import read_campaign, read_panels
from amidst.crowd.schema import campaign, category, supercategory
from amidst.crowd.schema_chain import cell, crowd_region, segmentation
from amidst.crowd.vocabulary import icon_of, icons
from amidst.errors import DataError, UnknownRecord, UsageError


class NewCategory(Wire, frozen=True):
    """A category to add. id: as in the COCO file, 1 or more, never changed.

    icon: one of `vocabulary.icons`, "" for the one of COCO's category of this name, if there is one.
    """

    id: int
    name: str
    supercategory: str
    icon: str = ""
    definition: str = ""


class CategoryRecord(Wire, frozen=True):
    """A category. state: active | retired. cells: images in which it was seen; masks: accepted ones."""

    id: int
    name: str
    supercategory: str
    state: str
    cells: int
    masks: int


def add(connection: Connection, categories: Sequence[NewCategory], now: int) -> int:
    """Adds categories; images whose labelling has begun are asked about them: how many.

    Raises DataError for an id below 1, an id or name that is taken, an unknown icon.
    """
    known_ids = {row[0] for row in connection.execute(select(category.c.id))}
    states = {row[0]: row[1] for row in connection.execute(select(category.c.name, category.c.state))}
    supers = {row[1]: row[0] for row in connection.execute(select(supercategory.c.id, supercategory.c.name))}
    for new in categories:
        _check(new, known_ids, states)
        known_ids.add(new.id)
        states[new.name] = "active"
        if new.supercategory not in supers:
            supers[new.supercategory] = connection.execute(
                insert(supercategory).returning(supercategory.c.id),
                {"name": new.supercategory, "ordinal": len(supers)},
            ).scalar_one()
        row = {
            "id": new.id,
            "name": new.name,
            "supercategory_id": supers[new.supercategory],
            "icon": new.icon or icon_of(new.name),
            "definition": new.definition,
        }
        connection.execute(insert(category), row)
    _renew_catalogue(connection)
    if not categories:
        return 0
    workers = read_campaign(connection).config.labelling.workers
    return questions.ask_again(connection, [new.id for new in categories], workers, now)


def retire(connection: Connection, category_id: int, now: int) -> None:
    """Takes a category out of the panels and calls off its work; what was said of it stays.

    Raises UnknownRecord, UsageError where it is retired already or the last one that is active.
    """
    name, state = _read(connection, category_id)
    if state == "retired":
        raise UsageError(f"category {name!r} is retired already")
    active = select(func.count()).where(category.c.state == "active")
    if connection.execute(active).scalar_one() == 1:
        raise UsageError(f"category {name!r} is the last one: without it there is nothing to label")
    _change(connection, category_id, "retired", now)


def restore(connection: Connection, category_id: int, now: int) -> int:
    """Takes a retired category up again; images that somebody has labelled without it meanwhile are asked
    about it: how many. Raises UnknownRecord, UsageError where it is not retired.
    """
    name, state = _read(connection, category_id)
    if state != "retired":
        raise UsageError(f"category {name!r} is not retired")
    since = connection.execute(select(category.c.changed_at).where(category.c.id == category_id)).scalar_one()
    _change(connection, category_id, "active", now)
    workers = read_campaign(connection).config.labelling.workers
    return questions.ask_again(connection, [category_id], workers, now, since=since)


def every(connection: Connection) -> list[CategoryRecord]:
    """All categories, in order of id."""
    seen = select(func.count()).where(cell.c.category_id == category.c.id).scalar_subquery()
    drawn = (
        select(func.count())
        .select_from(segmentation.join(cell, cell.c.id == segmentation.c.cell_id))
        .where(cell.c.category_id == category.c.id, segmentation.c.state == "accepted")
        .scalar_subquery()
    )
    rows = connection.execute(
        select(category.c.id, category.c.name, supercategory.c.name, category.c.state, seen, drawn)
        .join(supercategory, supercategory.c.id == category.c.supercategory_id)
        .order_by(category.c.id)
    )
    return [
        CategoryRecord(id=row[0], name=row[1], supercategory=row[2], state=row[3], cells=row[4], masks=row[5])
        for row in rows
    ]


def _check(new: NewCategory, known_ids: set[int], states: dict[str, str]) -> None:
    record = f"category {new.id}"
    if not 1 <= new.id < 2**63:
        raise DataError("the id of a category is 1 or more", record=record, rule="category-id")
    if states.get(new.name) == "retired":
        raise DataError(
            f"{new.name!r} is retired; take it up again instead of adding it (retire-category --undo)",
            record=record,
            rule="category-retired",
        )
    if new.id in known_ids or new.name in states:
        raise DataError(f"the id or the name {new.name!r} is taken", record=record, rule="duplicate-id")
    if not new.name.strip():
        raise DataError("the name is empty", record=record, rule="category-name")
    if new.icon and new.icon not in icons():
        raise DataError(f"there is no icon {new.icon!r}", record=record, rule="category-icon")


def _read(connection: Connection, category_id: int) -> tuple[str, str]:
    """Name and state, locked. Raises UnknownRecord."""
    row = connection.execute(
        select(category.c.name, category.c.state).where(category.c.id == category_id).with_for_update()
    ).first()
    if row is None:
        raise UnknownRecord(f"there is no category {category_id}")
    return row[0], row[1]


def _change(connection: Connection, category_id: int, state: str, now: int) -> None:
    """Sets the state, panels and questions; verdicts and cells that depend on it are settled afterwards."""
    connection.execute(
        update(category).where(category.c.id == category_id).values(state=state, changed_at=now)
    )
    _renew_catalogue(connection)
    questions.settle_empty(connection)
    for table in (segmentation, crowd_region):
        unsettled.enlist(
            connection,
            select(literal("verification"), literal(table.name), table.c.id)
            .join(cell, cell.c.id == table.c.cell_id)
            .where(cell.c.category_id == category_id, table.c.state.in_(("pending", "withdrawn")))
            .order_by(table.c.id),
        )
    own = (cell.c.category_id == category_id) & (
        cell.c.state != "withdrawn" if state == "retired" else true()
    )
    cells = select(literal("segmentation"), literal("cell"), cell.c.id).where(own).order_by(cell.c.id)
    unsettled.enlist(connection, cells)


def _renew_catalogue(connection: Connection) -> None:
    panels = msgspec.json.encode(read_panels(connection)).decode()
    connection.execute(update(campaign).values(catalogue_json=panels))
