"""amidst.crowd.stage_metrics: nothing yet, a campaign of honest workers, and masks by size."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amidst.crowd import engine
from amidst.crowd.stage_metrics import DrawingMetrics, StageMetrics, _by_size
from amidst.crowd.store import Store

spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)


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
        agreement=None,
        new_points=(),
        captions=0,
        caption_words=None,
        vocabulary=0,
        duplicates=None,
        near_duplicates=None,
    )


def test_what_workers_have_spotted_and_written(with_store: Callable[..., Any]) -> None:
    """Seven put the same crosses, the last one only a stray one; of eight sentences five are kept."""

    async def play(store: Store) -> StageMetrics:
        workers = await chain.prepare(store)
        await chain.work(store, workers, ("labelling",))
        await chain.work(store, workers[:7], ("spotting",))

        def stray(ticket: Any) -> Any:
            return {"points": [{"x": 5, "y": 5}]}

        await chain.work(store, workers[7:], ("spotting",), stray)
        await engine.add_images(store, [engine.NewImage("2.jpg", 9, 9)], 1)
        texts = [f"one two three four five six seven eight nine {word}" for word in "abcde"]

        def write(ticket: Any) -> Any:  # the same five sentences for either image
            number = said[ticket.task.image.id] = said.get(ticket.task.image.id, -1) + 1
            return {"text": texts[(number + (ticket.task.image.id > 1)) % 5]}

        said: dict[int, int] = {}
        await chain.work(store, workers[:5], ("captions",), write)
        return await engine.stage_metrics(store)

    found = with_store(play)
    # cell 1 has two objects, cell 3 one: 21 pairs of the seven agree, 7 with the stray cross do not
    assert found.agreement == 21 * (4 + 2) / (21 * (4 + 2) + 7 * (3 + 2))
    assert found.new_points == (1.5, 0, 0, 0, 0, 0, 0, 1)
    assert found.points == (7 * 3 + 2) / 16
    assert (found.captions, found.duplicates, found.near_duplicates) == (10, 0.5, 0.5)


def test_masks_by_size() -> None:
    drawn = [(1023, 2000, 4, False), (100, 4000, 8, True), (1024, 7000, 9, False)]
    assert _by_size(drawn) == (
        DrawingMetrics(size="small", masks=2, seconds=3.0, vertices=6.0),
        DrawingMetrics(size="medium", masks=1, seconds=7.0, vertices=9.0),
    )
