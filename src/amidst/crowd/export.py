"""The dataset as it stands: accepted masks and crowd regions of kept images.

- Ids are the campaign's own and never counted anew: images keep theirs, category ids are the owner's, a
  mask is annotation 2m, a crowd region 2r + 1, for their row numbers m and r.
- iscrowd is set for crowd regions and for nothing else, whatever the encoding.
- A mask is written as its polygons where these give it exactly, which a hole does not allow; else as RLE.
- Images without objects stay.
- Retired categories and what belongs to them are left out.

`curation.release` turns the result into files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image, Polygons, Rle
from amidst.crowd import unsettled
from amidst.crowd.bodies import Part
from amidst.crowd.context import read_campaign
from amidst.crowd.schema import answer, category, image, supercategory
from amidst.crowd.schema_chain import caption, cell, crowd_region, segmentation
from amidst.curation.release import Caption
from amidst.errors import UsageError


@dataclass(frozen=True, slots=True)
class Export:
    """A dataset and its captions."""

    dataset: CocoDataset
    captions: tuple[Caption, ...]


def export(connection: Connection) -> Export:
    """Reads everything that is released; the same rows give the same export.

    Raises UsageError while a manager's change is not settled: decisions are older than what they rest on.
    """
    waiting = unsettled.number(connection)
    if waiting:
        raise UsageError(
            f"{waiting:,} decisions wait to be drawn again after a manager's change; `amidst crowd serve` "
            "does so while it runs: export then"
        )
    config = read_campaign(connection).config
    images, licences = _images(connection)
    annotations = [*_masks(connection), *_regions(connection)]
    dataset = CocoDataset(
        images,
        tuple(sorted(annotations, key=lambda annotation: annotation.id)),
        _categories(connection),
        {"description": config.name, "version": config.version},
        licences,
        {},
    )
    sentences = connection.execute(
        select(caption.c.id, caption.c.image_id, caption.c.text)
        .join(answer, answer.c.id == caption.c.answer_id)
        .join(image, image.c.id == caption.c.image_id)
        .where(answer.c.voided_by.is_(None), image.c.state == "kept")
        .order_by(caption.c.id)
    )
    return Export(dataset, tuple(Caption(row[0], row[1], row[2]) for row in sentences))


def _images(connection: Connection) -> tuple[tuple[Image, ...], tuple[dict[str, object], ...]]:
    rows = connection.execute(select(image).where(image.c.state == "kept").order_by(image.c.id)).all()
    names = sorted({row.licence for row in rows if row.licence})
    licence_id = {name: number for number, name in enumerate(names, start=1)}
    images = tuple(
        Image(
            id=row.id,
            width=row.width,
            height=row.height,
            file_name=row.file_name,
            license=licence_id.get(row.licence),
            extra=_origin(row),
        )
        for row in rows
    )
    return images, tuple({"id": licence_id[name], "name": name, "url": ""} for name in names)


def _origin(row: Any) -> dict[str, object]:
    """What splits and credits are made from, where it is known."""
    known = {"photographer": row.photographer, "date_captured": row.taken_on, "source": row.source}
    return {name: value for name, value in known.items() if value}


def _categories(connection: Connection) -> tuple[Category, ...]:
    rows = connection.execute(
        select(category.c.id, category.c.name, supercategory.c.name)
        .join(supercategory, supercategory.c.id == category.c.supercategory_id)
        .where(category.c.state == "active")
        .order_by(category.c.id)
    )
    return tuple(Category(row[0], row[1], row[2]) for row in rows)


def _masks(connection: Connection) -> list[Annotation]:
    rows = connection.execute(
        select(segmentation, cell.c.image_id, cell.c.category_id, image.c.height, image.c.width)
        .join(cell, cell.c.id == segmentation.c.cell_id)
        .join(image, image.c.id == cell.c.image_id)
        .join(category, category.c.id == cell.c.category_id)
        .where(segmentation.c.state == "accepted", category.c.state == "active")
        .where(cell.c.state != "withdrawn", image.c.state == "kept")
        .order_by(segmentation.c.id)
    )
    return [
        Annotation(
            id=2 * row.id,
            image_id=row.image_id,
            category_id=row.category_id,
            bbox_xywh=(row.x, row.y, row.w, row.h),
            area=float(row.area),
            segmentation=polygons_of(row.parts_json) or Rle((row.height, row.width), row.rle),
        )
        for row in rows
    ]


def polygons_of(parts_json: str) -> Polygons | None:
    """The outlines of a mask, or None if it has a hole, which a list of polygons cannot say."""
    parts = msgspec.json.decode(parts_json, type=tuple[Part, ...])
    if not parts or any(part.hole for part in parts):
        return None
    return tuple(tuple(value for vertex in part.points for value in vertex) for part in parts)


def _regions(connection: Connection) -> list[Annotation]:
    rows = connection.execute(
        select(crowd_region, cell.c.image_id, cell.c.category_id, image.c.height, image.c.width)
        .join(cell, cell.c.id == crowd_region.c.cell_id)
        .join(image, image.c.id == cell.c.image_id)
        .join(category, category.c.id == cell.c.category_id)
        .where(crowd_region.c.state == "accepted", crowd_region.c.rle.is_not(None))
        .where(category.c.state == "active")
        .where(cell.c.state != "withdrawn", image.c.state == "kept")
        .order_by(crowd_region.c.id)
    ).all()
    rles = [Rle((row.height, row.width), row.rle) for row in rows]
    boxes = masks.boxes(rles)
    return [
        Annotation(
            id=2 * row.id + 1,
            image_id=row.image_id,
            category_id=row.category_id,
            bbox_xywh=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            area=float(row.area),
            iscrowd=True,
            segmentation=rle,
        )
        for row, rle, box in zip(rows, rles, boxes, strict=True)
    ]
