"""A link that lets an account in again, once: what `crowd link` and `leaderboard link` share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from amidst.apps.cli.console import say
from amidst.apps.server.accounts import Account, Accounts
from amidst.apps.server.foundation import LARGEST_ID
from amidst.apps.server.installation import last_address
from amidst.errors import UsageError
from amidst.store.opening import Store

MOST_NAMED = 20


PublicUrl = Annotated[
    str,
    typer.Option(
        help="Address of the server, as users see it; left out, that of the last `serve`.", show_default=False
    ),
]


def issue_here(
    folder: Path,
    opening: AbstractAsyncContextManager[Store],
    accounts: Accounts,
    word: str,
    url: str,
) -> None:
    """Prints a link for the account that `word` names, made in the database itself, also while it is served.

    folder: of the installation. url: of its server, "" for the last one. Raises as `chosen`, and UsageError
    if there was none.
    """
    address = url or last_address(folder)
    if not address:
        raise UsageError(f"{folder}: not served yet; `serve` prints the link for the first one")

    def work(connection: Connection) -> tuple[Account, str]:
        found = chosen(accounts.accounts(connection, limit=LARGEST_ID), word)
        return found, accounts.return_link(connection, found.id)

    async def issued() -> tuple[Account, str]:
        async with opening as store:
            return await store.write(work)

    account, token = asyncio.run(issued())
    show(address, token, f"{account.display} ({account.role})")


def chosen(known: Sequence[Account], word: str) -> Account:
    """The account of this name or number; without a word, the first owner.

    Raises UsageError if there is none, if several have the name, or if it is closed.
    """
    if not known:
        raise UsageError("nobody has entered yet; `serve` prints the link for the first one")
    if word:
        found = [one for one in known if word in (one.display, str(one.id))]
    else:
        found = [one for one in known if one.role == "owner"][:1]
    if not found:
        names = ", ".join(one.display for one in known[:MOST_NAMED])
        raise UsageError(f"there is no account {word!r}; there are: {names}")
    if len(found) > 1:
        numbers = ", ".join(f"{one.id} ({one.role})" for one in found)
        raise UsageError(f"several accounts are called {word!r}; name one by its number: {numbers}")
    if found[0].state == "banned":
        raise UsageError(f"the account {found[0].display!r} is closed")
    return found[0]


def show(url: str, token: str, who: str) -> None:
    """The link on stdout, what it does on stderr."""
    say(f"lets {who} in again, once, within 24 hours:")
    typer.echo(f"{url.rstrip('/')}/enter#{token}")
