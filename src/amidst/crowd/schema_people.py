"""The tables of the server: accounts, and what platforms are told."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text, UniqueConstraint

from amidst.crowd.schema import metadata, worker
from amidst.store.accounts import account_tables
from amidst.store.columns import int_column, key_column, link, text_column

accounts = account_tables(metadata, worker)

# What a platform will pay a worker for. external_id: the platform's name of it (a session, an assignment);
# hit: of the task that it belongs to, where the platform has such.
assignment = Table(
    "assignment",
    metadata,
    key_column(),
    text_column("provider"),
    text_column("external_id"),
    text_column("stage"),
    text_column("order_name"),
    text_column("hit", ""),
    link("worker_id", "worker", index=True),
    int_column("entered_at"),
    int_column("finished_at", null=True),
    UniqueConstraint("provider", "external_id"),
)

# (+) what a crowd platform is to be told; unique_token makes a repetition harmless
outbox = Table(
    "outbox",
    metadata,
    key_column(),
    text_column("kind"),
    text_column("payload_json"),
    Column("unique_token", Text, nullable=False, unique=True),
    int_column("created_at"),
    int_column("delivered_at", null=True),
    text_column("reply_json", "{}"),
)
