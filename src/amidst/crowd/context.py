"""What every transaction reads first: the campaign, and who is asking."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np
from sqlalchemy import Connection, bindparam, func, select, text, true

from amidst.crowd.bodies import CategoryRef, ImageRef, Panel
from amidst.crowd.config import CampaignConfig
from amidst.crowd.schema import campaign, category, image, supercategory, ticket, worker
from amidst.crowd.vocabulary import group_icon
from amidst.errors import UnknownRecord, UsageError


@dataclass(frozen=True, slots=True)
class Campaign:
    """panels: the active categories, by supercategory in the owner's order. categories: the same by id."""

    config: CampaignConfig
    panels: tuple[Panel, ...]
    categories: dict[int, CategoryRef]
    open: bool
    secret: str

    def lot(self, *what: object) -> np.random.Generator:
        """Random numbers that belong to something, such as a ticket: always the same, known to nobody."""
        digest = hashlib.sha256(":".join(map(str, (self.secret, *what))).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest, "big"))


@dataclass(frozen=True, slots=True)
class Worker:
    """active: may work. expert: needs no gate, draws what others could not."""

    id: int
    active: bool
    expert: bool


def read_campaign(connection: Connection) -> Campaign:
    """The campaign of this database. Raises UsageError if there is none."""
    row = connection.execute(CAMPAIGN).first()
    if row is None:
        raise UsageError("the database holds no campaign; make one with `amidst crowd init`")
    return make_campaign(*row)


def read_both(connection: Connection, worker_id: int) -> tuple[Campaign, Worker]:
    """The campaign and one of its workers. Raises UnknownRecord or UsageError."""
    row = connection.execute(_BOTH, {"worker": worker_id}).first()
    if row is None:
        read_campaign(connection)
        raise UnknownRecord(f"there is no worker {worker_id}")
    return make_campaign(*row[:4]), Worker(row[4], row[5] == "active", row[6])


def read_asking(
    connection: Connection, worker_id: int, stages: Sequence[str]
) -> tuple[Campaign, Worker, int]:
    """The same, and how many tickets of some stages the worker has out. Raises as `read_both`."""
    row = connection.execute(_ASKING, {"worker": worker_id, "stages": stages}).first()
    if row is None:
        return (*read_both(connection, worker_id), 0)
    return make_campaign(*row[:4]), Worker(row[4], row[5] == "active", row[6]), row[7]


def read_image(connection: Connection, image_id: int) -> ImageRef:
    """Raises UnknownRecord."""
    row = connection.execute(_IMAGE, {"image": image_id}).first()
    if row is None:
        raise UnknownRecord(f"there is no image {image_id}")
    return ImageRef(id=row[0], width=row[1], height=row[2])


def read_images(connection: Connection, image_ids: list[int]) -> dict[int, ImageRef]:
    """Raises UnknownRecord for an id that does not exist."""
    rows = connection.execute(
        select(image.c.id, image.c.width, image.c.height).where(image.c.id.in_(set(image_ids)))
    )
    found = {row[0]: ImageRef(id=row[0], width=row[1], height=row[2]) for row in rows}
    for image_id in image_ids:
        if image_id not in found:
            raise UnknownRecord(f"there is no image {image_id}")
    return found


def read_category(connection: Connection, category_id: int) -> CategoryRef:
    """A category, retired or not. Raises UnknownRecord."""
    row = connection.execute(_CATEGORY, {"category": category_id}).first()
    if row is None:
        raise UnknownRecord(f"there is no category {category_id}")
    return CategoryRef(id=row[0], name=row[1], icon=row[2], definition=row[3])


def read_panels(connection: Connection, *, retired: bool = False) -> tuple[Panel, ...]:
    """The active categories by supercategory, in the owner's order. retired: those that are not, too."""
    query = (
        select(supercategory.c.name, category.c.id, category.c.name, category.c.icon, category.c.definition)
        .join(category, category.c.supercategory_id == supercategory.c.id)
        .order_by(supercategory.c.ordinal, supercategory.c.id, category.c.id)
    )
    groups: dict[str, list[CategoryRef]] = {}
    for row in connection.execute(query if retired else query.where(category.c.state == "active")):
        kind = CategoryRef(id=row[1], name=row[2], icon=row[3], definition=row[4])
        groups.setdefault(row[0], []).append(kind)
    return tuple(
        Panel(super=name, categories=tuple(kinds), icon=group_icon(name)) for name, kinds in groups.items()
    )


_IMAGE = select(image.c.id, image.c.width, image.c.height).where(image.c.id == bindparam("image"))
_CATEGORY = select(category.c.id, category.c.name, category.c.icon, category.c.definition).where(
    category.c.id == bindparam("category")
)
CAMPAIGN = select(campaign.c.config_json, campaign.c.catalogue_json, campaign.c.state, campaign.c.secret)
_BOTH = (
    CAMPAIGN.add_columns(worker.c.id, worker.c.state, worker.c.expert)
    .select_from(campaign.join(worker, true()))
    .where(worker.c.id == bindparam("worker"))
)
_ASKING = _BOTH.add_columns(
    select(func.count())
    .select_from(ticket)
    .where(ticket.c.worker_id == bindparam("worker"), ticket.c.stage.in_(bindparam("stages", expanding=True)))
    .where(text("ticket.state = 'leased'"))
    .scalar_subquery()
)


@lru_cache(maxsize=8)
def make_campaign(config_json: str, catalogue_json: str, state: str, secret: str) -> Campaign:
    """The campaign of a row of `CAMPAIGN`."""
    panels = msgspec.json.decode(catalogue_json, type=tuple[Panel, ...])
    return Campaign(
        config=msgspec.json.decode(config_json, type=CampaignConfig),
        panels=panels,
        categories={category.id: category for panel in panels for category in panel.categories},
        open=state == "open",
        secret=secret,
    )
