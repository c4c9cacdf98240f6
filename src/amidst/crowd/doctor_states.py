"""The doctor on states that follow from other rows: of units and instances; cells need an icon.

Each rule is one statement: the database goes through the rows, and faults alone come out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, case, exists, func, or_, select

from amidst.crowd import questions
from amidst.crowd.faults import Fault
from amidst.crowd.schema import answer, image, unit
from amidst.crowd.schema_chain import cell, crowd_region, icon_drop, instance, point, segmentation


def check_states(connection: Connection) -> Iterator[Fault]:
    """See the module."""
    yield from _cancelled(connection)
    yield from _cells(connection)
    yield from _instances(connection)
    for table in (segmentation, crowd_region):
        yield from _judged(connection, table)


def _cancelled(connection: Connection) -> Iterator[Fault]:
    """Work on a kept image is called off where it is a question about retired categories alone."""
    empty = questions.empty(connection)
    for row in connection.execute(
        select(unit.c.id, unit.c.stage, unit.c.ref_id)
        .join(image, image.c.id == unit.c.ref_id)
        .where(unit.c.ref_kind == "image", unit.c.state == "cancelled", image.c.state == "kept")
        .where(unit.c.question.not_in(empty))
    ):
        yield Fault(
            rule="unit-image",
            subject=f"unit/{row[0]}",
            problem=f"{row[1]} of image/{row[2]} is cancelled, and the image is kept",
        )


def _cells(connection: Connection) -> Iterator[Fault]:
    """A cell lives as long as an icon that counts says that the category is there."""
    named = exists().where(
        icon_drop.c.image_id == cell.c.image_id,
        icon_drop.c.category_id == cell.c.category_id,
        icon_drop.c.answer_id == answer.c.id,
        answer.c.voided_by.is_(None),
    )
    for row in connection.execute(select(cell.c.id, cell.c.state).where(cell.c.state != "withdrawn", ~named)):
        yield Fault(rule="cell-icon", subject=f"cell/{row[0]}", problem=f"is {row[1]} without an icon")
    spotted = exists().where(
        unit.c.ref_kind == "cell", unit.c.ref_id == cell.c.id, unit.c.stage == "spotting"
    )
    for row in connection.execute(select(cell.c.id).where(~spotted)):
        yield Fault(rule="cell-units", subject=f"cell/{row[0]}", problem="has no unit of spotting")
    for stage, state in (("segmentation", "segmenting"), ("crowd_regions", "crowd")):
        open_unit = exists().where(
            unit.c.ref_kind == "cell",
            unit.c.ref_id == cell.c.id,
            unit.c.stage == stage,
            unit.c.state == "open",
        )
        for cell_id, found in connection.execute(
            select(cell.c.id, cell.c.state).where(open_unit != (cell.c.state == state))
        ):
            yield Fault(
                rule="cell-units",
                subject=f"cell/{cell_id}",
                problem=f"is {found} {'without' if found == state else 'with'} an open unit of {stage}",
            )


def _instances(connection: Connection) -> Iterator[Fault]:
    """State and attempts of an instance are those of its masks; all lie in one cell."""

    def masks(state: str) -> Any:
        return func.coalesce(func.sum(case((segmentation.c.state == state, 1), else_=0)), 0)

    said = case((masks("accepted") > 0, "accepted"), (masks("pending") > 0, "pending"), else_="pool")
    for row in connection.execute(
        select(instance.c.id, instance.c.state, instance.c.attempt, said, masks("discarded"))
        .outerjoin(segmentation, segmentation.c.instance_id == instance.c.id)
        .group_by(instance.c.id, instance.c.state, instance.c.attempt)
        .having(or_(instance.c.state != said, instance.c.attempt != masks("discarded")))
    ):
        yield Fault(
            rule="instance",
            subject=f"instance/{row[0]}",
            problem=f"is {row[1]} after {row[2]} discarded masks; its masks say {row[3]} after {row[4]}",
        )
    for mask_id, instance_id in connection.execute(
        select(segmentation.c.id, instance.c.id)
        .join(instance, instance.c.id == segmentation.c.instance_id)
        .join(point, point.c.id == instance.c.point_id)
        .where(or_(instance.c.cell_id != segmentation.c.cell_id, point.c.cell_id != instance.c.cell_id))
    ):
        yield Fault(
            rule="instance",
            subject=f"segmentation/{mask_id}",
            problem=f"is of instance {instance_id}, which is of another cell",
        )


def _judged(connection: Connection, table: Table) -> Iterator[Fault]:
    """What is verified: its unit is as its verdict is, and keeps away whoever drew it."""
    verdict = case(
        (table.c.state == "pending", "open"), (table.c.state == "withdrawn", "cancelled"), else_="decided"
    )
    wrong = or_(unit.c.state != verdict, unit.c.author_id.is_distinct_from(answer.c.worker_id))
    for row in connection.execute(
        select(unit.c.id, unit.c.state, unit.c.author_id, table.c.id, table.c.state, answer.c.worker_id)
        .join(table, table.c.id == unit.c.ref_id)
        .join(answer, answer.c.id == table.c.answer_id)
        .where(unit.c.stage == "verification", unit.c.ref_kind == table.name, wrong)
    ):
        yield Fault(
            rule="unit-verdict",
            subject=f"unit/{row[0]}",
            problem=f"is {row[1]} and keeps away worker {row[2]}; {table.name}/{row[3]} is {row[4]}, "
            f"drawn by {row[5]}",
        )
