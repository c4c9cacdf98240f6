"""The tables of accounts: who may do what. Read and written by `apps/server/accounts.py` alone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint

from amidst.store.columns import Key, int_column, key_column, link, text_column


@dataclass(frozen=True)
class AccountTables:
    """`worker` holds the accounts: at least id, display, state (active | paused | banned) and created_at.

    identity: provider is local (external_id_hash of a login name) or prolific, mturk, oidc. account_role:
    owner, manager, expert, worker or viewer. invitation: kind is invitation, first_manager or password;
    worker_id, of a "password" link, whom it lets in again. audit: who did what, only appended to.
    """

    worker: Table
    identity: Table
    password: Table
    session: Table
    account_role: Table
    invitation: Table
    audit: Table


def account_tables(metadata: MetaData, worker: Table) -> AccountTables:
    """The tables beside `worker`, added to a schema."""
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
    account_role = Table(
        "account_role",
        metadata,
        Column("worker_id", Key, ForeignKey("worker.id"), primary_key=True, autoincrement=False),
        Column("role", Text, primary_key=True),
        int_column("granted_at"),
    )
    return AccountTables(worker, identity, password, session, account_role, *_links_and_audit(metadata))


def _links_and_audit(metadata: MetaData) -> tuple[Table, Table]:
    invitation = Table(
        "invitation",
        metadata,
        key_column(),
        Column("token_hash", Text, nullable=False, unique=True),
        text_column("kind", "invitation"),
        text_column("role", "worker"),
        link("created_by", "worker", null=True),
        link("worker_id", "worker", null=True),
        int_column("created_at"),
        int_column("expires_at"),
        int_column("uses_left", 1),
        text_column("note", ""),
    )
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
    return invitation, audit
