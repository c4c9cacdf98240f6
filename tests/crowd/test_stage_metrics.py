"""amidst.crowd.stage_metrics: nothing yet, and masks by size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amidst.crowd import engine
from amidst.crowd.stage_metrics import DrawingMetrics, StageMetrics, _by_size
from amidst.crowd.store import Store


def test_a_campaign_in_which_nobody_has_worked(with_store: Callable[..., Any]) -> None:
    async def play(store: Store) -> StageMetrics:
        return await engine.stage_metrics(store)

    assert with_store(play) == StageMetrics(
        training_passed=None,
        attempts_passed=None,
        first_pass=None,
        assisted=None,
        drawing=(),
        points=None,
        captions=0,
        caption_words=None,
        vocabulary=0,
        duplicates=None,
    )


def test_masks_by_size() -> None:
    drawn = [(1023, 2000, 4, False), (100, 4000, 8, True), (1024, 7000, 9, False)]
    assert _by_size(drawn) == (
        DrawingMetrics(size="small", masks=2, seconds=3.0, vertices=6.0),
        DrawingMetrics(size="medium", masks=1, seconds=7.0, vertices=9.0),
    )
