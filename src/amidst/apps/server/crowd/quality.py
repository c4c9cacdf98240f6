"""Worker quality for managers: every labeller against the others, and drawers whose masks are discarded.

    GET /api/quality        leave-one-out precision and recall (Fig. 2.4 b), who falls below the line, whom
                            to propose for voiding

The figures are those of `amidst.crowd.quality` and `reputation`; this file gathers the rows for them.
"""

from __future__ import annotations

import asyncio

import msgspec
from fastapi import APIRouter, Response
from sqlalchemy import Connection, select

from amidst.apps.server.access import MANAGERS, Gate, Routes
from amidst.apps.server.errors import reply
from amidst.crowd.bodies import LabellingBody
from amidst.crowd.quality import Labels, RejectionLine, reject_poor
from amidst.crowd.reputation import propose_voiding
from amidst.crowd.schema import answer, slot, unit
from amidst.crowd.schema_chain import segmentation
from amidst.crowd.store import Store

DECIDED = ("accepted", "discarded")


class QualityRoutes:
    """See the module."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate

    def router(self) -> APIRouter:
        """The routes."""
        routes = Routes(self._gate)
        routes.add("GET", "/api/quality", self.quality, MANAGERS)
        return routes.router

    async def quality(self) -> Response:
        """Who agrees with whom, who falls below the line, whose masks are discarded too often."""
        labels = await self._store.read(read_labels)
        drawers, discarded = await self._store.read(_read_masks)
        below, agreement = await asyncio.to_thread(reject_poor, labels, RejectionLine())
        return reply(
            {
                "labellers": [one.to_builtins() for one in agreement],
                "below_line": below,
                "void_proposals": [one.to_builtins() for one in propose_voiding(drawers, discarded)],
            }
        )


def read_labels(connection: Connection) -> Labels:
    """What every worker was shown and named in the labelling stage; voided work is left out."""
    rows = connection.execute(
        select(unit.c.ref_id, answer.c.worker_id, answer.c.body_json)
        .select_from(answer)
        .join(slot, slot.c.answer_id == answer.c.id)
        .join(unit, unit.c.id == slot.c.unit_id)
        .where(
            (answer.c.stage == "labelling") & (answer.c.status == "accepted") & answer.c.voided_by.is_(None)
        )
    )
    jobs: list[tuple[int, int]] = []
    positives: list[tuple[int, int, int]] = []
    decoder = msgspec.json.Decoder(LabellingBody)
    for image_id, worker, body in rows:
        jobs.append((image_id, worker))
        for panel in decoder.decode(body).panels:
            positives += [(image_id, icon.category, worker) for icon in panel.icons]
    return Labels.of(jobs, positives)


def _read_masks(connection: Connection) -> tuple[list[int], list[bool]]:
    """Drawer and fate of every decided mask."""
    rows = connection.execute(
        select(answer.c.worker_id, segmentation.c.state)
        .join(answer, answer.c.id == segmentation.c.answer_id)
        .where(segmentation.c.state.in_(DECIDED))
    ).all()
    return [row[0] for row in rows], [row[1] == "discarded" for row in rows]
