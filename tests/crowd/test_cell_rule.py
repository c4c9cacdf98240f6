"""amidst.crowd.cell_rule: what a cell needs next, by table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from amidst.crowd.cell_rule import (
    CellInputs,
    ClaimRow,
    MaskRow,
    PointRow,
    RegionRow,
    closed_points,
    live_points,
    neighbours,
    next_step,
    target,
    workable,
)


def cell(points: int = 0, **given: Any) -> CellInputs:
    """A supported, spotted cell with points 1, 2, ... a hundred pixels apart."""
    inputs = CellInputs(
        supported=True,
        spotted=True,
        more_than_10=False,
        points=tuple(PointRow(i, 100.0 * i, 0.0) for i in range(1, points + 1)),
        masks=(),
        claims=(),
        regions=(),
        radius=20,
        confirmations=2,
        cannot_tell=3,
        attempts=3,
        individuals=10,
        most_individuals=15,
        region_attempts=3,
    )
    return msgspec.structs.replace(inputs, **given)


def masks(states: str, first: int = 1) -> tuple[MaskRow, ...]:
    """a(ccepted), p(ending), d(iscarded): mask i covers point i."""
    names = {"a": "accepted", "p": "pending", "d": "discarded", "w": "withdrawn"}
    return tuple(MaskRow(i, names[s], i, (i,)) for i, s in enumerate(states, start=first))


ROWS: list[tuple[CellInputs, tuple[str, str, bool]]] = [
    (cell(supported=False), ("withdrawn", "", False)),
    (cell(spotted=False), ("spotting", "", False)),
    (cell(), ("false_positive", "", False)),
    (cell(2), ("segmenting", "segmentation", False)),
    (cell(2, masks=masks("p")), ("segmenting", "segmentation", False)),
    (cell(2, masks=masks("pp")), ("waiting", "", False)),
    (cell(2, masks=masks("aa")), ("closed", "", False)),
    (cell(2, masks=masks("ad")), ("segmenting", "segmentation", False)),
    (cell(2, masks=masks("aw")), ("segmenting", "segmentation", False)),
    (cell(1, masks=(MaskRow(1, "discarded", 1, (1,)),) * 3), ("segmenting", "segmentation", True)),
    (cell(1, claims=(ClaimRow(5, "no_such_object", (1,), False),)), ("segmenting", "segmentation", False)),
    (cell(1, claims=(ClaimRow(5, "no_such_object", (1,), False),) * 2), ("false_positive", "", False)),
    (cell(1, claims=(ClaimRow(5, "no_such_object", (1,), True),)), ("false_positive", "", False)),
    (cell(1, claims=(ClaimRow(5, "cannot_tell", (1,), False),) * 3), ("segmenting", "segmentation", True)),
    (cell(12, masks=masks("a" * 10)), ("segmenting", "segmentation", False)),  # twelve fit into fifteen
    (cell(16, masks=masks("a" * 10)), ("crowd", "crowd_regions", False)),
    (cell(16, masks=masks("a" * 9)), ("segmenting", "segmentation", False)),
    (cell(16, masks=masks("a" * 9 + "p")), ("waiting", "", False)),
    (cell(12, masks=masks("a" * 10), more_than_10=True), ("crowd", "crowd_regions", False)),
    (cell(10, masks=masks("a" * 10), more_than_10=True), ("crowd", "crowd_regions", False)),
    (cell(9, masks=masks("a" * 9), more_than_10=True), ("closed", "", False)),
    (cell(20, masks=masks("a" * 15)), ("crowd", "crowd_regions", False)),
    (cell(16, masks=masks("a" * 10), regions=(RegionRow(1, "pending"),)), ("waiting", "", False)),
    (cell(16, masks=masks("a" * 10), regions=(RegionRow(1, "accepted"),)), ("closed", "", False)),
    (
        cell(16, masks=masks("a" * 10), regions=(RegionRow(1, "discarded"),) * 3),
        ("crowd", "crowd_regions", True),
    ),
]


@pytest.mark.parametrize(("inputs", "expected"), ROWS)
def test_next_step(inputs: CellInputs, expected: tuple[str, str, bool]) -> None:
    outcome = next_step(inputs)
    assert (outcome.state, outcome.step, outcome.expert_only) == expected
    assert outcome.n_segmented == sum(mask.state == "accepted" for mask in inputs.masks)


def test_a_claim_counts_only_with_others_of_its_step() -> None:
    one, other = ClaimRow(5, "all_done", (1, 2), False), ClaimRow(6, "all_done", (1, 2), False)
    assert closed_points((), 2) == ()
    assert closed_points((one, other), 2) == ()
    assert closed_points((one, ClaimRow(5, "not_here", (2,), False)), 2) == (2,)
    assert closed_points((one, other), 1) == (1, 2)


def test_live_points_leave_out_what_is_covered_or_closed() -> None:
    inputs = cell(4, masks=masks("ad"), claims=(ClaimRow(5, "not_here", (3,), True),))
    assert [point.id for point in live_points(inputs)] == [2, 4]
    hard = cell(2, masks=(MaskRow(1, "discarded", 1, (1,)),) * 3)
    assert [point.id for point in workable(hard, live_points(hard))] == [2]


def test_the_target_has_most_neighbours() -> None:
    points = [PointRow(1, 0, 0), PointRow(2, 50, 0), PointRow(3, 55, 0), PointRow(4, 60, 0)]
    assert target(points, 6).id == 3
    assert target(points, 1).id == 1
    assert neighbours(points, points[2], 5) == (2, 3, 4)
