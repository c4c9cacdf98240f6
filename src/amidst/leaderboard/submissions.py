"""Submissions: statements over one connection; the caller gives the transaction.

Every change of state goes through `move`, which refuses what `states` does not allow and appends to the
history. A scorer holds a submission by a lease: whoever has another lease, or comes after it was taken away,
changes nothing, so a submission is scored once.
"""

from __future__ import annotations

import secrets

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, select

from amidst.errors import AnswerError, DataError, UnknownRecord
from amidst.leaderboard.config import MICRO, SECOND_DAY, PhaseConfig, TimeLimits
from amidst.leaderboard.schema import phase, submission, team, transition
from amidst.leaderboard.states import OPEN, State, may_follow
from amidst.leaderboard.stored import read_settings

DAY = SECOND_DAY * MICRO
COUNTED: tuple[State, ...] = (*OPEN, "scored")
NOT_STARTED = "the scorer could not be started"


class Refused(AnswerError):  # noqa: N818 - reads as what it is
    """A submission that may not be made, or not be changed so. `rule` names the reason."""


class Method(msgspec.Struct, frozen=True):
    """What a team says of its submission; shown to everybody who may see the score."""

    method: str = ""
    description: str = ""
    link: str = ""


class Submission(msgspec.Struct, frozen=True):
    """A submission, as the server knows it. ahead: of a queued one, how many are to be scored before it."""

    id: int
    phase: str
    phase_id: int
    team: str
    team_id: int
    worker_id: int
    state: State
    reason: str
    state_since: int
    file_name: str
    bytes: int
    sha256: str
    method: str
    description: str
    link: str
    attempts: int
    records: int
    created_at: int
    scored_at: int | None
    numbers: dict[str, float]
    ahead: int | None = None


class Change(msgspec.Struct, frozen=True):
    """A change of a submission's state. before: "" of its beginning."""

    before: str
    after: State
    reason: str
    created_at: int


class Job(msgspec.Struct, frozen=True):
    """A submission that a scorer holds."""

    submission: int
    phase: str
    file_name: str
    lease: str


# --- reading


def find(connection: Connection, key: int, team_id: int | None = None) -> Submission:
    """One submission, with its place in the queue. team_id: whose it must be.

    Raises UnknownRecord, also for another team's: the same statement and the same words.
    """
    row = connection.execute(_all().where(submission.c.id == key)).mappings().first()
    if row is None or (team_id is not None and row["team_id"] != team_id):
        raise UnknownRecord(f"there is no submission {key} of yours")
    return _submission(row, _queue(connection))


def listed(
    connection: Connection, where: ColumnElement[bool] | None = None, limit: int = 1000
) -> list[Submission]:
    """Submissions with their places in the queue, newest first; all of them, or those of a condition."""
    wanted = _all().order_by(submission.c.id.desc()).limit(limit)
    if where is not None:
        wanted = wanted.where(where)
    queue = _queue(connection)
    return [_submission(row, queue) for row in connection.execute(wanted).mappings()]


def _queue(connection: Connection) -> dict[int, int]:
    """How many are to be scored before each queued submission."""
    waiting = select(submission.c.id).where(submission.c.state == "queued").order_by(submission.c.id)
    return {key: place for place, key in enumerate(connection.scalars(waiting))}


def changes(connection: Connection, key: int) -> list[Change]:
    """All states that a submission has gone through, oldest first."""
    own = [transition.c[name] for name in Change.__struct_fields__]
    rows = connection.execute(select(*own).where(transition.c.submission_id == key).order_by(transition.c.id))
    return [Change(*row) for row in rows]


def _all() -> Select[tuple[object, ...]]:
    own = [submission.c[name] for name in Submission.__struct_fields__ if name in submission.c]
    return (
        select(*own, submission.c.scores_json, phase.c.name.label("phase"), team.c.name.label("team"))
        .join(phase, phase.c.id == submission.c.phase_id)
        .join(team, team.c.id == submission.c.team_id)
    )


def _submission(row: RowMapping, queue: dict[int, int]) -> Submission:
    values = {name: row[name] for name in Submission.__struct_fields__ if name in row}
    return Submission(**values, numbers=msgspec.json.decode(row["scores_json"]), ahead=queue.get(row["id"]))


def counted(connection: Connection, team_id: int, phase_id: int, now: int) -> tuple[int, int]:
    """How many submissions of a team count against the limits of a phase: today's (UTC), and all.

    Failed, timed-out and unscored withdrawn ones do not; one withdrawn after it was scored does.
    """
    counts = submission.c.state.in_(COUNTED) | submission.c.scored_at.is_not(None)
    mine = (submission.c.team_id == team_id) & (submission.c.phase_id == phase_id) & counts
    today = submission.c.created_at >= now - now % DAY
    total = connection.scalar(select(func.count()).where(mine)) or 0
    return connection.scalar(select(func.count()).where(mine & today)) or 0, total


# --- making one


def announce(
    connection: Connection,
    phase_id: int,
    name: str,
    config: PhaseConfig,
    *,
    team_id: int,
    worker_id: int,
    file_name: str,
    size: int,
    sha256: str,
    about: Method,
    now: int,
) -> tuple[int, bool]:
    """A new submission, or the team's living one of the same content in the same phase: id, and whether it is
    new. Of the living one, what `about` says replaces what was said, what it leaves empty stays.

    name, config: of the phase. sha256: of the file, or "" if unknown; see `complete`. Raises Refused when the
    phase is closed or a limit is reached.
    """
    connection.execute(select(team.c.id).where(team.c.id == team_id).with_for_update())  # one at a time
    same = same_content(connection, phase_id, team_id, sha256)
    if same is not None:
        said = {name: text for name, text in msgspec.structs.asdict(about).items() if text}
        if said:
            connection.execute(submission.update().where(submission.c.id == same).values(**said))
        return same, False
    check_open(name, config, now)
    today, total = counted(connection, team_id, phase_id, now)
    if total >= config.total:
        raise Refused(f"all {config.total} submissions of your team in {name!r} are used", rule="total-limit")
    if today >= config.per_day:
        raise Refused(
            f"{today} of {config.per_day} submissions of today are used in {name!r}; "
            "the next day begins at 00:00 UTC",
            rule="day-limit",
        )
    made = connection.execute(
        submission.insert().values(
            phase_id=phase_id,
            team_id=team_id,
            worker_id=worker_id,
            state_since=now,
            file_name=file_name,
            bytes=size,
            sha256=sha256,
            created_at=now,
            **msgspec.structs.asdict(about),
        )
    )
    (key,) = made.inserted_primary_key or (0,)
    _note(connection, int(key), "", "received", "", now)
    return int(key), True


def check_open(name: str, config: PhaseConfig, now: int) -> None:
    """Raises Refused unless the phase takes submissions now."""
    if config.opens_at is not None and now < config.opens_at:
        raise Refused(f"the phase {name!r} is not open yet", rule="not-open")
    if config.closes_at is not None and now >= config.closes_at:
        raise Refused(f"the phase {name!r} is closed", rule="closed")


def same_content(
    connection: Connection, phase_id: int, team_id: int, sha256: str, but: int = 0
) -> int | None:
    """The living submission of this content, other than `but`."""
    if not sha256:
        return None
    alive = submission.c.state.in_(COUNTED) & (submission.c.sha256 == sha256)
    mine = (submission.c.phase_id == phase_id) & (submission.c.team_id == team_id)
    return connection.scalar(select(submission.c.id).where(alive & mine & (submission.c.id != but)))


def describe(connection: Connection, key: int, about: Method) -> None:
    """Says something else of a submission."""
    mine = submission.c.id == key
    connection.execute(submission.update().where(mine).values(**msgspec.structs.asdict(about)))


# --- changing its state


def move(
    connection: Connection, key: int, after: State, now: int, reason: str = "", **values: object
) -> State:
    """Changes a submission's state; the one before. Raises Refused if that may not follow."""
    before: State | None = connection.scalar(
        select(submission.c.state).where(submission.c.id == key).with_for_update()
    )
    if before is None or not may_follow(before, after):
        raise Refused(f"submission {key} is {before or 'unknown'}, it cannot become {after}", rule="state")
    changed = submission.update().where(submission.c.id == key)
    connection.execute(changed.values({"state_since": now, **values, "state": after, "reason": reason}))
    _note(connection, key, before, after, reason, now)
    return before


def begin(connection: Connection, key: int, now: int) -> None:
    """The first bytes have come."""
    if connection.scalar(select(submission.c.state).where(submission.c.id == key)) == "received":
        move(connection, key, "checking", now)


def complete(connection: Connection, key: int, sha256: str, records: int, now: int) -> int:
    """All bytes have come and are right: to the queue. If the team has the same content there already, this
    one is withdrawn. Gives the submission that will be scored.

    A file that was announced without its SHA-256 counts as sent now, for a team may have worked at it until
    now. Raises DataError if its phase has closed meanwhile.
    """
    row = connection.execute(
        select(submission.c.phase_id, submission.c.team_id, submission.c.sha256, submission.c.created_at)
        .add_columns(phase.c.name, phase.c.config_json)
        .join(phase, phase.c.id == submission.c.phase_id)
        .where(submission.c.id == key)
    ).one()
    sent = row.created_at if row.sha256 else now
    closes = read_settings(row.config_json, PhaseConfig)[0].closes_at
    if not row.sha256 and closes is not None and now >= closes:
        problem = (
            f"the phase {row.name!r} closed before the file had come, and no SHA-256 was announced for it"
        )
        raise DataError(problem, rule="closed")
    same = same_content(connection, row.phase_id, row.team_id, sha256, but=key)
    if same is not None:
        move(connection, key, "withdrawn", now, f"the same as submission {same}", sha256="")
        return same
    move(connection, key, "queued", now, sha256=sha256, records=records, created_at=sent)
    return key


# --- scoring


def claim(connection: Connection, times: TimeLimits, now: int) -> Job | None:
    """The oldest queued submission, for one scorer; None if nothing waits."""
    oldest = select(submission.c.id).where(submission.c.state == "queued").order_by(submission.c.id).limit(1)
    key = connection.scalar(oldest.with_for_update(skip_locked=True))
    if key is None:
        return None
    lease, until = secrets.token_hex(16), now + int(times.lease * MICRO)
    attempts = submission.c.attempts + 1
    move(connection, key, "running", now, lease=lease, lease_until=until, attempts=attempts)
    found = find(connection, key)
    return Job(key, found.phase, found.file_name, lease)


def holds(connection: Connection, job: Job) -> bool:
    """Whether a scorer still has its submission."""
    mine = (submission.c.id == job.submission) & (submission.c.lease == job.lease)
    return connection.scalar(select(submission.c.state).where(mine).with_for_update()) == "running"


def heartbeat(connection: Connection, job: Job, times: TimeLimits, now: int) -> bool:
    """The scorer lives; whether it still has its submission."""
    mine = (submission.c.id == job.submission) & (submission.c.lease == job.lease)
    alive = mine & (submission.c.state == "running")
    until = now + int(times.lease * MICRO)
    return connection.execute(submission.update().where(alive).values(lease_until=until)).rowcount > 0


def score(connection: Connection, job: Job, numbers: dict[str, float], sketch: list[int], now: int) -> bool:
    """The result of a scorer; False, and nothing changes, if the submission is no longer its own."""
    if not holds(connection, job):
        return False
    scores, words = msgspec.json.encode(numbers).decode(), msgspec.json.encode(sketch).decode()
    move(
        connection,
        job.submission,
        "scored",
        now,
        scores_json=scores,
        sketch_json=words,
        scored_at=now,
        lease="",
    )
    return True


def end(connection: Connection, job: Job, after: State, reason: str, now: int) -> bool:
    """A scorer that found no score: failed or timed_out; False if the submission is no longer its own."""
    if not holds(connection, job):
        return False
    move(connection, job.submission, after, now, reason, lease="")
    return True


def give_back(
    connection: Connection, job: Job, times: TimeLimits, now: int, *, counts: bool = True
) -> State | None:
    """The scorer died: the submission waits again, or has failed after the last retry. None as in `score`.

    counts: False if it could not even be started, which is no attempt; it then waits on since it was queued.
    """
    if not holds(connection, job):
        return None
    attempts = connection.scalar(select(submission.c.attempts).where(submission.c.id == job.submission)) or 0
    if not counts:
        mine = (transition.c.submission_id == job.submission) & (transition.c.reason != NOT_STARTED)
        last = select(func.max(transition.c.created_at)).where(mine & (transition.c.after == "queued"))
        kept = {"attempts": attempts - 1, "state_since": connection.scalar(last)}
        move(connection, job.submission, "queued", now, NOT_STARTED, lease="", **kept)
        return "queued"
    after: State = "queued" if attempts <= times.retries else "failed"
    reason = f"the scorer died {attempts} times" if after == "failed" else "the scorer died"
    move(connection, job.submission, after, now, reason, lease="")
    return after


# --- the watchdog


def sweep(connection: Connection, times: TimeLimits, now: int) -> list[tuple[int, State]]:
    """Ends or gives back what stayed too long in its state: the submissions and their new states."""
    changed: list[tuple[int, State]] = []
    rows = connection.execute(
        select(submission.c.id, submission.c.state, submission.c.state_since, submission.c.lease_until)
        .add_columns(submission.c.lease, submission.c.file_name)
        .where(submission.c.state.in_(OPEN))
        .order_by(submission.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        state: State = row.state
        late = now - row.state_since >= int(getattr(times, state) * MICRO)
        if late:
            after, reason = _TOO_LONG[state]
            move(connection, row.id, after, now, reason, lease="")
            changed.append((row.id, after))
        elif state == "running" and now >= row.lease_until:
            back = give_back(connection, Job(row.id, "", row.file_name, row.lease), times, now)
            if back is not None:
                changed.append((row.id, back))
    return changed


_TOO_LONG: dict[State, tuple[State, str]] = {
    "received": ("failed", "no byte of the file arrived in time"),
    "checking": ("failed", "the upload was not finished in time"),
    "queued": ("timed_out", "no scorer could take it in time"),
    "running": ("timed_out", "scoring took too long"),
}


def _note(connection: Connection, key: int, before: str, after: State, reason: str, now: int) -> None:
    values = {"submission_id": key, "before": before, "after": after, "reason": reason, "created_at": now}
    connection.execute(transition.insert().values(values))
