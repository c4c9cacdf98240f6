"""The doctor on masks: area, box and coverage are those of the run lengths; golds are what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from sqlalchemy import Connection, select

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.cells import every_point
from amidst.crowd.context import read_campaign
from amidst.crowd.faults import Fault
from amidst.crowd.outlines import covered
from amidst.crowd.schema import image
from amidst.crowd.schema_chain import cell, coverage, crowd_region, segmentation
from amidst.errors import DataError


def check_masks(connection: Connection) -> Iterator[Fault]:
    """Every mask and region, cell by cell."""
    tolerance = read_campaign(connection).config.segmentation.tolerance_px
    rows = connection.execute(
        select(segmentation, image.c.height, image.c.width)
        .join(cell, cell.c.id == segmentation.c.cell_id)
        .join(image, image.c.id == cell.c.image_id)
        .order_by(segmentation.c.cell_id, segmentation.c.id)
    ).all()
    covers: defaultdict[int, set[int]] = defaultdict(set)
    for row in connection.execute(select(coverage.c.segmentation_id, coverage.c.point_id)):
        covers[row[0]].add(row[1])
    points = {cell_id: every_point(connection, cell_id) for cell_id in sorted({row.cell_id for row in rows})}
    for row in rows:
        mask = Rle((row.height, row.width), row.rle)
        try:
            masks.check(mask)
        except DataError as error:
            yield Fault(rule="mask", subject=f"segmentation/{row.id}", problem=error.problem)
            continue
        area, box = int(masks.area([mask])[0]), masks.boxes([mask])[0]
        if area != row.area or not np.array_equal(box, [row.x, row.y, row.w, row.h]):
            yield Fault(
                rule="mask",
                subject=f"segmentation/{row.id}",
                problem=f"area {row.area} and box are not the mask's ({area})",
            )
        crosses = points[row.cell_id]
        inside = covered(mask, [(p.x, p.y) for p in crosses], tolerance)
        if {p.id for p, hit in zip(crosses, inside, strict=True) if hit} != covers[row.id]:
            yield Fault(
                rule="coverage",
                subject=f"segmentation/{row.id}",
                problem="the points written as covered are not those that the mask covers",
            )
    for row in connection.execute(select(crowd_region).where(crowd_region.c.rle.is_not(None))):
        yield from _region(connection, row.id, row.cell_id, row.rle, row.area)


def _region(connection: Connection, region_id: int, cell_id: int, rle: str, area: int) -> Iterator[Fault]:
    size = connection.execute(
        select(image.c.height, image.c.width)
        .join(cell, cell.c.image_id == image.c.id)
        .where(cell.c.id == cell_id)
    ).one()
    mask = Rle((size[0], size[1]), rle)
    try:
        masks.check(mask)
    except DataError as error:
        yield Fault(rule="mask", subject=f"crowd_region/{region_id}", problem=error.problem)
        return
    if int(masks.area([mask])[0]) != area:
        yield Fault(
            rule="mask", subject=f"crowd_region/{region_id}", problem=f"area {area} is not its mask's"
        )
