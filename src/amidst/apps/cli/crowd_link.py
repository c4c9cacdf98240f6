"""`amidst crowd link`: the way back in for an account that lost its browser's session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli import crowd_campaigns, return_link
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.server.accounts import AccountsConfig
from amidst.apps.server.crowd.app import make_accounts


def link(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")],
    account: Annotated[
        str,
        typer.Option(help="Name or number of an account; left out, the first manager.", show_default=False),
    ] = "",
    public_url: return_link.PublicUrl = "",
    database_url: Annotated[
        str, typer.Option(help="As of `serve`.", envvar="AMIDST_DATABASE_URL", show_default=False)
    ] = "",
) -> None:
    """Print a link that lets an account in again, once; works while the campaign is served.

    For whoever lost the session of a browser and has no password. On their pages managers make such links
    for workers.

    **Examples**

      amidst crowd link birds/

      amidst crowd link birds/ --account Ann --public-url https://label.example
    """
    accounts = make_accounts(crowd_campaigns.now, AccountsConfig())
    here = opened(Place(folder, database_url), beside=True)
    return_link.issue_here(folder, here, accounts, account, public_url)
