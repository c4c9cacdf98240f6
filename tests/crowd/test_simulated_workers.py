"""The population of simulated workers."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.crowd.simulated_workers import SPAM, CrowdModel, make_workers
from amidst.crowd.world_shapes import world_categories
from amidst.errors import UsageError

CATEGORIES = world_categories()


def test_no_workers() -> None:
    assert make_workers(1, 0, CATEGORIES) == ()


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="-1"):
        make_workers(1, -1, CATEGORIES)
    with pytest.raises(UsageError, match=r"1\.5"):
        make_workers(1, 3, CATEGORIES, CrowdModel(spam=1.5))


def test_the_same_seed_gives_the_same_workers_and_more_begin_with_fewer() -> None:
    assert make_workers(1, 30, CATEGORIES)[:10] == make_workers(1, 10, CATEGORIES)
    assert make_workers(2, 10, CATEGORIES) != make_workers(1, 10, CATEGORIES)


def test_spammers_of_every_kind_in_their_share() -> None:
    habits = [worker.habit for worker in make_workers(1, 200, CATEGORIES, CrowdModel(spam=0.1))]
    assert [habits.count(kind) for kind in SPAM] == [5, 5, 5, 5]
    assert habits.count("honest") == 180
    assert all(w.habit == "honest" for w in make_workers(1, 50, CATEGORIES, CrowdModel(spam=0.0)))


def test_ease_is_shared_between_workers() -> None:
    """What is hard for one is hard for others: their chances go together across categories."""
    workers = make_workers(1, 60, CATEGORIES, CrowdModel(spam=0.0))
    table = np.array([[w.detection[c.id] for c in CATEGORIES] for w in workers])
    halves = np.corrcoef(table[:30].mean(axis=0), table[30:].mean(axis=0))
    assert halves[0, 1] > 0.9
    assert table.mean() == pytest.approx(0.8 * 0.825, abs=0.06)  # mean skill times middle of the eases


def test_small_and_hidden_objects_are_seen_less() -> None:
    worker = make_workers(1, 1, CATEGORIES, CrowdModel(spam=0.0))[0]
    knee = worker.knee
    seen = worker.visibility([0, knee**2, 1e9, 1e9], [1.0, 1.0, 1.0, 0.25])
    assert seen == pytest.approx([0, 1 - np.exp(-1), 1, 0.5])


def test_attention_falls_and_then_stays() -> None:
    worker = make_workers(1, 1, CATEGORIES)[0]
    assert worker.attention(0) == 1
    assert worker.attention(100) == pytest.approx(1 - worker.fatigue / 2)
    assert worker.attention(200) == worker.attention(5000) == pytest.approx(1 - worker.fatigue)
