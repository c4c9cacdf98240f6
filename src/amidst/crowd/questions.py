"""Which categories an image is asked about in labelling, and asking again when categories are added.

Question 0 of an image asks about all active categories that no other question of the image asks about. An
image whose labelling has begun when categories come gets a question of its own about them, with a unit of
its own: who has answered the first may answer it too. So every image is asked about every category by the
same number of people; nobody is asked twice about the same, unless it was retired for a while.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, case, exists, insert, literal, select, update

from amidst.crowd.bodies import Panel
from amidst.crowd.context import CAMPAIGN, make_campaign, read_panels
from amidst.crowd.schema import campaign, category, image, question, slot, ticket, unit

_IDS = msgspec.json.Decoder(tuple[int, ...])
_OF_IMAGES = (unit.c.stage == "labelling") & (unit.c.ref_kind == "image")
_OF_IMAGE = select(unit.c.question).where(_OF_IMAGES, unit.c.ref_id == bindparam("image"))
_ASKED = CAMPAIGN.add_columns(question.c.id, question.c.categories_json).select_from(
    campaign.outerjoin(question, question.c.id.in_(_OF_IMAGE))
)


def asked(connection: Connection, image_id: int, question_id: int) -> tuple[int, ...]:
    """The active categories that a unit of labelling asks about. Its row is locked, so that what is read here
    is not older than what was asked of the image before.
    """
    rows = connection.execute(_ASKED, {"image": image_id}).all()
    own = {row.id: set(_IDS.decode(row.categories_json)) for row in rows if row.id is not None}
    elsewhere = set().union(*own.values())
    active = make_campaign(*rows[0][:4]).categories
    return tuple(one for one in active if (one in own[question_id] if question_id else one not in elsewhere))


def shown_panels(connection: Connection, panels: Sequence[Panel], ids: Sequence[int]) -> tuple[Panel, ...]:
    """The panels of these categories. panels: of all active ones, which hold them unless one is retired."""
    wanted = set(ids)
    found = _narrowed(panels, wanted)
    if sum(len(panel.categories) for panel in found) < len(wanted):
        found = _narrowed(read_panels(connection, retired=True), wanted)
    return found


def ask_again(
    connection: Connection, category_ids: Sequence[int], workers: int, now: int, *, since: int | None = None
) -> int:
    """Opens a question about categories for images whose labelling has begun; how many are asked.

    since: only for images that were shown to somebody at this time or later, while a category was retired.
    Images that have left the collection are asked when they come back.
    """
    # who leases one of these at this moment is waited for, and counts as having begun
    connection.execute(select(unit.c.id).where(_OF_IMAGES).with_for_update()).all()
    begun = select(unit.c.ref_id).join(slot, slot.c.unit_id == unit.c.id).where(_OF_IMAGES)
    if since is not None:
        begun = begun.join(ticket, ticket.c.id == slot.c.ticket_id).where(ticket.c.issued_at >= since)
    if connection.execute(begun.limit(1)).first() is None:
        return 0
    made = connection.execute(
        insert(question).returning(question.c.id),
        {"categories_json": msgspec.json.encode(sorted(category_ids)).decode(), "created_at": now},
    ).scalar_one()
    state = case((image.c.state == "kept", "open"), else_="cancelled")
    columns = {
        "stage": literal("labelling"),
        "ref_kind": literal("image"),
        "ref_id": image.c.id,
        "question": literal(made),
        "needed": literal(workers),
        "taken": literal(0),
        "done": literal(0),
        "state": state,
        "created_at": literal(now),
    }
    rows = select(*columns.values()).where(image.c.id.in_(begun)).order_by(image.c.id)
    return connection.execute(insert(unit).from_select(list(columns), rows)).rowcount


def settle_empty(connection: Connection) -> None:
    """Calls off questions whose categories are all retired, and takes up again those of which one is back."""
    gone = empty(connection)
    off = _OF_IMAGES & unit.c.question.in_(gone) & (unit.c.state == "open")
    connection.execute(update(unit).where(off).values(state="cancelled"))
    kept = exists().where(image.c.id == unit.c.ref_id, image.c.state == "kept")
    back = _OF_IMAGES & (unit.c.question > 0) & unit.c.question.not_in(gone) & (unit.c.state == "cancelled")
    state = case((unit.c.done >= unit.c.needed, "decided"), else_="open")
    connection.execute(update(unit).where(back, kept).values(state=state))


def empty(connection: Connection) -> list[int]:
    """Questions whose categories are all retired."""
    active = set(connection.execute(select(category.c.id).where(category.c.state == "active")).scalars())
    rows = connection.execute(select(question.c.id, question.c.categories_json).order_by(question.c.id))
    return [row[0] for row in rows if not active & set(_IDS.decode(row[1]))]


def _narrowed(panels: Sequence[Panel], wanted: set[int]) -> tuple[Panel, ...]:
    found = []
    for panel in panels:
        kinds = tuple(kind for kind in panel.categories if kind.id in wanted)
        if kinds:
            found.append(msgspec.structs.replace(panel, categories=kinds))
    return tuple(found)
