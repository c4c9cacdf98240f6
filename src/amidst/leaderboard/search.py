"""Submissions by the words and states that somebody looks for, in pages.

A page is found in one narrow index (`ix_submission_search`), newest first, and only its rows are read: with a
word that is nowhere, that is one pass over the index, whose entries are a fraction of the rows.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, select

from amidst.leaderboard.schema import submission, team
from amidst.leaderboard.states import State
from amidst.leaderboard.submissions import Submission, listed


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; what is empty leaves nothing out.

    team, method: a part of the name, small and capital letters alike (in SQLite those of ASCII). before: an
    id, of the last submission of the page before. limit: of a page.
    """

    team: str = ""
    method: str = ""
    state: State | None = None
    before: int | None = None
    limit: int = 1000


def search(connection: Connection, wanted: Wanted, team_id: int | None = None) -> list[Submission]:
    """Submissions with their places in the queue, newest first. team_id: whose they must be."""
    own = submission.c
    keys = select(own.id).order_by(own.id.desc()).limit(wanted.limit)
    if team_id is not None:
        keys = keys.where(own.team_id == team_id)
    if wanted.team:
        named = select(team.c.id).where(team.c.name.icontains(wanted.team, autoescape=True))
        keys = keys.where((own.team_id + 0).in_(named))  # + 0: by this index, not by one of teams
    if wanted.method:
        keys = keys.where(own.method.icontains(wanted.method, autoescape=True))
    if wanted.state is not None:
        keys = keys.where(own.state == wanted.state)
    if wanted.before is not None:
        keys = keys.where(own.id < wanted.before)
    found = connection.scalars(keys).all()
    return listed(connection, own.id.in_(found), wanted.limit) if found else []
