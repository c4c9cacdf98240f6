"""What a cell (one category in one image) needs next.

    spotting -> (segmenting <-> waiting)* -> [crowd] -> closed | false_positive;  withdrawn without support

A point is live while no pending or accepted mask covers it and nobody has closed it. Live points are drawn
one after the other; with none left the cell waits for its verdicts and closes. From ten accepted masks on the
rest becomes one crowd region, unless it fits into fifteen.

Source: section 2.4.3 and appendix A of the thesis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.crowd.rules import Inputs, Outcome, Rule, clusters

State = Literal["spotting", "segmenting", "waiting", "crowd", "closed", "false_positive", "withdrawn"]


class PointRow(msgspec.Struct, frozen=True, array_like=True):
    """A cross."""

    id: int
    x: float
    y: float


class MaskRow(msgspec.Struct, frozen=True, array_like=True):
    """A mask, the point it was drawn for, and the points it covers."""

    id: int
    state: str
    seed: int
    covers: tuple[int, ...]


class ClaimRow(msgspec.Struct, frozen=True, array_like=True):
    """A word against drawing: which points it would close; claims of one step belong together. An expert
    needs no second.
    """

    unit: int
    kind: str
    points: tuple[int, ...]
    by_expert: bool


class RegionRow(msgspec.Struct, frozen=True, array_like=True):
    """A crowd region."""

    id: int
    state: str


class CellInputs(Inputs, frozen=True):
    """supported: someone whose work counts says that the category is in the image. retired: nobody asks about
    the category any more. Lengths in pixels.
    """

    supported: bool
    spotted: bool
    more_than_10: bool
    points: tuple[PointRow, ...]
    masks: tuple[MaskRow, ...]
    claims: tuple[ClaimRow, ...]
    regions: tuple[RegionRow, ...]
    radius: float
    confirmations: int
    cannot_tell: int
    attempts: int
    individuals: int
    most_individuals: int
    region_attempts: int
    retired: bool = False


class CellOutcome(Outcome, frozen=True):
    """step: the stage whose unit should be open; expert_only: everyone else has failed at it."""

    state: State
    n_segmented: int
    step: Literal["", "segmentation", "crowd_regions"] = ""
    expert_only: bool = False


def next_step(inputs: CellInputs) -> CellOutcome:
    """See the module."""
    accepted = sum(mask.state == "accepted" for mask in inputs.masks)
    pending = sum(mask.state == "pending" for mask in inputs.masks)
    regions = [region.state for region in inputs.regions]

    def outcome(
        state: State, step: Literal["", "segmentation", "crowd_regions"] = "", *, expert: bool = False
    ) -> CellOutcome:
        return CellOutcome(state=state, n_segmented=accepted, step=step, expert_only=expert)

    if inputs.retired or not inputs.supported:
        return outcome("withdrawn")
    if not inputs.spotted:
        return outcome("spotting")
    if "accepted" in regions or "pending" in regions:
        return outcome("waiting" if pending or "pending" in regions else "closed")
    live = live_points(inputs)
    if _goes_on(inputs, accepted + pending, live):
        return outcome("segmenting", "segmentation", expert=not workable(inputs, live))
    if accepted >= inputs.individuals and (live or inputs.more_than_10):
        if pending:
            return outcome("waiting")  # what their verdicts leave over belongs to the region
        failed = regions.count("discarded") >= inputs.region_attempts
        return outcome("crowd", "crowd_regions", expert=failed)
    if pending:
        return outcome("waiting")
    return outcome("closed" if accepted else "false_positive")


def live_points(inputs: CellInputs) -> tuple[PointRow, ...]:
    """Points that are still to be drawn, in order of id."""
    gone = set(closed_points(inputs.claims, inputs.confirmations))
    for mask in inputs.masks:
        if mask.state in ("pending", "accepted"):
            gone.update(mask.covers)
    return tuple(point for point in inputs.points if point.id not in gone)


def closed_points(claims: Sequence[ClaimRow], confirmations: int) -> tuple[int, ...]:
    """Points that an expert, or enough people at the same step, would close."""
    named: Counter[tuple[int, int]] = Counter()
    for claim in claims:
        if claim.kind != "cannot_tell":
            for point in claim.points:
                named[claim.unit, point] += confirmations if claim.by_expert else 1
    return tuple(sorted({point for (_, point), number in named.items() if number >= confirmations}))


def workable(inputs: CellInputs, live: Sequence[PointRow]) -> tuple[PointRow, ...]:
    """The live points that do not need an expert: not too often drawn in vain, not too often puzzling."""
    hard = []
    for point in live:
        failed = sum(
            mask.state == "discarded" and (mask.seed == point.id or point.id in mask.covers)
            for mask in inputs.masks
        )
        puzzled = sum(claim.kind == "cannot_tell" and point.id in claim.points for claim in inputs.claims)
        if failed >= inputs.attempts or puzzled >= inputs.cannot_tell:
            hard.append(point.id)
    return tuple(point for point in live if point.id not in hard)


def target(points: Sequence[PointRow], radius: float) -> PointRow:
    """The point with most neighbours within `radius`; the first of several."""
    near = _apart(points) <= radius
    return points[int(near.sum(axis=1).argmax())]


def neighbours(points: Sequence[PointRow], centre: PointRow, radius: float) -> tuple[int, ...]:
    """Ids of the points within `radius` of one of them, itself among them."""
    return tuple(p.id for p in points if np.hypot(p.x - centre.x, p.y - centre.y) <= radius)


def _goes_on(inputs: CellInputs, drawn: int, live: Sequence[PointRow]) -> bool:
    """Whether the next instance is drawn by itself. drawn: masks pending or accepted."""
    if not live or drawn >= inputs.most_individuals:
        return False
    if drawn < inputs.individuals:
        return True
    rest = int(clusters(_apart(live), inputs.radius).max()) + 1
    return not inputs.more_than_10 and drawn + rest <= inputs.most_individuals


def _apart(points: Sequence[PointRow]) -> npt.NDArray[np.float64]:
    xy = np.array([(point.x, point.y) for point in points])
    apart: npt.NDArray[np.float64] = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    return apart


CELL_STEP = Rule(
    "cell-step",
    1,
    CellInputs,
    CellOutcome,
    next_step,
    (
        "radius",
        "confirmations",
        "cannot_tell",
        "attempts",
        "individuals",
        "most_individuals",
        "region_attempts",
    ),
)
