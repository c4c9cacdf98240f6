"""amidst.crowd.outlook: hand-worked estimates; an empty campaign; what a store counts."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from amidst.crowd.config import CampaignConfig
from amidst.crowd.outlook import SECONDS, Counts, Outlook, project

CONFIG = CampaignConfig(hour_cost=10.0)
NOTHING = Counts({}, {}, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
FINISHED = replace(  # 100 images with 400 categories, 600 masks of 300 closed ones, 2,100 votes
    NOTHING,
    images_done=100,
    cells_of_done=400,
    cells_open=100,
    cells_done=300,
    masks_of_done=600,
    early_masks=50,
    regions_of_done=30,
    masks_judged=600,
    done={"labelling": 800, "verification": 2100},
    answers={"labelling": 800, "verification": 40},
    ms={"labelling": 800 * 20_000, "verification": 2100 * 2_000},
)


def stage(found: Outlook, name: str) -> tuple[int, int]:
    one = next(one for one in found.stages if one.stage == name)
    return one.waiting, one.later


def test_an_empty_campaign_has_nothing_to_do_and_measures_nothing() -> None:
    found = project(NOTHING, CONFIG)
    assert (found.hours, found.cost) == (0, 0)
    assert all((one.waiting, one.later, one.measured) == (0, 0, False) for one in found.stages)
    assert found.guessed == ("cells of an image", "masks of a cell", "votes")


def test_what_waits_is_counted_as_it_is() -> None:
    found = project(replace(NOTHING, waiting={"labelling": 36}), CONFIG)
    assert stage(found, "labelling") == (36, 0)
    assert found.hours == pytest.approx(36 * SECONDS["labelling"] / 3600)
    assert found.cost == pytest.approx(10 * found.hours)


def test_seconds_are_measured_over_judgements_where_there_are_enough() -> None:
    found = {one.stage: one for one in project(FINISHED, CONFIG).stages}
    assert (found["labelling"].seconds, found["labelling"].measured) == (20.0, True)
    assert (found["verification"].seconds, found["verification"].measured) == (2.0, True)
    assert (found["captions"].seconds, found["captions"].measured) == (SECONDS["captions"], False)


def test_open_cells_bring_the_masks_and_votes_that_closed_ones_brought() -> None:
    found = project(FINISHED, CONFIG)
    assert found.guessed == ()
    # 100 open cells at 2 masks each, of which 50 are drawn; 3.5 votes a mask; a tenth has a region
    assert stage(found, "segmentation") == (0, 150)
    assert stage(found, "verification") == (0, 525)
    assert stage(found, "crowd_regions") == (0, 10)
    assert stage(found, "spotting") == (0, 0)


def test_images_to_come_bring_cells_by_the_ratio_of_finished_ones() -> None:
    found = project(replace(FINISHED, images_open=5, early_cells=8, candidates=5), CONFIG)
    assert stage(found, "labelling") == (0, 5 * 8)
    assert stage(found, "captions") == (0, 5 * 5)
    assert stage(found, "spotting") == (0, 8 * (10 * 4 - 8))  # ten images of four cells, eight are there


def test_what_waits_is_not_counted_again_as_to_come() -> None:
    found = project(replace(FINISHED, waiting={"segmentation": 100}), CONFIG)
    assert stage(found, "segmentation") == (100, 50)


@pytest.mark.parametrize(
    ("changes", "later"),
    [
        ({}, 0),  # no category, no gate
        ({"categories": 2}, 8 * 2 * 3.5),  # nobody yet: eight people, two passes of up to five tries
        ({"categories": 100}, 150 * 3.5),  # no more gates than the 150 masks that are to be drawn
        ({"drawers": 5, "categories": 10, "gates_open": 30, "attempts": 90}, 20 * 3),  # three tries so far
        ({"drawers": 1, "categories": 10, "gates_open": 10, "attempts": 30}, 0),  # all are open
    ],
)
def test_gates_that_are_shut_bring_training(changes: dict[str, int], later: float) -> None:
    assert stage(project(replace(FINISHED, **changes), CONFIG), "training") == (0, later)
    free = msgspec.structs.replace(
        CONFIG, segmentation=msgspec.structs.replace(CONFIG.segmentation, require_training=False)
    )
    assert stage(project(replace(FINISHED, **changes), free), "training") == (0, 0)


def test_stages_that_are_off_cost_nothing() -> None:
    off = msgspec.structs.replace(CONFIG, stages=("labelling",))
    found = project(replace(FINISHED, waiting={"captions": 500}), off)
    assert [one.stage for one in found.stages] == ["labelling"]
    assert found.hours == 0
