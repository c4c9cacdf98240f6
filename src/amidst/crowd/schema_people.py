"""The tables of the server: accounts, and what platforms are told."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from amidst.crowd.schema import metadata, worker
from amidst.store.accounts import account_tables
from amidst.store.columns import int_column, key_column, text_column

accounts = account_tables(metadata, worker)

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
