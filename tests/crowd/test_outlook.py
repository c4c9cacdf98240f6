"""amidst.crowd.outlook: hand-worked estimates; an empty campaign; what simulated campaigns came to.

simulated_counts.json holds what `read_counts` found on the way and at the end of `amidst crowd simulate`, of
the sizes named in it.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

import msgspec
import pytest

from amidst.crowd.config import CampaignConfig
from amidst.crowd.outlook import SECONDS, Counts, Outlook, gates_needed, project

CONFIG = CampaignConfig(hour_cost=10.0)
NOTHING = Counts({}, {}, {}, {}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Simulated(msgspec.Struct):
    """A campaign that was simulated to its end."""

    of: str
    final: Counts
    on_the_way: list[Counts]


SIMULATED = msgspec.json.decode(
    Path(__file__).with_name("simulated_counts.json").read_bytes(), type=list[Simulated]
)
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
        # nobody yet: eight people, 650 masks done; two passes of up to five tries
        ({"categories": 12}, 8 * 3.5 * (12 * (1 - 1 / (1 + 800 / 96)) - 12 * (1 - 1 / (1 + 650 / 96)))),
        # five people and 90 tries for 30 gates so far
        (
            {"drawers": 5, "categories": 12, "gates_open": 30, "attempts": 90},
            5 * 3 * (12 * (1 - 1 / (1 + 800 / 60)) - 12 * (1 - 1 / (1 + 650 / 60))),
        ),
    ],
)
def test_masks_to_draw_bring_training(changes: dict[str, int], later: float) -> None:
    """Of twelve categories two have work at a time: the share of gates that are shut is 1 / (1 + n / 12)."""
    assert stage(project(replace(FINISHED, **changes), CONFIG), "training") == (0, ceil(later))
    free = msgspec.structs.replace(
        CONFIG, segmentation=msgspec.structs.replace(CONFIG.segmentation, require_training=False)
    )
    assert stage(project(replace(FINISHED, **changes), free), "training") == (0, 0)


def test_gates_open_with_the_masks_and_are_no_more_than_there_are() -> None:
    assert gates_needed(0, 91) == 0
    assert gates_needed(1, 91) == pytest.approx(1, abs=0.1)  # the first mask needs one
    found = [gates_needed(masks, 91) for masks in (1, 10, 100, 1000, 1e9)]
    assert found == sorted(found)
    assert found[-1] < 91


@pytest.mark.parametrize("campaign", SIMULATED, ids=lambda one: one.of)
@pytest.mark.parametrize("name", ["training", "verification"])
def test_a_simulated_campaign_came_to_what_was_expected(campaign: Simulated, name: str) -> None:
    """From a tenth to nine tenths of the answers: within 60 % once half is done, less exactly before."""
    of_all = sum(campaign.final.answers.values())
    for counts in campaign.on_the_way:
        waiting, later = stage(project(counts, CampaignConfig()), name)
        ended, now = (getattr(one, FIGURES[name]).get(name, 0) for one in (campaign.final, counts))
        ratio = (waiting + later) / (ended - now)
        half = sum(counts.answers.values()) > of_all / 2
        most = 1.6 if half else EARLY_MOST[name]
        assert 1 / 1.6 < ratio < most, (sum(counts.answers.values()), ratio)


FIGURES = {"training": "answers", "verification": "done"}  # answers to one drawing, votes of a grid
EARLY_MOST = {"training": 2.0, "verification": 3.2}  # until votes were measured, the thesis's stand in


def test_stages_that_are_off_cost_nothing() -> None:
    off = msgspec.structs.replace(CONFIG, stages=("labelling",))
    found = project(replace(FINISHED, waiting={"captions": 500}), off)
    assert [one.stage for one in found.stages] == ["labelling"]
    assert found.hours == 0
