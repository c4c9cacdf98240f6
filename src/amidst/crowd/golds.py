"""Known items: masks for training and for grids, images for the filter."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import Wire
from amidst.crowd.context import read_campaign, read_image
from amidst.crowd.schema import category, gold
from amidst.crowd.spoiling import spoil
from amidst.errors import DataError, UnknownRecord


class GoldRecord(Wire, frozen=True):
    """A known item. kind: known_bad, known_good, training (masks); iconic, not_iconic (images)."""

    id: int
    kind: str
    image_id: int
    category_id: int | None
    source: str
    state: str


def add_mask(
    connection: Connection, image_id: int, category_id: int, rle: Rle, source: str, spoiled: bool
) -> list[int]:
    """A true mask of an object: for training, as a known good one, and spoiled as known bad ones.

    The mask is trusted: an expert has drawn or approved it. Returns the ids, training first. Raises
    UnknownRecord, or DataError for a mask of another size, or one that is too small.
    """
    config = read_campaign(connection).config
    image = read_image(connection, image_id)
    if connection.execute(select(category.c.id).where(category.c.id == category_id)).first() is None:
        raise UnknownRecord(f"there is no category {category_id}")
    size_hw = (image.height, image.width)
    mask = masks.from_segmentation(rle, size_hw)
    if int(masks.area([mask])[0]) < config.segmentation.min_area:
        raise DataError("the mask is too small", record=f"image {image_id}", rule="mask-small")
    shapes = [("training", mask), ("known_good", mask)]
    if spoiled:
        others = [
            Rle(size_hw, row[0])
            for row in connection.execute(
                select(gold.c.rle)
                .where(gold.c.kind == "training", gold.c.image_id == image_id)
                # A neighbour of the same category would be a good mask of that category.
                .where(gold.c.category_id != category_id)
                .order_by(gold.c.id)
            )
        ]
        least, most = config.segmentation.min_area, config.verification.bad_iou
        shapes += [("known_bad", bad) for bad in spoil(mask, most, neighbours=others, min_area=least)]
    made = connection.execute(
        insert(gold).returning(gold.c.id, sort_by_parameter_order=True),
        [
            {
                "kind": kind,
                "image_id": image_id,
                "category_id": category_id,
                "rle": str(shape.counts),
                "source": source,
            }
            for kind, shape in shapes
        ],
    )
    return [row[0] for row in made]


def add_image(connection: Connection, image_id: int, *, iconic: bool) -> int:
    """A known image of the filter. Raises UnknownRecord."""
    read_image(connection, image_id)
    made: int = connection.execute(
        insert(gold).returning(gold.c.id),
        {"kind": "iconic" if iconic else "not_iconic", "image_id": image_id},
    ).scalar_one()
    return made


def retire(connection: Connection, gold_id: int) -> None:
    """Takes a known item out of future tickets. Raises UnknownRecord."""
    if not connection.execute(update(gold).where(gold.c.id == gold_id).values(state="retired")).rowcount:
        raise UnknownRecord(f"there is no known item {gold_id}")


def every(connection: Connection) -> list[GoldRecord]:
    """All known items, in order of id."""
    rows = connection.execute(select(gold).order_by(gold.c.id))
    return [
        GoldRecord(
            id=row.id,
            kind=row.kind,
            image_id=row.image_id,
            category_id=row.category_id,
            source=row.source,
            state=row.state,
        )
        for row in rows
    ]
