"""Accounts: how people get in, what they may do, how long a session lasts.

Nobody registers by themselves and no account exists at the start: the first manager comes by a link that the
terminal shows once, everyone else by an invitation of a manager. Links, like session tokens, are random and
stored as hashes; a link is used up in the same transaction that makes the account. A password is optional.

Pure statements over one connection; the caller gives the transaction. The tables are an argument, so that
each server keeps its accounts in its own database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar, get_args

import msgspec
from sqlalchemy import Connection, func, select

from amidst.apps.server.errors import Refusal
from amidst.apps.server.limits import MICRO, Clock
from amidst.apps.server.signing import hash_token, new_token
from amidst.config import Config
from amidst.store.accounts import AccountTables

Role = Literal["owner", "manager", "expert", "worker", "viewer"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From most to least."""
LinkKind = Literal["first_manager", "invitation", "password"]
HOUR = 3600 * MICRO

T = TypeVar("T")


class Database(Protocol):
    """What the accounts need of a store: work done in one transaction, writing or only reading."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """`work` in a transaction that is committed when it returns."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` on a state that does not change meanwhile."""


class AccountsConfig(Config, frozen=True):
    """Hours that links and sessions live. A session in use is prolonged up to `session_limit_h`.

    return_h: of a link that lets an account in again.
    """

    first_link_h: float = 24.0
    return_h: float = 24.0
    invitation_h: float = 7 * 24.0
    session_h: float = 24.0
    session_limit_h: float = 30 * 24.0
    max_uses: int = 1000


class Account(msgspec.Struct, frozen=True):
    """Someone who may sign in."""

    id: int
    display: str
    role: Role
    state: str
    created_at: int


class Link(msgspec.Struct, frozen=True):
    """An invitation as managers see it; its token is shown once, to its maker."""

    id: int
    kind: LinkKind
    role: Role
    note: str
    created_at: int
    expires_at: int
    uses_left: int


@dataclass(frozen=True)
class Accounts:
    """The statements. Methods that change something belong into a writing transaction."""

    tables: AccountTables
    clock: Clock
    config: AccountsConfig = field(default_factory=AccountsConfig)
    entered: Callable[[Connection, int, int], None] | None = None
    """Called with the ids of a link and of the account that it made, in the same transaction."""

    # --- links

    def issue(
        self,
        connection: Connection,
        role: Role,
        *,
        kind: LinkKind = "invitation",
        by: int | None = None,
        uses: int = 1,
        note: str = "",
        hours: float | None = None,
        account: int | None = None,
    ) -> tuple[int, str]:
        """A new link: its id and token. account: whom a link of kind "password" lets in again."""
        token, now = new_token(), self.clock()
        lives = self.config.invitation_h if hours is None else hours
        made = connection.execute(
            self.tables.invitation.insert().values(
                token_hash=hash_token(token),
                kind=kind,
                role=role,
                created_by=by,
                worker_id=account,
                created_at=now,
                expires_at=now + int(lives * HOUR),
                uses_left=uses,
                note=note,
            )
        )
        (key,) = made.inserted_primary_key or (0,)
        self.note(connection, by, f"link.{kind}", str(key), {"role": role, "uses": uses})
        return int(key), token

    def return_link(self, connection: Connection, account: int, by: int | None = None) -> str:
        """A link that lets an account in again, once: its token. by: None for the operator of the machine."""
        role, hours = self.account(connection, account).role, self.config.return_h
        return self.issue(connection, role, kind="password", by=by, hours=hours, account=account)[1]

    def first_link(self, connection: Connection) -> str | None:
        """A new link for the first manager, or None where there is an owner already. Older ones end."""
        roles, links = self.tables.account_role, self.tables.invitation
        if connection.scalar(select(func.count()).where(roles.c.role == "owner")):
            return None
        connection.execute(links.update().where(links.c.kind == "first_manager").values(uses_left=0))
        return self.issue(connection, "owner", kind="first_manager", hours=self.config.first_link_h)[1]

    def links(self, connection: Connection) -> list[Link]:
        """Links that can still be used."""
        table = self.tables.invitation
        usable = (table.c.uses_left > 0) & (table.c.expires_at > self.clock())
        rows = connection.execute(select(table).where(usable).order_by(table.c.id)).mappings()
        return [Link(**{name: row[name] for name in Link.__struct_fields__}) for row in rows]

    def withdraw(self, connection: Connection, link: int, by: int) -> bool:
        """End a link; whether there was one."""
        table = self.tables.invitation
        usable = (table.c.id == link) & (table.c.uses_left > 0) & (table.c.kind != "first_manager")
        found = connection.execute(table.update().where(usable).values(uses_left=0)).rowcount > 0
        if found:
            self.note(connection, by, "link.withdraw", str(link), {})
        return found

    def peek(self, connection: Connection, token: str) -> str | None:
        """The name of the account that a link lets in again, None for an invitation; uses nothing up.

        Raises Refusal (403) as `enter` does.
        """
        table, worker = self.tables.invitation, self.tables.worker
        usable = (table.c.uses_left > 0) & (table.c.expires_at > self.clock())
        row = connection.execute(
            select(worker.c.display)
            .select_from(table.outerjoin(worker, worker.c.id == table.c.worker_id))
            .where((table.c.token_hash == hash_token(token)) & usable)
        ).first()
        if row is None:
            raise unknown_link()
        return None if row.display is None else str(row.display)

    def enter(self, connection: Connection, token: str, display: str) -> int:
        """Use a link up: the account behind it, made new unless it lets someone in again.

        Raises Refusal (403) with one text whatever is wrong with the link.
        """
        table = self.tables.invitation
        usable = (table.c.uses_left > 0) & (table.c.expires_at > self.clock())
        row = (
            connection.execute(
                table.update()
                .where((table.c.token_hash == hash_token(token)) & usable)
                .values(uses_left=table.c.uses_left - 1)
                .returning(table.c.id, table.c.kind, table.c.role, table.c.worker_id)
            )
            .mappings()
            .first()
        )
        if row is None:
            raise unknown_link()
        if row["worker_id"] is not None:
            self.note(connection, row["worker_id"], "account.return", str(row["id"]), {})
            return int(row["worker_id"])
        account = self.create(connection, display, row["role"])
        self.note(connection, account, "account.enter", str(row["id"]), {"role": row["role"]})
        if self.entered is not None:
            self.entered(connection, int(row["id"]), account)
        return account

    # --- accounts and roles

    def create(self, connection: Connection, display: str, role: Role) -> int:
        """A new account with one role: its id."""
        now = self.clock()
        worker = self.tables.worker
        values = {"display": display, "created_at": now}
        if "expert" in worker.c:
            values["expert"] = role == "expert"
        (key,) = connection.execute(worker.insert().values(values)).inserted_primary_key or (0,)
        roles = self.tables.account_role
        connection.execute(roles.insert().values(worker_id=key, role=role, granted_at=now))
        return int(key)

    def accounts(self, connection: Connection, after: int = 0, limit: int = 500) -> list[Account]:
        """Accounts with an id above `after`, in order."""
        worker, roles = self.tables.worker, self.tables.account_role
        rows = connection.execute(
            select(worker.c.id, worker.c.display, roles.c.role, worker.c.state, worker.c.created_at)
            .join(roles, roles.c.worker_id == worker.c.id)
            .where(worker.c.id > after)
            .order_by(worker.c.id)
            .limit(limit)
        )
        return [Account(*row) for row in rows]

    def account(self, connection: Connection, account: int) -> Account:
        """One account. Raises Refusal (404)."""
        found = self.accounts(connection, account - 1, 1)
        if not found or found[0].id != account:
            raise Refusal(404, f"there is no account {account}")
        return found[0]

    def set_role(self, connection: Connection, account: int, role: Role, by: int) -> None:
        """Give an account another role; the last owner stays one. Raises Refusal (404, 409)."""
        before = self.account(connection, account).role
        roles, worker = self.tables.account_role, self.tables.worker
        owners = connection.scalar(select(func.count()).where(roles.c.role == "owner"))
        if before == "owner" and role != "owner" and owners == 1:
            raise Refusal(409, "the last owner cannot step down; make someone else owner first")
        changed = roles.update().where(roles.c.worker_id == account)
        connection.execute(changed.values(role=role, granted_at=self.clock()))
        if "expert" in worker.c:
            expert = worker.update().where(worker.c.id == account)
            connection.execute(expert.values(expert=role == "expert"))
        self.note(connection, by, "account.role", str(account), {"before": before, "after": role})

    def note(
        self,
        connection: Connection,
        who: int | None,
        action: str,
        subject: str,
        details: Mapping[str, object],
    ) -> None:
        """A row of the audit."""
        connection.execute(
            self.tables.audit.insert().values(
                worker_id=who,
                action=action,
                subject=subject,
                details_json=msgspec.json.encode(details).decode(),
                created_at=self.clock(),
            )
        )


def unknown_link() -> Refusal:
    """One text whatever is wrong with a link."""
    return Refusal(403, "this link is unknown, used up or expired; ask for a new one", "link")
