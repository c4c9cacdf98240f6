"""The schema's history: one numbered file per change, applied in order by Alembic.

The first one is the whole schema, frozen as SQL for either database; a test compares the result of all
migrations with `schema.metadata`.
"""

from __future__ import annotations

from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from amidst.errors import UsageError

HEAD = "0001"


def upgrade(connection: Connection) -> None:
    """Brings a database to HEAD within the caller's transaction.

    Raises UsageError if it was made by a later version of amidst.
    """
    config = Config()
    config.set_main_option("script_location", "amidst.crowd:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        alembic_upgrade(config, HEAD)
    except CommandError as error:
        raise UsageError(f"the campaign was made by another version of amidst: {error}") from None
