"""What spammers send has the right form for every stage."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from amidst.coco import masks
from amidst.crowd.bodies import (
    BODIES,
    BallotTask,
    CandidateRef,
    CaptionTask,
    CategoryRef,
    CrowdBody,
    CrowdTask,
    FilterTask,
    GridMask,
    ImageRef,
    LabellingBody,
    LabellingTask,
    Panel,
    SegmentationBody,
    SegmentationTask,
    SpottingBody,
    SpottingTask,
    Task,
    VerificationBody,
    VerificationTask,
)
from amidst.crowd.config import Stage
from amidst.crowd.outlines import first_crossing
from amidst.crowd.simulated_spam import spam
from amidst.crowd.simulated_workers import SPAM, Habit

REF, DISC = ImageRef(id=1, width=80, height=50), CategoryRef(id=1, name="plain disc")
DOT = masks.from_box((10, 10, 5, 5), (50, 80))
TASKS: dict[Stage, Task] = {
    "category_votes": BallotTask(candidates=(CandidateRef(id=3, name="a"), CandidateRef(id=4, name="b"))),
    "image_filter": FilterTask(items=(REF,) * 40),
    "labelling": LabellingTask(
        image=REF,
        panels=tuple(Panel(super=s, categories=(CategoryRef(id=k, name=""),)) for k, s in enumerate("ab")),
    ),
    "spotting": SpottingTask(image=REF, category=DISC, prior_xy=(5.0, 5.0), max_points=10),
    "segmentation": SegmentationTask(image=REF, category=DISC, target_xy=(79.0, 1.0), masks=()),
    "verification": VerificationTask(
        items=(GridMask(image=REF, category=DISC, crop_xywh=(0, 0, 9, 9), mask=DOT),) * 64
    ),
    "crowd_regions": CrowdTask(image=REF, category=DISC, masks=(), points=((5.0, 5.0),)),
    "captions": CaptionTask(image=REF, min_words=8, max_words=60),
}


@pytest.mark.parametrize("stage", list(TASKS))
@pytest.mark.parametrize("habit", SPAM)
def test_every_habit_has_a_body_of_the_right_form_for_every_stage(stage: Stage, habit: Habit) -> None:
    rng = np.random.default_rng(0)
    body = spam(TASKS[stage], habit, None, rng)
    for _ in range(20):
        sent = msgspec.json.encode(body)
        assert msgspec.json.decode(sent, type=BODIES[stage]) == body
        if isinstance(body, SegmentationBody):
            assert all(first_crossing(part.points) is None for part in body.parts)
        body = spam(TASKS[stage], habit, body, rng)


def ask(stage: Stage, habit: Habit, previous: object = None) -> object:
    return spam(TASKS[stage], habit, previous, np.random.default_rng(1))  # type: ignore[arg-type]


def test_nothing_marks_nothing_and_everything_all() -> None:
    nothing, everything = ask("labelling", "nothing"), ask("labelling", "everything")
    assert isinstance(nothing, LabellingBody)
    assert isinstance(everything, LabellingBody)
    assert not any(panel.present for panel in nothing.panels)
    assert all(panel.present and panel.icons for panel in everything.panels)
    assert ask("verification", "nothing") == VerificationBody(bad=())
    assert ask("verification", "everything") == VerificationBody(bad=tuple(range(64)))
    assert ask("spotting", "nothing") == SpottingBody(none=True)
    assert ask("crowd_regions", "nothing") == CrowdBody(none_left=True)
    whole = ask("crowd_regions", "everything")
    assert isinstance(whole, CrowdBody)
    assert whole.region is not None
    assert masks.area([whole.region]).tolist() == [50 * 80]


def test_random_clickers_mark_a_quarter() -> None:
    rng = np.random.default_rng(0)
    shares = [len(spam(TASKS["verification"], "random", None, rng).bad) / 64 for _ in range(300)]  # type: ignore[union-attr]
    assert np.mean(shares) == pytest.approx(0.25, abs=0.02)


def test_a_copy_is_what_was_sent_before() -> None:
    for stage in ("labelling", "spotting", "verification", "segmentation", "crowd_regions"):
        first = ask(stage, "random")  # type: ignore[arg-type]
        assert ask(stage, "copy", first) == first  # type: ignore[arg-type]
    from_larger = VerificationBody(bad=(3, 63, 70))
    assert ask("verification", "copy", from_larger) == VerificationBody(bad=(3, 63))
