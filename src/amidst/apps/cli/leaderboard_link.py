"""`amidst leaderboard link`: the way back in, for whoever lost a session or entered on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from amidst.apps.cli import return_link
from amidst.apps.cli.console import new_app
from amidst.apps.cli.leaderboard_client import DEFAULT_FILE, TokenFile, make_client
from amidst.apps.cli.leaderboard_place import DatabaseUrl, Place, now, opened
from amidst.apps.server.accounts import Account, AccountsConfig
from amidst.apps.server.leaderboard.app import make_accounts
from amidst.leaderboard.client import origin

link_app = new_app()


@link_app.command()
def link(
    where: Annotated[str, typer.Argument(metavar="DIR|URL", help="Folder of the benchmark, or its server.")],
    account: Annotated[
        str,
        typer.Option(
            help="Name or number of an account; left out, the first organiser, or at a server yourself.",
            show_default=False,
        ),
    ] = "",
    public_url: return_link.PublicUrl = "",
    token_file: TokenFile = DEFAULT_FILE,
    database_url: DatabaseUrl = "",
) -> None:
    """Print a link that lets an account in again, once; works while the benchmark is served.

    With DIR, on the machine of the server, for anybody. With URL and the token that `enter` kept, for
    yourself: from the command line into a browser; as organiser for others too.

    **Examples**

      amidst leaderboard link board/

      amidst leaderboard link https://board.example

      amidst leaderboard link https://board.example --account Ann
    """
    if "://" not in where:
        accounts = make_accounts(now, AccountsConfig())
        folder = Path(where)
        here = opened(Place(folder, database_url), beside=True)
        return_link.issue_here(folder, here, accounts, account, public_url)
        return
    client, path, who = make_client(where, token_file), "/api/link", "you"
    if account:
        known = msgspec.convert(client.ask("GET", "/api/accounts?limit=1000"), list[Account])
        found = return_link.chosen(known, account)
        path, who = f"/api/accounts/{found.id}/link", f"{found.display} ({found.role})"
    token = client.ask("POST", path, keys=("token",))["token"]
    return_link.show(origin(where), token, who)
