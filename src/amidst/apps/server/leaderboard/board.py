"""What everybody sees of a benchmark: what it is, its phases, its tables. No route opens a hidden annotation.

Scores leave here rounded, and only where the phase lets the asker see them; to organisers too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import Connection

from amidst.apps.server.access import ANYONE, MANAGERS, Gate, Routes
from amidst.apps.server.errors import Refusal, reply
from amidst.leaderboard import benchmarks, ranking, submissions
from amidst.leaderboard.benchmarks import Phase
from amidst.leaderboard.config import BenchmarkConfig, PhaseConfig
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.ranking import MAIN
from amidst.leaderboard.schema import submission
from amidst.leaderboard.submissions import Submission
from amidst.store.opening import Store

MOST_LISTED = 100_000
PhaseName = Annotated[str, Path(min_length=1, max_length=60)]


@dataclass(frozen=True)
class BoardRoutes:
    """The routes below /api/board and /api/phases that anybody may ask."""

    store: Store
    gate: Gate
    folder: Folder

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self.gate)
        routes.add("GET", "/api/board", self.board, ANYONE)
        routes.add("GET", "/api/board/images", self.images, ANYONE)
        routes.add("GET", "/api/phases/{phase}/table", self.table, ANYONE)
        routes.add("GET", "/api/phases/{phase}/table.csv", self.table_csv, ANYONE)
        return routes.router

    async def board(self) -> Response:
        """The benchmark and its phases."""
        benchmark, phases = await self.store.read(lambda c: (benchmarks.find(c), benchmarks.phases(c)))
        return reply(
            {
                "name": benchmark.name,
                "description": benchmark.description,
                "contact": benchmark.config.contact,
                "kind": benchmark.config.kind,
                "tie": benchmark.config.tie,
                "main": MAIN[benchmark.config.kind],
                "limits": benchmark.config.uploads,
                "phases": [about(phase) for phase in phases],
            }
        )

    async def images(self) -> Response:
        """Images with their sizes, and categories: what a submission may name."""
        return Response(self.folder.public.read_bytes(), media_type="application/json")

    async def table(self, request: Request, phase: PhaseName) -> Response:
        """The table of a phase, and its scored submissions over time."""
        config, found, all_sent = await self._seen(request, phase)
        return reply(
            {
                "phase": about(found),
                "rows": ranking.table(all_sent, config, found.config),
                "history": ranking.history(all_sent, config.kind, found.config),
            }
        )

    async def table_csv(self, request: Request, phase: PhaseName) -> Response:
        """The table of a phase as CSV."""
        config, found, all_sent = await self._seen(request, phase)
        text = ranking.to_csv(ranking.table(all_sent, config, found.config))
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="leaderboard.csv"',
        }
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    async def _seen(self, request: Request, name: str) -> tuple[BenchmarkConfig, Phase, list[Submission]]:
        """The benchmark's settings, a phase, and the submissions of which the asker may see the scores."""
        session = await self.gate.session(request)
        manages = session is not None and session.role in MANAGERS

        def sent(connection: Connection, phase: Phase) -> list[Submission]:
            of_phase = submission.c.phase_id == phase.id
            if manages or phase.config.visibility == "all":
                return submissions.listed(connection, of_phase, MOST_LISTED)
            team = benchmarks.team_of(connection, session.account) if session is not None else None
            if phase.config.visibility == "nobody" or team is None:
                return []
            return submissions.listed(connection, of_phase & (submission.c.team_id == team[0]), MOST_LISTED)

        def work(connection: Connection) -> tuple[BenchmarkConfig, Phase, list[Submission]]:
            phase = benchmarks.find_phase(connection, name)
            return benchmarks.find(connection).config, phase, sent(connection, phase)

        return await self.store.read(work)


def about(phase: Phase) -> dict[str, Any]:
    """A phase as everybody may know it: how many images it scores, but not which."""
    config: PhaseConfig = phase.config
    return {
        "id": phase.id,
        "name": phase.name,
        "images": phase.images,
        "config": config,
        "warnings": phase.warnings,
    }


def checked_link(link: str) -> str:
    """A link that pages may show. Raises Refusal (422) for anything but a whole http(s) address."""
    text = link.strip()
    if text and (not text.lower().startswith(("http://", "https://")) or any(c.isspace() for c in text)):
        raise Refusal(422, "link: expected http://... or https://...")
    return text
