"""How much spotters agree, and what each further one brings (spec 6.4).

    agreement    of all pairs of workers of a cell: points that are each other's nearest, within 2 % of the
                 image's diagonal, as a share of the points of both (the Dice index)
    new points   of the k-th worker, in the order of answering: those with no earlier point so close

P points of a cell, of W answers. All of it is ours but the measures' names: the thesis shows neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from amidst.crowd.schema import answer, image, slot, unit
from amidst.crowd.schema_chain import cell, point

CELLS = 2500  # the latest that are looked at
NEAR = 0.02  # of the diagonal

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class SpottedCell(msgspec.Struct, frozen=True):
    """xy: (P, 2) pixels. by: (P,) place of the answer that each point is of, 0 first. answers: W."""

    xy: Floats
    by: Ints
    answers: int
    diagonal: float


def agreement(cells: Iterable[SpottedCell]) -> float | None:
    """Dice index over all pairs; None where no pair has a point."""
    matched = total = 0
    for one in cells:
        matched += int(_matches(one).sum())  # a match is counted from both its ends
        total += (one.answers - 1) * len(one.xy)
    return matched / total if total else None


def new_points(cells: Iterable[SpottedCell]) -> tuple[float, ...]:
    """Of the first, second, ... worker: mean number of points that nobody had put there before."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for one in cells:
        near = _apart(one) <= NEAR * one.diagonal
        known = (near & (one.by[None] < one.by[:, None])).any(axis=1)
        for place, number in enumerate(np.bincount(one.by[~known], minlength=one.answers)):
            found[place].append(int(number))
    return tuple(sum(found[place]) / len(found[place]) for place in sorted(found))


def read_spotted(connection: Connection) -> list[SpottedCell]:
    """The latest cells that somebody has spotted, with the answers that count."""
    latest = select(cell.c.id).order_by(cell.c.id.desc()).limit(CELLS).subquery("latest")
    rows = connection.execute(
        select(unit.c.ref_id, answer.c.id, image.c.width, image.c.height)
        .select_from(latest)
        .join(unit, (unit.c.ref_id == latest.c.id) & (unit.c.ref_kind == "cell"))
        .join(slot, slot.c.unit_id == unit.c.id)
        .join(answer, answer.c.id == slot.c.answer_id)
        .join(cell, cell.c.id == latest.c.id)
        .join(image, image.c.id == cell.c.image_id)
        .where(unit.c.stage == "spotting", slot.c.state == "submitted")
        .order_by(unit.c.ref_id, answer.c.id)
    ).all()
    crosses: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    of_latest = select(point.c.answer_id, point.c.x, point.c.y).join(latest, latest.c.id == point.c.cell_id)
    for answer_id, x, y in connection.execute(of_latest.where(point.c.answer_id.is_not(None))):
        crosses[answer_id].append((x, y))
    answers: defaultdict[int, list[int]] = defaultdict(list)
    sizes: dict[int, tuple[int, int]] = {}
    for cell_id, answer_id, width, height in rows:
        answers[cell_id].append(answer_id)
        sizes[cell_id] = (width, height)
    return [_cell([crosses[one] for one in ids], sizes[cell_id]) for cell_id, ids in answers.items()]


def _cell(points: list[list[tuple[float, float]]], size: tuple[int, int]) -> SpottedCell:
    return SpottedCell(
        xy=np.array([xy for one in points for xy in one], dtype=np.float64).reshape(-1, 2),
        by=np.repeat(np.arange(len(points)), [len(one) for one in points]),
        answers=len(points),
        diagonal=float(np.hypot(*size)),
    )


def _apart(one: SpottedCell) -> Floats:
    """(P, P) distances."""
    apart: Floats = np.hypot(*(one.xy[:, None] - one.xy[None]).transpose(2, 0, 1))
    return apart


def _matches(one: SpottedCell) -> npt.NDArray[np.bool_]:
    """(P, W) whether a point has a partner in an answer: each is the other's nearest, and near."""
    rows, apart = np.arange(len(one.xy)), _apart(one)
    nearest = np.full((len(one.xy), one.answers), -1, dtype=np.int64)  # (P, W); of ties the first
    for place in range(one.answers):
        own = np.flatnonzero(one.by == place)
        if len(own):
            nearest[:, place] = own[apart[:, own].argmin(axis=1)]
    mutual = nearest[nearest, one.by[:, None]] == rows[:, None]
    near = np.take_along_axis(apart, nearest, axis=1) <= NEAR * one.diagonal if len(rows) else mutual
    others = one.by[:, None] != np.arange(one.answers)
    matches: npt.NDArray[np.bool_] = (nearest >= 0) & mutual & near & others
    return matches
