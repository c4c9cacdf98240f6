"""Tickets and places against a plain model: any order of calls leaves both in the same state."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig, LabellingConfig, LeaseConfig
from amidst.crowd.results import Conflict, NoWork, Receipt, Ticket
from amidst.crowd.schema import answer, unit
from amidst.crowd.store import open_store

STEPS = int(os.environ.get("AMIDST_STEPS", "320"))  # in all; 10000 takes minutes
PLAY = 40  # steps from one empty campaign
IMAGES, WORKERS, NEEDED, LENGTH = 3, 4, 2, 100
BODY: dict[str, Any] = {"panels": [{"super": "all", "present": False}]}
CONFIG = CampaignConfig(
    stages=("labelling",),
    lease=LeaseConfig(
        heartbeat_s=LENGTH / 1e6, grid_s=LENGTH / 1e6, drawing_s=1.0, limit_s=1.0, live_tickets=2
    ),
    labelling=LabellingConfig(workers=NEEDED),
)
workers = st.integers(1, WORKERS)
picks = st.integers(0, 10**6)


class Tickets(RuleBasedStateMachine):
    """The model: of each ticket its worker, image, token and state; places are counted from these."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 0
        self.tickets: dict[int, dict[str, Any]] = {}
        self.store = self.do(open_store(Path(self.folder.name) / "c.db", create=True, durable=False))
        self.do(engine.create_campaign(self.store, CONFIG, 0, secret="5e" * 32))
        self.do(engine.add_categories(self.store, [engine.NewCategory(id=1, name="t", supercategory="all")]))
        new = [engine.NewImage(file_name=f"{i}.jpg", width=9, height=9) for i in range(IMAGES)]
        self.images = self.do(engine.add_images(self.store, new, 0))
        for _ in range(WORKERS):
            self.do(engine.add_worker(self.store, "", 0))

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        assert self.do(engine.doctor(self.store)) == []
        self.do(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    def of(self, *states: str) -> list[dict[str, Any]]:
        return [found for found in self.tickets.values() if found["state"] in states]

    def free_for(self, worker: int, image_id: int) -> bool:
        live = [found for found in self.of("leased", "submitted") if found["image"] == image_id]
        return len(live) < NEEDED and worker not in [found["worker"] for found in live]

    @rule(worker=workers)
    def lease(self, worker: int) -> None:
        got = self.do(engine.lease(self.store, worker, "labelling", self.now))
        if sum(found["worker"] == worker for found in self.of("leased")) >= 2:
            assert got == NoWork(reason="too_many_tickets")
        elif not any(self.free_for(worker, image_id) for image_id in self.images):
            assert got == NoWork(reason="nothing_open")
        else:
            assert isinstance(got, Ticket)
            assert self.free_for(worker, got.task.image.id)  # type: ignore[union-attr]
            self.tickets[got.id] = {
                "id": got.id,
                "worker": worker,
                "image": got.task.image.id,  # type: ignore[union-attr]
                "token": got.token,
                "state": "leased",
                "until": self.now + LENGTH,
                "orphans": set(),  # keys whose answers came too late; they stay so
            }

    @precondition(lambda self: self.tickets)
    @rule(pick=picks, key=st.sampled_from(["a", "b"]))
    def submit(self, pick: int, key: str) -> None:
        found = list(self.tickets.values())[pick % len(self.tickets)]
        got = self.do(
            engine.submit(
                self.store, found["worker"], found["id"], found["token"],
                f"{key}{found['id']}", BODY, Client(), self.now,
            )
        )  # fmt: skip
        if found["state"] == "submitted":
            assert isinstance(got, Receipt)
            assert got.replayed
        elif found["state"] == "leased" or (
            found["state"] == "expired"
            and self.free_for(found["worker"], found["image"])
            and key not in found["orphans"]
        ):
            assert isinstance(got, Receipt), (found, got)
            assert not got.replayed
            found["state"] = "submitted"
        else:
            assert isinstance(got, Conflict)
            assert got.orphan_id is not None
            found["orphans"].add(key)

    @precondition(lambda self: self.of("leased"))
    @rule(pick=picks)
    def release(self, pick: int) -> None:
        found = self.of("leased")[pick % len(self.of("leased"))]
        assert self.do(engine.release(self.store, found["worker"], found["id"], found["token"])) is True
        found["state"] = "released"

    @precondition(lambda self: self.of("leased"))
    @rule(pick=picks)
    def heartbeat(self, pick: int) -> None:
        found = self.of("leased")[pick % len(self.of("leased"))]
        until = self.do(engine.heartbeat(self.store, found["worker"], found["id"], found["token"], self.now))
        found["until"] = max(found["until"], self.now + LENGTH)
        assert until == found["until"]

    @precondition(lambda self: self.of("leased"))
    @rule(pick=picks)
    def resume(self, pick: int) -> None:
        found = self.of("leased")[pick % len(self.of("leased"))]
        got = self.do(engine.resume(self.store, found["worker"], found["id"], self.now))
        assert isinstance(got, Ticket)
        found["token"], found["until"] = got.token, max(found["until"], self.now + LENGTH)

    @rule(passed=st.integers(1, 150))
    def time_passes(self, passed: int) -> None:
        self.now += passed
        over = [found for found in self.of("leased") if found["until"] < self.now]
        assert self.do(engine.sweep(self.store, self.now)) == len(over)
        for found in over:
            found["state"] = "expired"

    @invariant()
    def places_are_those_of_the_model(self) -> None:
        rows = self.do(
            self.store.read(
                lambda c: c.execute(
                    select(unit.c.ref_id, unit.c.taken, unit.c.done).where(unit.c.stage == "labelling")
                ).all()
            )
        )
        for image_id, taken, done in rows:
            submitted = sum(found["image"] == image_id for found in self.of("submitted"))
            leased = sum(found["image"] == image_id for found in self.of("leased"))
            assert (taken, done) == (submitted + leased, submitted)
        stored = self.do(self.store.read(lambda c: c.execute(select(answer.c.ticket_id)).all()))
        assert sorted(row[0] for row in stored) == sorted(found["id"] for found in self.of("submitted"))


Tickets.TestCase.settings = settings(
    max_examples=max(1, STEPS // PLAY), stateful_step_count=PLAY, deadline=None
)
TestTickets = Tickets.TestCase
