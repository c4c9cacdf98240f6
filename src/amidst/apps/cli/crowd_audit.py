"""What the command line changes in a campaign stands in its audit, as what managers change does."""

from __future__ import annotations

from collections.abc import Mapping

from amidst.apps.cli.crowd_campaigns import now
from amidst.apps.server.crowd.app import ServerConfig, make_accounts
from amidst.crowd.store import Store


async def noted(store: Store, action: str, subject: str, details: Mapping[str, object]) -> None:
    """A row of the audit, of nobody's account."""
    accounts = make_accounts(now, ServerConfig().accounts)
    await store.write(lambda c: accounts.note(c, None, action, subject, details))
