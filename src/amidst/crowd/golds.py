"""Known items: masks for training and for grids, images for the filter."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select, update

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd import campaigns, image_filter, units
from amidst.crowd.bodies import ImageRef, Wire
from amidst.crowd.campaigns import NewImage
from amidst.crowd.context import read_campaign, read_image
from amidst.crowd.schema import answer, category, gold, gold_result, image, unit, worker
from amidst.crowd.schema_chain import cell, mask_vote, segmentation
from amidst.crowd.spoiling import spoil
from amidst.errors import DataError, UnknownRecord


class NewKnown(Wire, frozen=True):
    """A photograph known to the engine alone, with true masks: (category id, mask) each."""

    image: NewImage
    masks: tuple[tuple[int, Rle], ...]


class GoldRecord(Wire, frozen=True):
    """A known item. kind: known_bad, known_good, training (masks); iconic, not_iconic (images).

    right, wrong: what workers said of it at their first try.
    """

    id: int
    kind: str
    image: ImageRef
    category: int | None
    mask: Rle | None
    source: str
    state: str
    right: int
    wrong: int


class DecidedMask(Wire, frozen=True):
    """A mask that workers have decided. good, bad: votes. known: it is a known item already."""

    id: int
    image: ImageRef
    category: int
    mask: Rle
    state: str
    worker: int
    display: str
    good: int
    bad: int
    known: bool


def add_mask(
    connection: Connection, image_id: int, category_id: int, rle: Rle, source: str, spoiled: bool
) -> list[int]:
    """A true mask of an object: for training, as a known good one, and spoiled as known bad ones.

    The mask is trusted: an expert has drawn or approved it. Returns the ids, training first. Raises
    UnknownRecord, or DataError for a mask of another size, or one that is too small.
    """
    config = read_campaign(connection).config
    shown = read_image(connection, image_id)
    if connection.execute(select(category.c.id).where(category.c.id == category_id)).first() is None:
        raise UnknownRecord(f"there is no category {category_id}")
    size_hw = (shown.height, shown.width)
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


def add_known(connection: Connection, known: Sequence[NewKnown], now: int) -> int:
    """Adds photographs with their masks; the number of masks. Of a photograph that is known already, further
    masks are added, and those that are there are left.

    Raises as `add_mask` and `add_images`, or DataError for a photograph that is labelled in the campaign.
    """
    added = 0
    for one in known:
        image_id = _known_image(connection, one, now)
        there = select(gold.c.category_id, gold.c.rle).where(
            gold.c.kind == "training", gold.c.state == "active", gold.c.image_id == image_id
        )
        known_already = {(row[0], row[1]) for row in connection.execute(there)}
        for category_id, mask in one.masks:
            if (category_id, str(mask.counts)) not in known_already:
                add_mask(connection, image_id, category_id, mask, "", spoiled=True)
                added += 1
    return added


def _known_image(connection: Connection, one: NewKnown, now: int) -> int:
    """The photograph's id, made if it is new."""
    same = select(image.c.id, image.c.file_name, image.c.state).where(image.c.sha256 == one.image.sha256)
    twice = connection.execute(same).first() if one.image.sha256 else None
    if twice is None:
        return campaigns.add_images(connection, [one.image], now, "gold")[0]
    if twice.state != "gold":
        raise DataError(
            f"is the photograph {twice.file_name!r} of the campaign: one that is labelled cannot be known",
            record=f"image {one.image.file_name!r}",
            rule="gold-labelled",
        )
    return int(twice.id)


def add_image(connection: Connection, image_id: int, now: int, *, iconic: bool) -> int:
    """A known image of the filter; one that was to be filtered is decided thereby.

    Raises UnknownRecord, or DataError where it is known already.
    """
    read_image(connection, image_id)
    connection.execute(select(image.c.id).where(image.c.id == image_id).with_for_update())
    known = gold.c.kind.in_(("iconic", "not_iconic")) & (gold.c.state == "active")
    if connection.execute(select(gold.c.id).where(known, gold.c.image_id == image_id)).first() is not None:
        raise DataError(
            "it is a known item already; to change what it is, retire that one first",
            record=f"image {image_id}",
            rule="gold-twice",
        )
    made: int = connection.execute(
        insert(gold).returning(gold.c.id),
        {"kind": "iconic" if iconic else "not_iconic", "image_id": image_id},
    ).scalar_one()
    if units.needed(connection, "image_filter", "image", image_id) is not None:
        image_filter.settle(connection, read_campaign(connection), image_id, now)
    return made


def retire(connection: Connection, gold_id: int) -> None:
    """Takes a known item out of future tickets. Raises UnknownRecord."""
    if not connection.execute(update(gold).where(gold.c.id == gold_id).values(state="retired")).rowcount:
        raise UnknownRecord(f"there is no known item {gold_id}")


def add_decided(connection: Connection, mask_id: int, spoiled: bool) -> list[int]:
    """A mask that verification has decided becomes a known one: good and for training, or bad; the ids.

    Raises UnknownRecord, or DataError where it is not decided or is known already.
    """
    source = f"segmentation/{mask_id}"
    row = connection.execute(_DECIDED.where(segmentation.c.id == mask_id)).first()
    if row is None or row.state not in ("accepted", "discarded"):
        raise UnknownRecord(f"there is no decided mask {mask_id}")
    if connection.execute(select(gold.c.id).where(gold.c.source == source)).first() is not None:
        raise DataError("it is a known item already", record=source, rule="gold-twice")
    rle = Rle((row.height, row.width), row.rle)
    if row.state == "accepted":
        return add_mask(connection, row.image_id, row.category_id, rle, source, spoiled)
    values = {"kind": "known_bad", "image_id": row.image_id, "category_id": row.category_id}
    made = connection.execute(insert(gold).returning(gold.c.id), {**values, "rle": row.rle, "source": source})
    return [made.scalar_one()]


def every(
    connection: Connection, *, kind: str | None, state: str | None, after: int, limit: int
) -> list[GoldRecord]:
    """Known items with an id above `after`, in order of id. kind, state: only these."""
    wanted = gold.c.id > after
    if kind is not None:
        wanted &= gold.c.kind == kind
    if state is not None:
        wanted &= gold.c.state == state
    rows = connection.execute(
        select(gold, image.c.width, image.c.height)
        .join(image, image.c.id == gold.c.image_id)
        .where(wanted)
        .order_by(gold.c.id)
        .limit(limit)
    ).all()
    said = _said(connection, [row.id for row in rows])
    return [
        GoldRecord(
            id=row.id,
            kind=row.kind,
            image=ImageRef(id=row.image_id, width=row.width, height=row.height),
            category=row.category_id,
            mask=None if row.rle is None else Rle((row.height, row.width), row.rle),
            source=row.source,
            state=row.state,
            right=said.get((row.id, True), 0),
            wrong=said.get((row.id, False), 0),
        )
        for row in rows
    ]


def decided_masks(
    connection: Connection, *, state: str, category_id: int | None, before: int, limit: int
) -> list[DecidedMask]:
    """Accepted or discarded masks with an id below `before`, newest first: whence known items come."""
    wanted = (segmentation.c.state == state) & (segmentation.c.id < before)
    if category_id is not None:
        wanted &= cell.c.category_id == category_id
    rows = connection.execute(_DECIDED.where(wanted).order_by(segmentation.c.id.desc()).limit(limit)).all()
    ids = [row.id for row in rows]
    votes = {
        (row[0], bool(row[1])): row[2]
        for row in connection.execute(
            select(unit.c.ref_id, mask_vote.c.good, func.count())
            .join(unit, unit.c.id == mask_vote.c.unit_id)
            .join(answer, answer.c.id == mask_vote.c.answer_id)
            .where(unit.c.ref_kind == "segmentation", unit.c.ref_id.in_(ids), answer.c.voided_by.is_(None))
            .group_by(unit.c.ref_id, mask_vote.c.good)
        )
    }
    sources = [f"segmentation/{one}" for one in ids]
    known = {row[0] for row in connection.execute(select(gold.c.source).where(gold.c.source.in_(sources)))}
    return [
        DecidedMask(
            id=row.id,
            image=ImageRef(id=row.image_id, width=row.width, height=row.height),
            category=row.category_id,
            mask=Rle((row.height, row.width), row.rle),
            state=row.state,
            worker=row.worker_id,
            display=row.display,
            good=votes.get((row.id, True), 0),
            bad=votes.get((row.id, False), 0),
            known=f"segmentation/{row.id}" in known,
        )
        for row in rows
    ]


def _said(connection: Connection, ids: list[int]) -> dict[tuple[int, bool], int]:
    rows = connection.execute(
        select(gold_result.c.gold_id, gold_result.c.correct, func.count())
        .where(gold_result.c.gold_id.in_(ids), gold_result.c.try_no == 1)
        .group_by(gold_result.c.gold_id, gold_result.c.correct)
    )
    return {(row[0], bool(row[1])): row[2] for row in rows}


_DECIDED = (
    select(
        segmentation.c.id,
        segmentation.c.rle,
        segmentation.c.state,
        cell.c.image_id,
        cell.c.category_id,
        image.c.width,
        image.c.height,
        answer.c.worker_id,
        worker.c.display,
    )
    .join(cell, cell.c.id == segmentation.c.cell_id)
    .join(image, image.c.id == cell.c.image_id)
    .join(answer, answer.c.id == segmentation.c.answer_id)
    .join(worker, worker.c.id == answer.c.worker_id)
)
