"""Sessions and passwords: statements over one connection, as in `accounts`.

A session is a random token, kept as a hash, that expires when it is not used, and at the latest after
`session_limit_h`. Passwords are hashed by Argon2id with the library's current parameters and hashed anew at
the next login when those have grown; a login that fails takes as long for an unknown name as for a wrong
password.
"""

from __future__ import annotations

from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Connection, select

from amidst.apps.server.accounts import HOUR, Accounts, Role
from amidst.apps.server.errors import Refusal
from amidst.apps.server.signing import hash_token, new_token

LOCAL = "local"  # the provider of login names
PASSWORD_LENGTH = (10, 200)


@dataclass(frozen=True)
class Session:
    """Who asks. token: the session's secret; by_cookie: a browser sent it, so changes need the CSRF token."""

    account: int
    role: Role
    display: str
    token: str
    expires_at: int
    by_cookie: bool = True


def start(accounts: Accounts, connection: Connection, account: int) -> str:
    """A new session of an account: its token. Raises Refusal (403) for a banned one."""
    if accounts.account(connection, account).state == "banned":
        raise Refusal(403, "this account is closed", "closed")
    token, now = new_token(), accounts.clock()
    connection.execute(
        accounts.tables.session.insert().values(
            token_hash=hash_token(token),
            worker_id=account,
            csrf_hash="",
            ip_prefix="",
            created_at=now,
            expires_at=now + int(accounts.config.session_h * HOUR),
        )
    )
    return token


def find(accounts: Accounts, connection: Connection, token: str) -> Session | None:
    """The living session of a token."""
    session, worker, roles = accounts.tables.session, accounts.tables.worker, accounts.tables.account_role
    row = connection.execute(
        select(worker.c.id, roles.c.role, worker.c.display, session.c.expires_at)
        .join(worker, worker.c.id == session.c.worker_id)
        .join(roles, roles.c.worker_id == worker.c.id)
        .where(
            (session.c.token_hash == hash_token(token))
            & (session.c.expires_at > accounts.clock())
            & session.c.ended_at.is_(None)
            & (worker.c.state != "banned")
        )
    ).first()
    return None if row is None else Session(row[0], row[1], row[2], token, row[3])


def is_worn(accounts: Accounts, session: Session) -> bool:
    """Whether less than half of a session's hours are left, so that it should be prolonged."""
    return session.expires_at - accounts.clock() < accounts.config.session_h * HOUR / 2


def prolong(accounts: Accounts, connection: Connection, session: Session) -> int:
    """A session in use goes on; the new end of it."""
    table = accounts.tables.session
    mine = table.c.token_hash == hash_token(session.token)
    begun = connection.scalar(select(table.c.created_at).where(mine)) or 0
    end = min(
        accounts.clock() + int(accounts.config.session_h * HOUR),
        begun + int(accounts.config.session_limit_h * HOUR),
    )
    connection.execute(table.update().where(mine).values(expires_at=end))
    return end


def end(accounts: Accounts, connection: Connection, token: str) -> None:
    """Sign out."""
    table = accounts.tables.session
    mine = (table.c.token_hash == hash_token(token)) & table.c.ended_at.is_(None)
    connection.execute(table.update().where(mine).values(ended_at=accounts.clock()))


def end_all(accounts: Accounts, connection: Connection, account: int, but: str = "") -> None:
    """Sign an account out everywhere, except in the session of the token `but`; links back in end too."""
    table = accounts.tables.session
    others = (table.c.worker_id == account) & table.c.ended_at.is_(None)
    if but:
        others &= table.c.token_hash != hash_token(but)
    connection.execute(table.update().where(others).values(ended_at=accounts.clock()))
    links = accounts.tables.invitation
    connection.execute(links.update().where(links.c.worker_id == account).values(uses_left=0))


# --- passwords


def hash_password(hasher: PasswordHasher, password: str) -> str:
    """What is stored of a password. Raises Refusal (422) for one that is too short or too long."""
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(password) <= longest:
        raise Refusal(422, f"password: expected {shortest} to {longest} characters")
    return hasher.hash(password)


def is_password(hasher: PasswordHasher, hashed: str, password: str) -> bool:
    """Whether the password is the hashed one."""
    try:
        return hasher.verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False


def name_hash(login: str) -> str:
    """What is stored of a login name."""
    return hash_token(login.strip().casefold())


def set_password(accounts: Accounts, connection: Connection, account: int, login: str, hashed: str) -> None:
    """Name and password of an account. Raises Refusal (409) when someone else has the name."""
    identity, password, now = accounts.tables.identity, accounts.tables.password, accounts.clock()
    named = (identity.c.provider == LOCAL) & (identity.c.external_id_hash == name_hash(login))
    holder = connection.scalar(select(identity.c.worker_id).where(named))
    if holder is not None and holder != account:
        raise Refusal(409, "this login name is taken", "name-taken")
    if holder is None:
        mine = (identity.c.provider == LOCAL) & (identity.c.worker_id == account)
        connection.execute(identity.delete().where(mine))
        values = {"provider": LOCAL, "external_id_hash": name_hash(login), "worker_id": account}
        connection.execute(identity.insert().values(created_at=now, **values))
    connection.execute(password.delete().where(password.c.worker_id == account))
    connection.execute(password.insert().values(worker_id=account, argon2=hashed, changed_at=now))
    accounts.note(connection, account, "account.password", str(account), {})


def rehash(accounts: Accounts, connection: Connection, account: int, hashed: str) -> None:
    """The same password under today's parameters."""
    table = accounts.tables.password
    connection.execute(table.update().where(table.c.worker_id == account).values(argon2=hashed))


def find_password(accounts: Accounts, connection: Connection, login: str) -> tuple[int, str] | None:
    """Account and hashed password of a login name."""
    identity, password = accounts.tables.identity, accounts.tables.password
    named = (identity.c.provider == LOCAL) & (identity.c.external_id_hash == name_hash(login))
    row = connection.execute(
        select(password.c.worker_id, password.c.argon2)
        .join(identity, identity.c.worker_id == password.c.worker_id)
        .where(named)
    ).first()
    return None if row is None else (int(row[0]), str(row[1]))


def password_of(accounts: Accounts, connection: Connection, account: int) -> str | None:
    """The hashed password of an account, if it has one."""
    table = accounts.tables.password
    hashed: str | None = connection.scalar(select(table.c.argon2).where(table.c.worker_id == account))
    return hashed
