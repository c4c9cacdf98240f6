"""A benchmark: made from annotations that stay hidden, its phases and its teams.

Statements over one connection, as in `submissions`; `create` alone also writes files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, RowMapping, func, select

from amidst.coco.dataset import CocoDataset
from amidst.errors import DataError, UnknownRecord, UsageError
from amidst.leaderboard.checking import PublicCategory, PublicImage, PublicList
from amidst.leaderboard.config import BenchmarkConfig, PhaseConfig
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.schema import benchmark, membership, phase, submission, team, team_invitation, worker
from amidst.leaderboard.splits import divide
from amidst.leaderboard.stored import read_settings
from amidst.store.opening import Store

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 4000
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MAILTO = re.compile(r"mailto:[\w.+-]+@[\w-]+(\.[\w-]+)*", re.ASCII)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What organisers say of a benchmark as a whole."""

    name: str
    description: str
    config: BenchmarkConfig


class Benchmark(Settings, frozen=True):
    """A benchmark. warnings: settings that this version would not take."""

    warnings: list[str] = []


class Phase(msgspec.Struct, frozen=True):
    """A phase. images: how many are scored; which ones, nobody is told. warnings: as of a benchmark."""

    id: int
    name: str
    share: float
    images: int
    config: PhaseConfig
    warnings: list[str] = []


class Member(msgspec.Struct, frozen=True):
    """Somebody of a team, by the number and the name of the account."""

    account: int
    display: str


class Team(msgspec.Struct, frozen=True):
    """A team and its members."""

    id: int
    name: str
    members: list[Member]
    submissions: int


@dataclass(frozen=True)
class NewPhase:
    """A phase to be made."""

    name: str
    share: float
    config: PhaseConfig


async def create(
    store: Store,
    folder: Folder,
    dataset: CocoDataset,
    *,
    name: str,
    description: str,
    config: BenchmarkConfig,
    phases: Sequence[NewPhase],
    seed: int,
    now: int,
) -> list[Phase]:
    """Writes the public list and the hidden parts, then the database, in which the benchmark then exists.

    Raises UsageError for shares that do not fit, phases of one name or senseless words, DataError for
    annotations that cannot be scored so.
    """
    _check_words(Settings(name, description, config))
    names = [new.name for new in phases]
    if len(set(names)) != len(names):
        raise UsageError(f"phases need different names, got {names}")
    _check(dataset, config)
    parts = divide(dataset, [new.share for new in phases], seed)
    public = PublicList(
        tuple(PublicImage(i.id, i.width, i.height, i.file_name) for i in dataset.images),
        tuple(PublicCategory(c.id, c.name, c.supercategory) for c in dataset.class_map().categories),
    )
    folder.make()
    folder.public.write_bytes(msgspec.json.encode(public))
    made = []
    for number, (new, image_ids) in enumerate(zip(phases, parts, strict=True), 1):
        folder.write_hidden(number, dataset.select(image_ids).to_json())
        made.append(Phase(number, new.name, new.share, len(image_ids), new.config))

    def work(connection: Connection) -> None:
        if connection.scalar(select(benchmark.c.id)) is not None:
            raise UsageError("there is a benchmark in this database already")
        text = msgspec.json.encode(config).decode()
        row = {"name": name, "description": description, "config_json": text, "created_at": now}
        connection.execute(benchmark.insert().values(**row))
        for one in made:
            values = {key: getattr(one, key) for key in ("id", "name", "share", "images")}
            connection.execute(phase.insert().values(**values, config_json=_text(one.config)))

    await store.write(work)
    return made


def _check_words(settings: Settings) -> None:
    name, contact = settings.name, settings.config.contact
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"a benchmark needs a name of 1 to {LONGEST_NAME} printable characters")
    if len(settings.description) > LONGEST_DESCRIPTION or CONTROL.search(settings.description):
        raise UsageError(
            f"a description has at most {LONGEST_DESCRIPTION} characters, and no control characters"
        )
    if contact.lower().startswith("mailto:") and MAILTO.fullmatch(contact) is None:
        raise UsageError(f"contact {contact!r}: expected words, or one address as mailto:name@host")


def _check(dataset: CocoDataset, config: BenchmarkConfig) -> None:
    if not dataset.images or not dataset.annotations:
        raise DataError("a benchmark needs images and annotations", rule="empty")
    if config.kind in ("segm", "mask-proposals"):
        for annotation in dataset.annotations:
            if annotation.segmentation is None:
                raise DataError(
                    "has no segmentation; a benchmark of masks needs one for each object",
                    record=f"annotation {annotation.id}",
                    rule="missing-field",
                )


def find(connection: Connection) -> Benchmark:
    """The benchmark of a database. Raises UsageError if there is none."""
    row = connection.execute(select(benchmark)).mappings().first()
    if row is None:
        raise UsageError("no benchmark here; make one with `amidst leaderboard init`")
    return Benchmark(row["name"], row["description"], *read_settings(row["config_json"], BenchmarkConfig))


def change(connection: Connection, after: Settings) -> Benchmark:
    """Other settings; gives those of before.

    Raises UsageError for senseless words, and for what annotations or scores depend on.
    """
    _check_words(after)
    before = find(connection)
    if after.config.kind != before.config.kind:
        raise UsageError(
            f"kind stays {before.config.kind}: the annotations were checked for it and scores are of it; "
            "make another benchmark with `amidst leaderboard init`"
        )
    scored = select(submission.c.id).where(submission.c.scored_at.is_not(None)).limit(1)
    if after.config.tie != before.config.tie and connection.scalar(scored) is not None:
        raise UsageError(f"tie stays {before.config.tie}: there are scores, and their places depend on it")
    text = msgspec.json.encode(after.config).decode()
    words = {"name": after.name.strip(), "description": after.description}
    connection.execute(benchmark.update().values(**words, config_json=text))
    return before


def warnings(connection: Connection) -> list[str]:
    """What the settings of the benchmark and its phases have that this version would not take."""
    told = find(connection).warnings
    return told + [f"phase {one.name}: {text}" for one in phases(connection) for text in one.warnings]


# --- phases


def phases(connection: Connection) -> list[Phase]:
    """All phases, as they were made."""
    rows = connection.execute(select(phase).order_by(phase.c.id)).mappings()
    return [_phase(row) for row in rows]


def find_phase(connection: Connection, name: str) -> Phase:
    """One phase. Raises UnknownRecord."""
    row = connection.execute(select(phase).where(phase.c.name == name)).mappings().first()
    if row is None:
        known = ", ".join(connection.scalars(select(phase.c.name).order_by(phase.c.id)))
        raise UnknownRecord(f"there is no phase {name!r}; there are: {known}")
    return _phase(row)


def set_phase(connection: Connection, phase_id: int, config: PhaseConfig) -> None:
    """Other settings of a phase. Raises UsageError for one that closes before it opens."""
    if config.opens_at is not None and config.closes_at is not None and config.opens_at >= config.closes_at:
        raise UsageError("a phase closes after it has opened")
    connection.execute(phase.update().where(phase.c.id == phase_id).values(config_json=_text(config)))


def _phase(row: RowMapping) -> Phase:
    config, warnings = read_settings(row["config_json"], PhaseConfig, {"visibility": "nobody"})
    return Phase(row["id"], row["name"], row["share"], row["images"], config, warnings)


def _text(config: PhaseConfig) -> str:
    return msgspec.json.encode(config).decode()


# --- teams


def add_team(connection: Connection, name: str, now: int) -> int:
    """A new team, or the one of that name: its id."""
    known: int | None = connection.scalar(select(team.c.id).where(team.c.name == name))
    if known is not None:
        return known
    (key,) = connection.execute(team.insert().values(name=name, created_at=now)).inserted_primary_key or (0,)
    return int(key)


def invite_to(connection: Connection, invitation: int, team_id: int) -> None:
    """Who comes by this invitation will be a member. Raises UnknownRecord."""
    if connection.scalar(select(team.c.id).where(team.c.id == team_id)) is None:
        raise UnknownRecord(f"there is no team {team_id}")
    connection.execute(team_invitation.insert().values(invitation_id=invitation, team_id=team_id))


def entered(connection: Connection, invitation: int, account: int) -> None:
    """Someone has come by an invitation."""
    where = team_invitation.c.invitation_id == invitation
    team_id = connection.scalar(select(team_invitation.c.team_id).where(where))
    if team_id is not None:
        connection.execute(membership.insert().values(worker_id=account, team_id=team_id))


def team_of(connection: Connection, account: int) -> tuple[int, str] | None:
    """Id and name of an account's team."""
    row = connection.execute(
        select(team.c.id, team.c.name)
        .join(membership, membership.c.team_id == team.c.id)
        .where(membership.c.worker_id == account)
    ).first()
    return None if row is None else (row.id, row.name)


def teams(connection: Connection) -> list[Team]:
    """All teams with their members and numbers of submissions."""
    members: dict[int, list[Member]] = {}
    people = select(membership.c.team_id, worker.c.id, worker.c.display).join(
        worker, worker.c.id == membership.c.worker_id
    )
    for row in connection.execute(people.order_by(worker.c.id)):
        members.setdefault(row.team_id, []).append(Member(row.id, row.display))
    counts = select(submission.c.team_id, func.count()).group_by(submission.c.team_id)
    sent = {row[0]: row[1] for row in connection.execute(counts)}
    rows = connection.execute(select(team.c.id, team.c.name).order_by(team.c.id)).all()
    return [Team(row.id, row.name, members.get(row.id, []), sent.get(row.id, 0)) for row in rows]
