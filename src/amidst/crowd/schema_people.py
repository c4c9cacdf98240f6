"""The tables of the server: who may do what, requests counted, files served. Used by apps/server alone."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Table, Text, UniqueConstraint

from amidst.crowd.schema import Key, int_column, key_column, link, metadata, text_column

# provider: local (external_id_hash of a login name) | prolific | mturk | oidc
identity = Table(
    "identity",
    metadata,
    key_column(),
    text_column("provider"),
    text_column("external_id_hash"),
    link("worker_id", "worker", index=True),
    int_column("created_at"),
    UniqueConstraint("provider", "external_id_hash"),
)

password = Table(
    "password",
    metadata,
    Column("worker_id", Key, ForeignKey("worker.id"), primary_key=True, autoincrement=False),
    text_column("argon2"),
    int_column("changed_at"),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", Text, primary_key=True),
    link("worker_id", "worker", index=True),
    text_column("csrf_hash"),
    text_column("ip_prefix", ""),
    int_column("created_at"),
    int_column("expires_at"),
    int_column("ended_at", null=True),
)

# role: owner | manager | expert | worker | viewer
account_role = Table(
    "account_role",
    metadata,
    Column("worker_id", Key, ForeignKey("worker.id"), primary_key=True, autoincrement=False),
    Column("role", Text, primary_key=True),
    int_column("granted_at"),
)

# kind: invitation | first_manager | password
invitation = Table(
    "invitation",
    metadata,
    key_column(),
    Column("token_hash", Text, nullable=False, unique=True),
    text_column("kind", "invitation"),
    text_column("role", "worker"),
    link("created_by", "worker", null=True),
    link("worker_id", "worker", null=True),  # of a "password" link: whom it lets in again
    int_column("created_at"),
    int_column("expires_at"),
    int_column("uses_left", 1),
    text_column("note", ""),
)

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

# (+) who did what
audit = Table(
    "audit",
    metadata,
    key_column(),
    link("worker_id", "worker", null=True),
    text_column("action"),
    text_column("subject", ""),
    text_column("details_json", "{}"),
    int_column("created_at"),
    Index("ix_audit_time", "created_at"),
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
