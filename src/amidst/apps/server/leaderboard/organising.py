"""What organisers do: settings, teams and their invitations, looking at all submissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, select

from amidst.apps.server import sessions
from amidst.apps.server.access import MANAGERS, SIGNED_IN, Gate, Routes, session_of
from amidst.apps.server.accounts import Accounts
from amidst.apps.server.bodies import Body, plain_text, read_body
from amidst.apps.server.errors import reply
from amidst.apps.server.foundation import LARGEST_ID, Before, Limit
from amidst.apps.server.leaderboard.board import PhaseName, about
from amidst.apps.server.leaderboard.sending import FILTERS, StateWord, Words
from amidst.config import to_builtins
from amidst.leaderboard import benchmarks
from amidst.leaderboard.benchmarks import Benchmark, Phase, Settings
from amidst.leaderboard.config import PhaseConfig
from amidst.leaderboard.ranking import rounded
from amidst.leaderboard.schema import near_equal, submission
from amidst.leaderboard.schema import team as teams
from amidst.leaderboard.search import Wanted, search
from amidst.leaderboard.submissions import Submission
from amidst.store.opening import Store

MOST_MEMBERS = 100
MOST_LISTED = 1000


class TeamBody(Body, frozen=True):
    """A team, and for how many people its invitation is."""

    team: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    uses: Annotated[int, msgspec.Meta(ge=1, le=MOST_MEMBERS)] = 1


@dataclass(frozen=True)
class OrganisingRoutes:
    """The routes of organisers; for everybody a token for programs, and a link into a browser."""

    store: Store
    gate: Gate

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self.gate)
        routes.add("GET", "/api/teams", self.teams, MANAGERS)
        routes.add("POST", "/api/teams/invite", self.invite, MANAGERS, TeamBody, status=201)
        routes.add("GET", "/api/board/settings", self.settings, MANAGERS)
        routes.add("POST", "/api/board/settings", self.change, MANAGERS, Settings)
        routes.add("POST", "/api/phases/{phase}/settings", self.set_phase, MANAGERS, PhaseConfig)
        routes.add("GET", "/api/organise/submissions", self.submissions, MANAGERS, queries=FILTERS)
        routes.add("GET", "/api/organise/near-equal", self.near_equal, MANAGERS)
        routes.add("POST", "/api/token", self.token, SIGNED_IN, status=201)
        routes.add("POST", "/api/link", self.link, SIGNED_IN, status=201)
        return routes.router

    async def teams(self) -> Response:
        """All teams, their members and numbers of submissions."""
        return reply(await self.store.read(benchmarks.teams))

    async def invite(self, request: Request) -> Response:
        """A link by which members of a team come in; the team is made if there is none of that name."""
        session, body = session_of(request), await read_body(request, TeamBody)
        name = plain_text(body.team, "team", 60)
        accounts = self.gate.accounts

        def work(connection: Connection) -> tuple[int, str]:
            team = benchmarks.add_team(connection, name, accounts.clock())
            issued, by = accounts.issue, session.account
            link, token = issued(connection, "worker", by=by, uses=body.uses, note=f"team {name}")
            benchmarks.invite_to(connection, link, team)
            return team, token

        team, token = await self.store.write(work)
        return reply({"team": team, "token": token}, 201)

    async def settings(self) -> Response:
        """The settings of the benchmark as a whole."""
        return reply(await self.store.read(benchmarks.find))

    async def change(self, request: Request) -> Response:
        """Put other settings of the benchmark in force, as a whole; what scores depend on stays."""
        session, after = session_of(request), await read_body(request, Settings)
        accounts = self.gate.accounts
        return reply(await self.store.write(lambda c: change_settings(c, accounts, session.account, after)))

    async def set_phase(self, request: Request, phase: PhaseName) -> Response:
        """Put other settings of a phase in force, as a whole."""
        session, config = session_of(request), await read_body(request, PhaseConfig)

        def work(connection: Connection) -> Phase:
            found = benchmarks.find_phase(connection, phase)
            benchmarks.set_phase(connection, found.id, config)
            before = msgspec.to_builtins(found.config)
            details = {"before": before, "after": msgspec.to_builtins(config)}
            self.gate.accounts.note(connection, session.account, "phase.settings", phase, details)
            return msgspec.structs.replace(found, config=config, warnings=[])

        return reply(about(await self.store.write(work)))

    async def submissions(
        self,
        team: Words = "",
        method: Words = "",
        state: StateWord = "",
        before: Before = LARGEST_ID,
        limit: Limit = MOST_LISTED,
    ) -> Response:
        """Submissions of all teams, newest first; the next page ends before the last id."""
        wanted = Wanted(team=team, method=method, state=state or None, before=before, limit=limit)
        found = await self.store.read(lambda c: search(c, wanted))
        return reply([_shown(one) for one in found])

    async def near_equal(self) -> Response:
        """Submissions that are nearly the same as an earlier one, newest first."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            one, other = submission.alias(), submission.alias()
            team, other_team = teams.alias(), teams.alias()
            rows = connection.execute(
                select(near_equal, team.c.name.label("team"), other_team.c.name.label("other_team"))
                .join(one, one.c.id == near_equal.c.submission_id)
                .join(team, team.c.id == one.c.team_id)
                .join(other, other.c.id == near_equal.c.other_id)
                .join(other_team, other_team.c.id == other.c.team_id)
                .order_by(near_equal.c.id.desc())
                .limit(MOST_LISTED)
            )
            return [
                {
                    "submission": row["submission_id"],
                    "team": row["team"],
                    "other": row["other_id"],
                    "other_team": row["other_team"],
                    "similarity": round(row["similarity"], 2),
                    "created_at": row["created_at"],
                }
                for row in rows.mappings()
            ]

        return reply(await self.store.read(work))

    async def token(self, request: Request) -> Response:
        """A token for programs, with the rights of who asks. Shown only now."""
        session = session_of(request)
        accounts = self.gate.accounts

        def work(connection: Connection) -> str:
            accounts.note(connection, session.account, "token", "", {})
            return sessions.start(accounts, connection, session.account)

        return reply({"token": await self.store.write(work)}, 201)

    async def link(self, request: Request) -> Response:
        """A link that lets who asks in again, once: from a program into a browser. Shown only now."""
        who, accounts = session_of(request).account, self.gate.accounts
        token = await self.store.write(lambda c: accounts.return_link(c, who, who))
        return reply({"token": token}, 201)


def change_settings(
    connection: Connection, accounts: Accounts, who: int | None, after: Settings
) -> Benchmark:
    """Other settings of a benchmark, which stand in the events. who: None for the operator of the machine."""
    before = benchmarks.change(connection, after)
    found = benchmarks.find(connection)
    details = {"before": _told(before), "after": _told(found)}
    if details["before"] != details["after"]:
        accounts.note(connection, who, "benchmark.settings", "", details)
    return found


def _told(settings: Settings) -> dict[str, Any]:
    return {"name": settings.name, "description": settings.description, **to_builtins(settings.config)}


def _shown(found: Submission) -> dict[str, Any]:
    tree: dict[str, Any] = msgspec.to_builtins(found)
    return {**tree, "numbers": rounded(found.numbers)}
