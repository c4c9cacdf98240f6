"""amidst.leaderboard.config: senseless settings are refused; and the folder is closed to others."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from amidst.apps.server.leaderboard.app import BoardConfig
from amidst.coco import CocoDataset
from amidst.errors import UsageError
from amidst.leaderboard.benchmarks import NewPhase, create
from amidst.leaderboard.config import BenchmarkConfig, PhaseConfig
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.store import open_store


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"frozen_at": 10**30}, PhaseConfig),
        ({"closes_at": 10**18}, PhaseConfig),
        ({"opens_at": -5}, PhaseConfig),
        ({"description": "a\0b"}, PhaseConfig),
        ({"scorers": -1}, BoardConfig),
    ],
)
def test_senseless_settings(settings: dict[str, Any], kind: type[Any]) -> None:
    assert msgspec.json.decode(b"{}", type=kind) == kind()
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(settings), type=kind)


@pytest.mark.parametrize("name", ["", "  ", "x" * 3000, "a\0b"])
def test_senseless_names(name: str, dataset: CocoDataset, tmp_path: Path) -> None:
    async def main() -> None:
        place = tmp_path / "b" / "benchmark.db"
        store = await open_store(str(place), create=True)
        try:
            settings = {"description": "", "config": BenchmarkConfig(), "seed": 1, "now": 0}
            phases = [NewPhase("all", 1, PhaseConfig())]
            await create(store, Folder(place.parent), dataset, name=name, phases=phases, **settings)  # type: ignore[arg-type]
        finally:
            await store.close()

    with pytest.raises(UsageError, match="needs a name"):
        asyncio.run(main())
    assert not (tmp_path / "b" / "public.json").exists()


def test_a_description_may_have_lines() -> None:
    assert msgspec.convert({"description": "a\nb\n"}, PhaseConfig).description == "a\nb\n"


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "board")
    folder.root.mkdir(mode=0o755)
    folder.database.touch(0o644)
    folder.make()
    assert folder.root.stat().st_mode & 0o777 == 0o700
    assert folder.database.stat().st_mode & 0o777 == 0o600
