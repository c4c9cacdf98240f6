"""Making a campaign and what belongs to it: configuration, candidates, images, workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from amidst.crowd import ballot, units
from amidst.crowd.bodies import Wire
from amidst.crowd.config import CampaignConfig
from amidst.crowd.config_check import check_config
from amidst.crowd.context import Campaign, read_campaign
from amidst.crowd.schema import campaign, category_candidate, image, unit, worker
from amidst.curation.selection import Proposal
from amidst.errors import DataError, UnknownRecord, UsageError

BATCH = 1000


class NewImage(Wire, frozen=True):
    """An image to add. file_name: below the images folder. Sizes are of the upright image."""

    file_name: str
    width: int
    height: int
    sha256: str | None = None
    licence: str = ""
    photographer: str = ""
    taken_on: str = ""
    source: str = ""


class WorkerRecord(Wire, frozen=True):
    """A worker of the campaign."""

    id: int
    display: str
    state: str
    expert: bool
    note: str


def create_campaign(connection: Connection, config: CampaignConfig, now: int, secret: str) -> None:
    """Raises UsageError if the database holds one already, ConfigError for numbers that make no sense."""
    check_config(config)
    if exists(connection):
        raise UsageError("the database holds a campaign already")
    connection.execute(
        insert(campaign),
        {"id": 1, "config_json": encode_config(config), "secret": secret, "created_at": now},
    )


def exists(connection: Connection) -> bool:
    """Whether the database holds a campaign."""
    return connection.execute(select(campaign.c.id)).first() is not None


def change_state(connection: Connection, state: Literal["open", "paused"]) -> None:
    """Stops or continues the handing out of work."""
    connection.execute(update(campaign).values(state=state))


def add_candidates(connection: Connection, proposals: Sequence[Proposal], now: int) -> None:
    """Adds candidate categories and opens the ballot.

    Raises DataError for a name that is taken, UsageError once somebody is voting or has voted (every voter
    scores every candidate), and where no vote could choose as the numbers ask.
    """
    known = {row[0] for row in connection.execute(select(category_candidate.c.name))}
    for proposal in proposals:
        if proposal.name in known:
            raise DataError("is proposed twice", record=f"candidate {proposal.name!r}", rule="duplicate-id")
        known.add(proposal.name)
    if not proposals:
        return
    opened = connection.execute(
        select(unit.c.id, unit.c.taken).where(unit.c.stage == "category_votes").with_for_update()
    ).first()
    if opened is not None and opened.taken:
        raise UsageError(
            "the vote on categories has begun, and every voter scores every candidate: take the votes out "
            "first (pages Workers and Voids), or hold the next vote in a campaign of its own"
        )
    settings = read_campaign(connection)
    target = settings.config.category_votes.target
    mandatory = select(func.count()).where(category_candidate.c.mandatory)
    number = connection.execute(mandatory).scalar_one() + sum(one.mandatory for one in proposals)
    if number > target:
        raise DataError(
            f"{number} are mandatory, and category_votes.target is {target}",
            record="candidates",
            rule="mandatory",
        )
    connection.execute(
        insert(category_candidate),
        [
            {
                "name": proposal.name,
                "supercategory": proposal.supercategory,
                "mandatory": proposal.mandatory,
                "not_a_thing": not proposal.thing,
                "instances": proposal.instances,
            }
            for proposal in proposals
        ],
    )
    ballot.check_possible(connection, settings)
    if opened is None:
        voters = settings.config.category_votes.voters
        units.create(connection, "category_votes", "campaign", [1], voters, now)


def add_images(
    connection: Connection,
    images: Sequence[NewImage],
    now: int,
    state: Literal["kept", "candidate", "gold"] = "kept",
) -> list[int]:
    """Adds images and opens their work; their ids. state: kept at once, to be filtered first, or known to
    the engine alone. Raises DataError for a size below 1 or a file name that is taken.
    """
    ids: list[int] = []
    settings = read_campaign(connection)
    for new in images:
        if new.width < 1 or new.height < 1:
            raise DataError(
                f"the size is {new.width} x {new.height}",
                record=f"image {new.file_name!r}",
                rule="image-size",
            )
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        names = [new.file_name for new in batch]
        taken = connection.execute(select(image.c.file_name).where(image.c.file_name.in_(names))).scalar()
        if taken is not None or len(set(names)) < len(names):
            twice = taken or next(name for name in names if names.count(name) > 1)
            raise DataError("is there already", record=f"image {twice!r}", rule="duplicate-id")
        rows = [{**msgspec.structs.asdict(new), "state": state} for new in batch]
        made = connection.execute(insert(image).returning(image.c.id, sort_by_parameter_order=True), rows)
        ids += [row[0] for row in made]
    if state == "kept":
        open_kept(connection, settings, ids, now)
    elif state == "candidate":
        units.create(connection, "image_filter", "image", ids, settings.config.image_filter.workers, now)
    return ids


def open_kept(connection: Connection, settings: Campaign, image_ids: Sequence[int], now: int) -> None:
    """The work on images that belong to the collection."""
    config = settings.config
    units.create(connection, "labelling", "image", image_ids, config.labelling.workers, now)
    units.create(connection, "captions", "image", image_ids, config.captions.workers, now)


def add_worker(connection: Connection, display: str, now: int, *, expert: bool = False) -> int:
    """A new worker; the id."""
    made: int = connection.execute(
        insert(worker).returning(worker.c.id), {"display": display, "expert": expert, "created_at": now}
    ).scalar_one()
    return made


def change_worker(
    connection: Connection,
    worker_id: int,
    *,
    state: Literal["active", "paused", "banned"] | None = None,
    expert: bool | None = None,
    note: str | None = None,
) -> None:
    """Changes what is given. Tickets that are out stay. Raises UnknownRecord."""
    given = {"state": state, "expert": expert, "note": note}
    values = {name: value for name, value in given.items() if value is not None}
    read_worker(connection, worker_id)
    if values:
        connection.execute(update(worker).where(worker.c.id == worker_id).values(values))


def read_worker(connection: Connection, worker_id: int) -> WorkerRecord:
    """Raises UnknownRecord."""
    row = connection.execute(select(worker).where(worker.c.id == worker_id)).first()
    if row is None:
        raise UnknownRecord(f"there is no worker {worker_id}")
    return WorkerRecord(id=row.id, display=row.display, state=row.state, expert=row.expert, note=row.note)


def encode_config(config: CampaignConfig) -> str:
    """As the database keeps it."""
    return msgspec.json.encode(config).decode()


def count_images(connection: Connection) -> int:
    """Images of the campaign, whatever their state."""
    number: int = connection.execute(select(func.count()).select_from(image)).scalar_one()
    return number
