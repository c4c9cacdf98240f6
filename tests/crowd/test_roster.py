"""amidst.crowd.roster, portfolio, labels and activity: what is read of people's work, on both databases."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.activity import HOUR, ActivityHour
from amidst.crowd.config import CampaignConfig
from amidst.crowd.labels import read_labels
from amidst.crowd.results import Ticket
from amidst.crowd.roster import StageFigures, _flags, _pace, _typical, _Work
from amidst.crowd.store import Store
from amidst.errors import AmidstError

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

UNTRAINED = override(CampaignConfig(), ["segmentation.require_training=false"])
FIRST = 5 * HOUR + 7  # UTC microseconds of an hour's seventh
Play = Callable[..., Any]


def wrong(got: Ticket) -> Any:
    """Names category 2, which is in no picture, and nothing else."""
    panels: list[dict[str, Any]] = []
    for panel in got.task.panels:  # type: ignore[union-attr]
        icons = [{"category": 2, "x": 5, "y": 5}] if any(c.id == 2 for c in panel.categories) else []
        panels.append({"super": panel.super, "present": bool(icons), "icons": icons})
    return {"panels": panels}


def test_nobody_has_come(with_store: Play) -> None:
    async def play(store: Store) -> None:
        roster = await engine.roster(store)
        assert (roster.rows, roster.agreement, roster.below_line, roster.proposals) == ((), (), (), ())
        assert roster.union is None
        assert roster.whole
        assert await engine.activity(store, 0) == []
        labelled = await store.read(read_labels)
        assert (labelled.everyone.jobs.shape, labelled.experts, labelled.whole) == ((0, 2), (), True)
        with pytest.raises(AmidstError, match="99"):
            await engine.answers_of(store, 99, 1)

    with_store(play)


def test_somebody_who_has_not_worked_has_no_figures(with_store: Play) -> None:
    async def play(store: Store) -> None:
        who = await engine.add_worker(store, "Ada", 0, expert=True)
        (row,) = (await engine.roster(store)).rows
        assert (row.id, row.display, row.expert) == (who, "Ada", True)
        assert (row.answers, row.hours, row.pace, row.gold, row.precision, row.last_at) == (
            0, 0.0, None, None, None, None,
        )  # fmt: skip
        assert (row.flags, row.stages) == ((), {})
        assert await engine.answers_of(store, who, 1) == []

    with_store(play)


def test_one_who_names_what_nobody_sees_stands_below_the_line(with_store: Play) -> None:
    async def play(store: Store) -> None:
        *others, odd = await chain.prepare(store, images=3)
        await chain.work(store, others, ("labelling",), now=FIRST)
        await chain.work(store, [odd], ("labelling",), wrong, now=FIRST + HOUR)
        roster = await engine.roster(store)
        assert roster.below_line == (odd,)
        row = next(one for one in roster.rows if one.id == odd)
        assert (row.precision, row.recall, row.images) == (0.0, 0.0, 3)
        assert row.flags == ("below the line",)
        assert row.last_at == FIRST + HOUR
        right = next(one for one in roster.rows if one.id == others[0])
        assert right.recall == 1.0
        assert right.flags == ()
        assert await engine.activity(store, FIRST) == [
            ActivityHour(at=5 * HOUR, stage="labelling", answers=21, workers=7),
            ActivityHour(at=6 * HOUR, stage="labelling", answers=3, workers=1),
        ]
        assert len(await engine.activity(store, FIRST + 1)) == 1

    with_store(play, UNTRAINED)


def test_experts_are_held_against_everybody_else(with_store: Play) -> None:
    async def play(store: Store) -> None:
        expert, *others = await chain.prepare(store, images=2)
        await engine.change_worker(store, expert, expert=True)
        await chain.work(store, [expert, *others], ("labelling",), now=FIRST)
        labelled = await store.read(read_labels)
        assert labelled.experts == (expert,)
        assert set(labelled.of_experts.jobs[:, 1].tolist()) == {expert}
        assert expert not in labelled.of_crowd.jobs[:, 1].tolist()
        assert len(labelled.everyone.jobs) == 16
        assert np.unique(labelled.everyone.positives[:, 1]).tolist() == [1, 3]
        latest = await store.read(lambda c: read_labels(c, 5))
        assert (len(latest.everyone.jobs), latest.whole) == (5, False)
        union = (await engine.roster(store)).union
        assert union is not None
        assert (union.truths, union.points[-1].recall) == (4, 1.0)

    with_store(play, UNTRAINED)


def test_answers_come_newest_first_with_what_became_of_them(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, chain.CHAIN, now=FIRST)
        shown = [one for who in workers for one in await engine.answers_of(store, who, FIRST)]
        drawn = [one for one in shown if one.subject.startswith("segmentation/")]
        assert len(drawn) == 3
        assert {one.fate for one in drawn} == {"accepted"}
        judged = [one for one in shown if one.stage == "verification"]
        assert judged
        assert all(one.known > 0 and one.known_right == one.known for one in judged)
        assert {one.void for one in shown} == {None}
        own = await engine.answers_of(store, workers[0], FIRST)
        ids = [one.id for one in own]
        assert ids == sorted(ids, reverse=True)
        assert [one.id for one in await engine.answers_of(store, workers[0], FIRST, before=ids[0])] == ids[1:]
        named = await engine.answers_of(store, workers[0], FIRST, stage="labelling")
        assert {one.stage for one in named} == {"labelling"}
        rows = (await engine.roster(store)).rows
        assert sum(one.accepted for one in rows) == 3
        assert sum(one.discarded for one in rows) == 0
        assert {one.gold for one in rows if "verification" in one.stages} == {1.0}

    with_store(play, UNTRAINED)


def test_training_answers_say_how_far_they_overlap(with_store: Play) -> None:
    async def play(store: Store) -> None:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ("labelling", "spotting"), now=FIRST)
        got = await engine.lease(store, workers[0], "segmentation", FIRST)
        assert isinstance(got, Ticket)
        await engine.submit(
            store, workers[0], got.id, got.token, "a key", chain.honest(got), chain.Client(), FIRST
        )
        (one,) = await engine.answers_of(store, workers[0], FIRST, stage="training")
        assert (one.fate, one.overlap, one.subject) == ("passed", 1.0, "")

    with_store(play)


@pytest.mark.parametrize(
    ("figures", "below", "proposed", "flags"),
    [
        ({}, False, False, ()),
        ({}, True, True, ("below the line", "masks discarded")),
        ({"spotting": StageFigures(answers=10, too_fast=2)}, False, False, ()),
        ({"spotting": StageFigures(answers=10, too_fast=3)}, False, False, ("too fast",)),
        ({"verification": StageFigures(changed=True)}, False, False, ("sudden change",)),
    ],
)
def test_flags(figures: dict[str, StageFigures], below: bool, proposed: bool, flags: tuple[str, ...]) -> None:
    assert _flags(figures, below, proposed) == flags


def test_pace_is_time_taken_over_what_all_take_for_the_same_answers() -> None:
    work = {
        1: {"spotting": _Work(answers=3, voided=0, ms=3000, last_at=1)},
        2: {
            "spotting": _Work(answers=1, voided=0, ms=5000, last_at=1),
            "captions": _Work(answers=2, voided=0, ms=800, last_at=1),
        },
    }
    typical = _typical(work)
    assert typical == {"spotting": 2000.0, "captions": 400.0}
    assert _pace(work[1], typical) == 0.5
    assert _pace(work[2], typical) == pytest.approx(5800 / 2800)
    assert _pace({}, typical) is None
