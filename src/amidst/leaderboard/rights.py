"""What the user of the scorers has to be allowed, tried before the first submission is.

A scorer without one of these rights would die at each submission, and the teams would read that
theirs failed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, false, func, select

from amidst.errors import UsageError
from amidst.leaderboard import submissions
from amidst.leaderboard.benchmarks import Phase
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.schema import near_equal, submission, transition


def check_folder(folder: Folder, phases: Sequence[Phase]) -> None:
    """Reads the annotations of all phases and the uploads, writes into `uploads` and `work`.

    Raises UsageError.
    """
    try:
        for phase in phases:
            _read(folder.truth(phase.id))
        for path in folder.uploads.iterdir():
            with suppress(FileNotFoundError):  # the server removes what has failed meanwhile
                _read(path)
        for place in (folder.uploads, folder.work):
            with tempfile.TemporaryFile(dir=place):
                pass
    except OSError as error:
        place = Path(error.filename or folder.root)
        raise UsageError(
            f"scorers of this user cannot work here: {place}: {error.strerror}; the rights that they need "
            "stand in docs/leaderboard.md under 'Scorers as another user'"
        ) from None


def _read(path: Path) -> None:
    with path.open("rb") as file:
        file.read(1)


def check_database(connection: Connection) -> None:
    """Tries what scorers do to a PostgreSQL database, changing nothing.

    Raises UsageError (by the store) for a right that is lacking.
    """
    submissions.listed(connection, false())
    connection.execute(submission.update().where(false()).values(lease=""))
    for table in (transition, near_equal):
        own = [column for column in table.c if not column.primary_key]
        nothing = select(*own).where(false())
        connection.execute(table.insert().from_select([column.name for column in own], nothing))
        connection.execute(select(func.nextval(func.pg_get_serial_sequence(table.name, "id"))))
