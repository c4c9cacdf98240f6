"""The doctor on masks: area, box and coverage are those of the run lengths; golds are what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import Part
from amidst.crowd.cell_rule import PointRow
from amidst.crowd.context import read_campaign
from amidst.crowd.faults import Fault
from amidst.crowd.outlines import covered, rasterise
from amidst.crowd.schema import image
from amidst.crowd.schema_chain import cell, coverage, crowd_region, point, segmentation
from amidst.errors import DataError

CELLS = 1000  # in memory


def check_masks(connection: Connection) -> Iterator[Fault]:
    """Every mask and region, some cells at a time so that memory does not grow with the campaign."""
    tolerance = read_campaign(connection).config.segmentation.tolerance_px
    after = 0
    while True:
        window = select(cell.c.id).where(cell.c.id > after).order_by(cell.c.id).limit(CELLS)
        cell_ids = connection.execute(window).scalars().all()
        if not cell_ids:
            break
        yield from _masks(connection, after, cell_ids[-1], tolerance)
        after = cell_ids[-1]
    for row in connection.execute(select(crowd_region).where(crowd_region.c.rle.is_not(None))):
        yield from _region(connection, row.id, row.cell_id, row.rle, row.area)


def _masks(connection: Connection, after: int, last: int, tolerance: float) -> Iterator[Fault]:
    """Those of the cells with an id above `after`, up to `last`."""
    here = (segmentation.c.cell_id > after) & (segmentation.c.cell_id <= last)
    rows = connection.execute(
        select(segmentation, image.c.height, image.c.width)
        .join(cell, cell.c.id == segmentation.c.cell_id)
        .join(image, image.c.id == cell.c.image_id)
        .where(here)
        .order_by(segmentation.c.cell_id, segmentation.c.id)
    ).all()
    covers: defaultdict[int, set[int]] = defaultdict(set)
    for row in connection.execute(
        select(coverage.c.segmentation_id, coverage.c.point_id)
        .join(segmentation, segmentation.c.id == coverage.c.segmentation_id)
        .where(here)
    ):
        covers[row[0]].add(row[1])
    points: defaultdict[int, list[PointRow]] = defaultdict(list)
    for cell_id, *cross in connection.execute(
        select(point.c.cell_id, point.c.id, point.c.x, point.c.y)
        .where(point.c.cell_id > after, point.c.cell_id <= last)
        .order_by(point.c.id)
    ):
        points[cell_id].append(PointRow(*cross))
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
        if not _drawn_so(row.parts_json, mask):
            yield Fault(
                rule="mask",
                subject=f"segmentation/{row.id}",
                problem="its outlines, which are exported, are not those of its run lengths",
            )


def _drawn_so(parts_json: str, mask: Rle) -> bool:
    """Whether outlines give the mask."""
    try:
        parts = msgspec.json.decode(parts_json, type=tuple[Part, ...])
    except msgspec.DecodeError:
        return False
    solid = any(not part.hole for part in parts)
    if not solid:
        return False
    drawn = rasterise(parts, mask.size)
    return drawn == mask or masks.counts(drawn) == masks.counts(mask)  # text is unfolded where it differs


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
