"""Submissions of a team: announced, sent in pieces, watched, withdrawn.

    POST /api/submissions {"phase", "file_name", "bytes", "sha256"}     -> the submission and its `offset`
    PUT  /api/submissions/{id}/content?offset=N                         -> the same, again until the end
    GET  /api/submissions/{id}

Whoever is not of the team gets the same 404 as for a submission that does not exist, by the same statement.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from amidst.apps.server.access import MANAGERS, WORKERS, Gate, Routes, session_of
from amidst.apps.server.bodies import UNSAFE_TEXT, Body, plain_text, read_body
from amidst.apps.server.errors import Refusal, reply
from amidst.apps.server.foundation import LARGEST_ID, Before, Id, Limit
from amidst.apps.server.leaderboard.board import checked_link
from amidst.apps.server.limits import Limiter, Rate
from amidst.apps.server.sessions import Session
from amidst.errors import DataError, StoreUnavailable
from amidst.leaderboard import benchmarks, submissions
from amidst.leaderboard.config import UploadLimits
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.ranking import rounded
from amidst.leaderboard.runner import Runner
from amidst.leaderboard.search import Wanted, search
from amidst.leaderboard.states import State
from amidst.leaderboard.submissions import Method, Refused, Submission
from amidst.leaderboard.uploads import Uploads, size_of
from amidst.store.opening import Store

PIECE_BYTES = 8 * 2**20
"""Of an upload, at most, in one request."""

FILTERS = ("team", "method", "state", "before", "limit")
"""What lists of submissions are asked by; a team's own all but the first."""
Words = Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")]
StateWord = Annotated[Literal["", State], Query()]
Offset = Annotated[int, Query(ge=0, le=LARGEST_ID)]


class MethodBody(Body, frozen=True, kw_only=True):
    """What a team says of its submission. link: http or https."""

    method: Annotated[str, msgspec.Meta(max_length=100)] = ""
    description: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    link: Annotated[str, msgspec.Meta(max_length=500)] = ""


class WithdrawBody(Body, frozen=True, kw_only=True):
    """Why, in words that the team reads too."""

    reason: Annotated[str, msgspec.Meta(max_length=300)] = ""


class AnnounceBody(MethodBody, frozen=True, kw_only=True):
    """bytes: size of the file. sha256: of the file, in hex; "" if it is not known before."""

    phase: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    file_name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    bytes: Annotated[int, msgspec.Meta(ge=1, le=2**42)]
    sha256: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""


@dataclass
class SendingRoutes:
    """The routes below /api/submissions."""

    store: Store
    gate: Gate
    folder: Folder
    uploads: Uploads
    runner: Runner
    pieces: Rate
    _locks: tuple[asyncio.Lock, ...] = field(default_factory=lambda: tuple(asyncio.Lock() for _ in range(64)))

    def router(self) -> APIRouter:
        """The routes."""
        routes, one = Routes(self.gate), "/api/submissions/{submission}"
        self._limiter = Limiter(self.pieces, self.gate.accounts.clock)
        routes.add("POST", "/api/submissions", self.announce, WORKERS, AnnounceBody, status=201)
        routes.add("GET", "/api/submissions", self.mine, WORKERS, queries=FILTERS[1:])
        routes.add("GET", one, self.status, WORKERS)
        routes.add("PUT", f"{one}/content", self.content, WORKERS, queries=("offset",))
        routes.add("GET", f"{one}/changes", self.changes, WORKERS)
        routes.add("POST", f"{one}/withdraw", self.withdraw, WORKERS, WithdrawBody)
        routes.add("POST", f"{one}/describe", self.describe, WORKERS, MethodBody)
        return routes.router

    async def announce(self, request: Request) -> Response:
        """A new submission; or (status 200) the one that the team has of the same content in this phase.

        What is said of it then (method, description, link) replaces what was said; what is left out stays.
        """
        session, body = session_of(request), await read_body(request, AnnounceBody)
        most = (await self._limits()).max_bytes
        if body.bytes > most:
            raise Refusal(
                413, f"{body.file_name}: {body.bytes:,} bytes; at most {most:,} are taken [too-large]"
            )
        file_name, about = plain_text(body.file_name, "file_name", 200), _method(body)

        def work(connection: Connection) -> tuple[int, bool]:
            team = _team(connection, session)
            phase = benchmarks.find_phase(connection, body.phase)
            return submissions.announce(
                connection,
                phase.id,
                phase.name,
                phase.config,
                team_id=team,
                worker_id=session.account,
                file_name=file_name,
                size=body.bytes,
                sha256=body.sha256,
                about=about,
                now=self.gate.accounts.clock(),
            )

        key, new = await self.store.write(work)
        return reply({**await self._about(session, key), "new": new}, 201 if new else 200)

    async def mine(
        self,
        request: Request,
        method: Words = "",
        state: StateWord = "",
        before: Before = LARGEST_ID,
        limit: Limit = 1000,
    ) -> Response:
        """The team's submissions, newest first, and what the limits leave of today and in all."""
        wanted = Wanted(method=method, state=state or None, before=before, limit=limit)
        session, now = session_of(request), self.gate.accounts.clock()

        def work(connection: Connection) -> dict[str, Any]:
            team = benchmarks.team_of(connection, session.account)
            if team is None:
                return {"team": None, "submissions": [], "left": {}}
            phases = {phase.id: phase for phase in benchmarks.phases(connection)}
            left = {}
            for phase in phases.values():
                today, total = submissions.counted(connection, team[0], phase.id, now)
                of_day, of_all = phase.config.per_day - today, phase.config.total - total
                left[phase.name] = {"today": max(0, min(of_day, of_all)), "total": max(0, of_all)}
            found = search(connection, wanted, team[0])
            shown = [
                {**_shown(one, phases[one.phase_id].config.visibility != "nobody"), **self._come(one)}
                for one in found
            ]
            return {"team": team[1], "submissions": shown, "left": left}

        return reply(await self.store.read(work))

    def _come(self, found: Submission) -> dict[str, int]:
        """How much of an unfinished upload has come."""
        unfinished = found.state in ("received", "checking")
        return {"offset": size_of(self.folder.upload(found.id))} if unfinished else {}

    async def status(self, request: Request, submission: Id) -> Response:
        """A submission of the team: state, place in the queue, how much has come, the score."""
        return reply(await self._about(session_of(request), submission))

    async def changes(self, request: Request, submission: Id) -> Response:
        """The states that a submission of the team has gone through, with reasons and times."""
        found = await self._find(session_of(request), submission)
        return reply(await self.store.read(lambda c: submissions.changes(c, found.id)))

    async def content(self, request: Request, submission: Id, offset: Offset = 0) -> Response:
        """The next piece of the file, from `offset` on; checked at once. 409 tells where to go on."""
        session = session_of(request)
        self._limiter.take(str(session.account))
        found = await self._find(session, submission)
        if request.headers.get("content-type", "").partition(";")[0] != "application/octet-stream":
            raise Refusal(415, "send the file as application/octet-stream")
        data = await _piece(request)
        async with self._locks[submission % len(self._locks)]:  # one piece at a time of each upload
            return await self._take(session, found.id, offset, data)

    async def _take(self, session: Session, key: int, offset: int, data: bytes) -> Response:
        found, path = await self._find(session, key), self.folder.upload(key)
        size = size_of(path)
        if found.state not in ("received", "checking"):
            return reply(await self._about(session, found.id))
        if offset != size:
            raise Refusal(409, f"go on at byte {size}", "offset")
        if size + len(data) > found.bytes:
            raise Refusal(413, f"the file was announced with {found.bytes:,} bytes")
        clock = self.gate.accounts.clock
        if found.state == "received":
            await self.store.write(lambda c: submissions.begin(c, found.id, clock()))
        self.uploads.set_limits(await self._limits())
        try:
            await asyncio.to_thread(self.uploads.append, found.id, found.file_name, path, data)
            if size + len(data) == found.bytes:
                await self._complete(found)
        except DataError as error:
            reason = str(error)
            await self.store.write(lambda c: submissions.move(c, found.id, "failed", clock(), reason))
            path.unlink(missing_ok=True)
            raise Refusal(422, reason, error.rule) from None
        except (StoreUnavailable, Refused):
            raise
        except Exception:  # it would stay `checking`, and each further piece would meet the same
            reason = "the server could not check this file; send it again"
            with suppress(Refused):
                await self.store.write(lambda c: submissions.move(c, found.id, "failed", clock(), reason))
            self.uploads.forget(found.id)
            path.unlink(missing_ok=True)
            raise
        return reply(await self._about(session, found.id))

    async def _limits(self) -> UploadLimits:
        return (await self.store.read(benchmarks.find)).config.uploads

    async def _complete(self, found: Submission) -> None:
        path, clock = self.folder.upload(found.id), self.gate.accounts.clock
        sha256, records = await asyncio.to_thread(self.uploads.finish, found.id, found.file_name, path)
        if found.sha256 and found.sha256 != sha256:
            raise DataError(
                "the bytes are not those of the announced SHA-256; send it again",
                file=found.file_name,
                rule="sha256",
            )
        kept = await self.store.write(lambda c: submissions.complete(c, found.id, sha256, records, clock()))
        if kept != found.id:
            path.unlink(missing_ok=True)
        self.runner.wake()

    async def withdraw(self, request: Request, submission: Id) -> Response:
        """Take a submission back: it is not scored, or leaves the table. A scored one still counts.

        Organisers take back any team's; that stands in the audit. The body may be left out.
        """
        session, accounts, why = session_of(request), self.gate.accounts, await _why(request)
        found = await self._find(session, submission)

        def work(connection: Connection) -> None:
            team = benchmarks.team_of(connection, session.account)
            own = team is not None and team[0] == found.team_id
            reason = f"by the {'team' if own else 'organisers'}{why and ': '}{why}"
            before = submissions.move(connection, found.id, "withdrawn", accounts.clock(), reason, lease="")
            if not own:
                about = {"team": found.team, "phase": found.phase, "state": before, "reason": why}
                accounts.note(connection, session.account, "submission.withdraw", str(found.id), about)

        await self.store.write(work)
        self.uploads.forget(found.id)
        self.folder.upload(found.id).unlink(missing_ok=True)
        return reply(await self._about(session, submission))

    async def describe(self, request: Request, submission: Id) -> Response:
        """Say something else of a submission."""
        session, body = session_of(request), await read_body(request, MethodBody)
        found, about = await self._find(session, submission), _method(body)
        await self.store.write(lambda c: submissions.describe(c, found.id, about))
        return reply(await self._about(session, submission))

    async def _find(self, session: Session, key: int) -> Submission:
        """A submission that the session may see; managers see all."""

        def work(connection: Connection) -> Submission:
            if session.role in MANAGERS:
                return submissions.find(connection, key)
            team = benchmarks.team_of(connection, session.account)
            return submissions.find(connection, key, team[0] if team is not None else 0)

        return await self.store.read(work)

    async def _about(self, session: Session, key: int) -> dict[str, Any]:
        found = await self._find(session, key)
        phase = await self.store.read(lambda c: benchmarks.find_phase(c, found.phase))
        seen = session.role in MANAGERS or phase.config.visibility != "nobody"
        return {**_shown(found, seen), "offset": size_of(self.folder.upload(found.id))}


def _shown(found: Submission, with_score: bool) -> dict[str, Any]:
    """A submission as its team sees it."""
    tree: dict[str, Any] = msgspec.to_builtins(found)
    for name in ("phase_id", "team_id", "worker_id"):
        del tree[name]
    tree["numbers"] = rounded(found.numbers) if with_score else {}
    return tree


def _team(connection: Connection, session: Session) -> int:
    team = benchmarks.team_of(connection, session.account)
    if team is None:
        raise Refusal(409, "you belong to no team; ask the organisers for an invitation to one", "no-team")
    return team[0]


def _method(body: MethodBody) -> Method:
    for name in ("method", "description"):
        if UNSAFE_TEXT & set(getattr(body, name)):
            raise Refusal(422, f"{name}: control characters are not taken")
    return Method(body.method.strip(), body.description.strip(), checked_link(body.link))


async def _why(request: Request) -> str:
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return ""
    reason = (await read_body(request, WithdrawBody)).reason
    return plain_text(reason, "reason", 300) if reason.strip() else ""


async def _piece(request: Request) -> bytes:
    """The body. Raises Refusal for one that is too long."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > PIECE_BYTES:
            raise Refusal(413, f"a piece may have {PIECE_BYTES:,} bytes", headers={"Connection": "close"})
    return bytes(data)
