"""The answers of the labelling stage as `quality` takes them, read from the database.

What `quality` calls an image is a unit here: who was asked about some categories alone has not overlooked
the others (`questions`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select

from amidst.crowd.quality import Labels
from amidst.crowd.schema import answer, slot, worker
from amidst.crowd.schema_chain import icon_drop

MOST = 60_000  # answers looked at, the latest ones


@dataclass(frozen=True, eq=False)
class Labelled:
    """everyone: who was shown and named what. experts: ids. whole: no answer was left out."""

    everyone: Labels
    experts: tuple[int, ...]
    whole: bool

    @property
    def of_experts(self) -> Labels:
        """The experts' answers alone, on images that others have labelled too."""
        crowd = self.of_crowd
        own = self.everyone.without(sorted(set(self.everyone.jobs[:, 1].tolist()) - set(self.experts)))
        shared = set(crowd.jobs[:, 0].tolist())
        return Labels.of(
            [row for row in own.jobs.tolist() if row[0] in shared],
            [row for row in own.positives.tolist() if row[0] in shared],
        )

    @property
    def of_crowd(self) -> Labels:
        """Everyone else's."""
        return self.everyone.without(self.experts)


def read_labels(connection: Connection, most: int = MOST) -> Labelled:
    """What workers were shown and named in their last `most` answers; voided work is left out."""
    counted = (answer.c.stage == "labelling") & (answer.c.status == "accepted") & answer.c.voided_by.is_(None)
    first = connection.scalar(
        select(answer.c.id).where(counted).order_by(answer.c.id.desc()).offset(most).limit(1)
    )
    if first is not None:
        counted &= answer.c.id > first
    return Labelled(
        Labels.of(_jobs(connection, counted), _positives(connection, counted)),
        tuple(row[0] for row in connection.execute(select(worker.c.id).where(worker.c.expert))),
        first is None,
    )


def _jobs(connection: Connection, counted: ColumnElement[bool]) -> list[tuple[int, int]]:
    rows = connection.execute(
        select(slot.c.unit_id, answer.c.worker_id)
        .select_from(answer)
        .join(slot, slot.c.answer_id == answer.c.id)
        .where(counted)
    )
    return [(row[0], row[1]) for row in rows]


def _positives(connection: Connection, counted: ColumnElement[bool]) -> list[tuple[int, int, int]]:
    rows = connection.execute(
        select(slot.c.unit_id, icon_drop.c.category_id, answer.c.worker_id)
        .join(answer, answer.c.id == icon_drop.c.answer_id)
        .join(slot, slot.c.answer_id == answer.c.id)
        .where(counted)
    )
    return [(row[0], row[1], row[2]) for row in rows]
