"""kill -9 of server and scorers over a few submissions; the full size is benchmarks/leaderboard_kills.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[4] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location(
            "leaderboard_kills", BENCHMARKS / "leaderboard_kills.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["leaderboard_kills"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_none_is_lost_and_none_scored_twice(
    benchmark: ModuleType, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    url = str(request.getfixturevalue("postgres_url")) if kind == "postgresql" else ""
    found = benchmark.run_kills(tmp_path, url, submissions=4, kills=2, teams=2, seed=3)
    assert (found["submissions"], found["lost"], found["scored_twice"]) == (4, 0, 0)
    assert found["attempts"] >= 4
    assert (found["older_than_twice_its_limit"], found["retries"]) == (0, 10)
    assert 0 < max(found["longest_of_its_limit"].values()) <= 2
