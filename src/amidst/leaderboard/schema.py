"""The tables of a benchmark; one database holds one benchmark. Nothing is deleted, states change.

Tables marked (+) are only appended to. Hidden annotations are never in the database.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text, UniqueConstraint, text

from amidst.store.accounts import account_tables
from amidst.store.columns import Key, int_column, key_column, link, new_metadata, real_column, text_column

metadata = new_metadata()

UNFINISHED = "submission.state IN ('received', 'checking', 'queued', 'running')"
ALIVE = (
    "submission.sha256 <> '' AND submission.state IN ('received', 'checking', 'queued', 'running', 'scored')"
)

benchmark = Table(
    "benchmark",
    metadata,
    key_column(),
    text_column("name"),
    text_column("description", ""),
    text_column("config_json"),
    int_column("created_at"),
)

# People; a team's limits are shared by its members.
worker = Table(
    "worker",
    metadata,
    key_column(),
    text_column("display", ""),
    text_column("state", "active"),  # active | paused | banned
    int_column("created_at"),
)

accounts = account_tables(metadata, worker)

team = Table(
    "team",
    metadata,
    key_column(),
    Column("name", Text, nullable=False, unique=True),
    int_column("created_at"),
)

membership = Table(
    "membership",
    metadata,
    Column("worker_id", Key, ForeignKey("worker.id"), primary_key=True, autoincrement=False),
    link("team_id", "team", index=True),
)

# Who comes by this invitation belongs to this team.
team_invitation = Table(
    "team_invitation",
    metadata,
    Column("invitation_id", Key, ForeignKey("invitation.id"), primary_key=True, autoincrement=False),
    link("team_id", "team"),
)

phase = Table(
    "phase",
    metadata,
    key_column(),
    Column("name", Text, nullable=False, unique=True),
    real_column("share"),
    int_column("images"),
    text_column("config_json"),
)

# state: see states.py; reason: of failed, timed_out, withdrawn. bytes: announced size. sha256: of the file as
# sent, "" until it is known. attempts: scorers that had it. lease: of the one that has it now. scores_json:
# the numbers unrounded; sketch_json: see similarity.py. scored_at stays when a scored one is withdrawn.
submission = Table(
    "submission",
    metadata,
    key_column(),
    link("phase_id", "phase"),
    link("team_id", "team"),
    link("worker_id", "worker"),
    text_column("state", "received"),
    text_column("reason", ""),
    int_column("state_since"),
    text_column("file_name"),
    int_column("bytes"),
    text_column("sha256", ""),
    text_column("method", ""),
    text_column("description", ""),
    text_column("link", ""),
    int_column("attempts", 0),
    text_column("lease", ""),
    int_column("lease_until", 0),
    int_column("records", 0),
    text_column("scores_json", "{}"),
    text_column("sketch_json", "[]"),
    int_column("created_at"),
    int_column("scored_at", null=True),
    Index("ix_submission_team", "team_id", "phase_id", "created_at"),
    # all that `search` looks at, newest first: one pass over it and not over the wide rows
    Index("ix_submission_search", "id", "team_id", "state", "method"),
    Index(
        "ix_submission_open", "state", "id", sqlite_where=text(UNFINISHED), postgresql_where=text(UNFINISHED)
    ),
    Index(
        "uq_submission_content",
        "phase_id",
        "team_id",
        "sha256",
        unique=True,
        sqlite_where=text(ALIVE),
        postgresql_where=text(ALIVE),
    ),
)

# (+) the history of every submission; the database refuses a second score
transition = Table(
    "transition",
    metadata,
    key_column(),
    link("submission_id", "submission", index=True),
    text_column("before"),
    text_column("after"),
    text_column("reason", ""),
    int_column("created_at"),
    Index(
        "uq_transition_scored",
        "submission_id",
        unique=True,
        sqlite_where=text("after = 'scored'"),
        postgresql_where=text("after = 'scored'"),
    ),
)

# (+) submissions that are nearly the same as an earlier one, for the organisers
near_equal = Table(
    "near_equal",
    metadata,
    key_column(),
    link("submission_id", "submission", index=True),
    link("other_id", "submission"),
    real_column("similarity"),
    int_column("created_at"),
    UniqueConstraint("submission_id", "other_id"),
)
