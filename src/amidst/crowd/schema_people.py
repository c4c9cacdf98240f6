"""The tables of the server: accounts, requests counted, files served. Used by apps/server alone."""

from __future__ import annotations

from sqlalchemy import Column, Float, Table, Text, UniqueConstraint

from amidst.crowd.schema import metadata, worker
from amidst.store.accounts import account_tables
from amidst.store.columns import int_column, key_column, link, text_column

accounts = account_tables(metadata, worker)

rate_bucket = Table(
    "rate_bucket",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tokens", Float(53), nullable=False),
    int_column("updated_at"),
)

# A file of the media store, by content; variant: upright | 1024 | 256
blob = Table(
    "blob",
    metadata,
    key_column(),
    link("image_id", "image"),
    text_column("variant"),
    text_column("sha256"),
    text_column("media_type"),
    int_column("bytes"),
    text_column("path"),
    UniqueConstraint("image_id", "variant"),
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
