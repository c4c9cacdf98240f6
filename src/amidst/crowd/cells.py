"""Cells in the database: reading what `cell_rule` looks at, and doing what it says."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import numpy as np
from sqlalchemy import BindParameter, Connection, bindparam, exists, insert, select, update

from amidst.coco.records import Rle
from amidst.crowd import units
from amidst.crowd.cell_rule import CELL_STEP, CellInputs, CellOutcome, ClaimRow, MaskRow, PointRow, RegionRow
from amidst.crowd.config import Stage
from amidst.crowd.context import Campaign
from amidst.crowd.decisions import record
from amidst.crowd.outlines import covered
from amidst.crowd.schema import answer, category, image, unit
from amidst.crowd.schema_chain import (
    cell,
    claim,
    coverage,
    crowd_region,
    icon_drop,
    instance,
    point,
    segmentation,
)


def settle(connection: Connection, campaign: Campaign, cell_id: int, now: int) -> CellOutcome:
    """Decides what the cell needs next and opens or closes its units accordingly."""
    category_id = connection.execute(_LOCKED, {"cell": cell_id}).scalar_one()
    outcome, changed = record(
        connection, CELL_STEP, f"cell/{cell_id}", gather(connection, campaign, cell_id), now
    )
    assert isinstance(outcome, CellOutcome)
    if changed:
        connection.execute(
            update(cell)
            .where(cell.c.id == cell_id)
            .values(state=outcome.state, n_segmented=outcome.n_segmented)
        )
    if outcome.step:
        units.open_or_create(
            connection,
            outcome.step,
            cell_id,
            now,
            category_id=category_id,
            expert_only=outcome.expert_only,
        )
    if changed:
        stages: tuple[Stage, ...] = ("segmentation", "crowd_regions")
        if outcome.state == "withdrawn":
            stages = (*stages, "spotting")
        else:
            units.revive(connection, "spotting", cell_id)
        units.cancel(connection, [stage for stage in stages if stage != outcome.step], cell_id)
    return outcome


def gather(connection: Connection, campaign: Campaign, cell_id: int) -> CellInputs:
    """The inputs of the cell's rule, from the rows that count."""
    row = connection.execute(_ABOUT, {"cell": cell_id}).one()
    where = {"image": row.image_id, "category": row.category_id, "cell": cell_id}
    flags = connection.execute(_FLAGS, where).one()
    config = campaign.config
    return CellInputs(
        supported=bool(flags[0]),
        spotted=bool(flags[1]),
        more_than_10=row.more_than_10,
        points=points(connection, cell_id),
        masks=_masks(connection, cell_id),
        claims=_claims(connection, cell_id),
        regions=tuple(RegionRow(*found) for found in connection.execute(_REGIONS, {"cell": cell_id})),
        radius=config.segmentation.neighbour_px * float(np.hypot(row.width, row.height)),
        confirmations=config.segmentation.confirmations,
        cannot_tell=config.segmentation.cannot_tell,
        attempts=config.segmentation.attempts,
        individuals=config.crowd_regions.individuals,
        most_individuals=config.crowd_regions.most_individuals,
        region_attempts=config.crowd_regions.attempts,
        retired=row.retired,
    )


def points(connection: Connection, cell_id: int) -> tuple[PointRow, ...]:
    """The crosses of workers whose work counts; where there is none, the icon that stands in."""
    rows = connection.execute(_POINTS, {"cell": cell_id}).all()
    crosses = [row for row in rows if row.answer_id is not None]
    return tuple(PointRow(row.id, row.x, row.y) for row in crosses or rows)


def every_point(connection: Connection, cell_id: int) -> list[PointRow]:
    """All crosses of a cell, also those that do not count now: coverage outlasts voiding."""
    return [PointRow(*row) for row in connection.execute(_EVERY_POINT, {"cell": cell_id})]


def cover(connection: Connection, campaign: Campaign, masks: dict[int, Rle], crosses: list[PointRow]) -> None:
    """Writes down which of the points each mask (by segmentation id) covers."""
    if not crosses:
        return
    xy = [(cross.x, cross.y) for cross in crosses]
    rows = [
        {"segmentation_id": segmentation_id, "point_id": crosses[index].id}
        for segmentation_id, mask in masks.items()
        for index in np.flatnonzero(covered(mask, xy, campaign.config.segmentation.tolerance_px))
    ]
    if rows:
        connection.execute(insert(coverage), rows)


def read_masks(
    connection: Connection, cell_id: int, states: tuple[str, ...] = ("pending", "accepted")
) -> dict[int, Rle]:
    """Masks of a cell by segmentation id, in order."""
    rows = connection.execute(_OUTLINES, {"cell": cell_id, "states": states})
    return {row.id: Rle((row.height, row.width), row.rle) for row in rows}


def _masks(connection: Connection, cell_id: int) -> tuple[MaskRow, ...]:
    covers: defaultdict[int, list[int]] = defaultdict(list)
    for segmentation_id, point_id in connection.execute(_COVERAGE, {"cell": cell_id}):
        covers[segmentation_id].append(point_id)
    rows = connection.execute(_MASKS, {"cell": cell_id})
    return tuple(MaskRow(row[0], row[1], row[2], tuple(covers[row[0]])) for row in rows)


def _claims(connection: Connection, cell_id: int) -> tuple[ClaimRow, ...]:
    rows = connection.execute(_CLAIMS, {"cell": cell_id})
    return tuple(
        ClaimRow(row[0], row[1], msgspec.json.decode(row[2], type=tuple[int, ...]), row[3]) for row in rows
    )


# Statements are made once: SQLAlchemy takes longer to put one together than SQLite to answer it.
_CELL: BindParameter[int] = bindparam("cell")
_LOCKED = select(cell.c.category_id).where(cell.c.id == _CELL).with_for_update()
_ABOUT = (
    select(
        cell.c.image_id,
        cell.c.category_id,
        cell.c.more_than_10,
        image.c.width,
        image.c.height,
        (category.c.state == "retired").label("retired"),
    )
    .join(image, image.c.id == cell.c.image_id)
    .join(category, category.c.id == cell.c.category_id)
    .where(cell.c.id == _CELL)
)
_SUPPORTED = exists().where(
    icon_drop.c.image_id == bindparam("image"),
    icon_drop.c.category_id == bindparam("category"),
    icon_drop.c.answer_id == answer.c.id,
    answer.c.voided_by.is_(None),
)
_SPOTTED = exists().where(
    unit.c.ref_kind == "cell",
    unit.c.ref_id == _CELL,
    unit.c.stage == "spotting",
    unit.c.done >= unit.c.needed,
)
_FLAGS = select(_SUPPORTED, _SPOTTED)
_POINTS = (
    select(point.c.id, point.c.x, point.c.y, point.c.answer_id)
    .outerjoin(answer, answer.c.id == point.c.answer_id)
    .where(point.c.cell_id == _CELL, answer.c.voided_by.is_(None))
    .order_by(point.c.id)
)
_EVERY_POINT = select(point.c.id, point.c.x, point.c.y).where(point.c.cell_id == _CELL).order_by(point.c.id)
_REGIONS = (
    select(crowd_region.c.id, crowd_region.c.state)
    .where(crowd_region.c.cell_id == _CELL)
    .order_by(crowd_region.c.id)
)
_OUTLINES = (
    select(segmentation.c.id, segmentation.c.rle, image.c.height, image.c.width)
    .join(cell, cell.c.id == segmentation.c.cell_id)
    .join(image, image.c.id == cell.c.image_id)
    .where(segmentation.c.cell_id == _CELL, segmentation.c.state.in_(bindparam("states", expanding=True)))
    .order_by(segmentation.c.id)
)
_COVERAGE = (
    select(coverage.c.segmentation_id, coverage.c.point_id)
    .join(segmentation, segmentation.c.id == coverage.c.segmentation_id)
    .where(segmentation.c.cell_id == _CELL)
    .order_by(coverage.c.point_id)
)
_MASKS = (
    select(segmentation.c.id, segmentation.c.state, instance.c.point_id)
    .join(instance, instance.c.id == segmentation.c.instance_id)
    .where(segmentation.c.cell_id == _CELL)
    .order_by(segmentation.c.id)
)
_CLAIMS = (
    select(claim.c.unit_id, claim.c.kind, claim.c.points_json, claim.c.by_expert)
    .join(answer, answer.c.id == claim.c.answer_id)
    .where(claim.c.cell_id == _CELL, answer.c.voided_by.is_(None))
    .order_by(claim.c.id)
)
