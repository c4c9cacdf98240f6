"""amidst.leaderboard.stored: settings of another version are readable, and nothing opens by them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from amidst.leaderboard import benchmarks
from amidst.leaderboard.config import MICRO, BenchmarkConfig, PhaseConfig
from amidst.leaderboard.schema import phase
from amidst.leaderboard.stored import read_settings


def test_settings_that_fit_are_read_as_they_are() -> None:
    for config in (PhaseConfig(), PhaseConfig(per_day=7, closes_at=8), PhaseConfig(visibility="owner")):
        assert read_settings(msgspec.json.encode(config).decode(), PhaseConfig) == (config, [])
    assert read_settings("{}", BenchmarkConfig) == (BenchmarkConfig(), [])


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("per_day", 0, 1),
        ("per_day", -5, 1),
        ("total", 10**9, 1_000_000),
        ("total", "many", 100),
        ("total", True, 100),
        ("opens_at", -1, 0),
        ("closes_at", 10**30, 253_402_300_799 * MICRO),
        ("frozen_at", "never", None),
        ("visibility", "friends", "nobody"),
        ("description", "x" * 5000, "x" * 4000),
        ("description", "a\x00b", "ab"),
        ("description", 5, ""),
    ],
)
def test_what_does_not_fit_holds_by_the_nearest_value(name: str, value: Any, holds: Any) -> None:
    text = json.dumps({"per_day": 3, name: value})
    config, notes = read_settings(text, PhaseConfig, {"visibility": "nobody"})
    assert getattr(config, name) == holds
    assert config.per_day == (3 if name != "per_day" else holds)
    assert len(notes) == 1
    assert notes[0].startswith(f"{name} is ")
    assert repr(str(holds))[:40] in notes[0]


def test_nested_settings_and_unknown_ones() -> None:
    tree = {"kind": "segm", "times": {"running": 10**12, "watch": 1.5}, "colour": "red"}
    config, notes = read_settings(json.dumps(tree), BenchmarkConfig)
    assert (config.kind, config.times.running, config.times.watch) == ("segm", 366 * 24 * 3600, 1.5)
    assert notes[0].startswith("times.running is ")
    assert notes[1] == "colour is no setting of this version"
    config, notes = read_settings('{"times": {"running": 0}}', BenchmarkConfig)
    assert (config.times.running, len(notes)) == (3600, 1)


def test_a_phase_of_another_version_is_shown_and_repaired_by_saving(with_board: Any) -> None:
    async def play(store: Any, _: object) -> None:
        old = '{"per_day": 0, "visibility": "friends", "colour": "red"}'
        await store.write(lambda c: c.execute(phase.update().values(config_json=old)).rowcount)
        found = await store.read(benchmarks.phases)
        assert [(p.config.per_day, p.config.visibility, len(p.warnings)) for p in found] == [
            (1, "nobody", 3)
        ] * 2
        await store.write(lambda c: benchmarks.set_phase(c, found[0].id, found[0].config))
        assert (await store.read(lambda c: benchmarks.find_phase(c, "dev"))).warnings == []
        told = await store.read(benchmarks.warnings)
        assert [text.partition(":")[0] for text in told] == ["phase final"] * 3
        texts = await store.read(lambda c: c.scalars(select(phase.c.config_json).order_by(phase.c.id)).all())
        assert texts[1] == old

    with_board(play)
