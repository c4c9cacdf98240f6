"""`amidst leaderboard backup | restore`: beside a running server, and what came later is set aside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amidst.apps.cli.leaderboard_place import Place, now, opened
from amidst.leaderboard import benchmarks, submissions
from amidst.leaderboard.schema import worker
from amidst.leaderboard.submissions import Method


async def announced(store: Any, folder: Path) -> int:
    """A submission of which some bytes have come."""

    def work(connection: Any) -> int:
        phase = benchmarks.find_phase(connection, "dev")
        made = connection.execute(worker.insert().values(display="Ann", created_at=0)).inserted_primary_key
        about: dict[str, Any] = {
            "file_name": "r.json",
            "size": 9,
            "sha256": "",
            "about": Method(),
            "now": now(),
        }
        team = benchmarks.add_team(connection, "A", 0)
        ids = {"team_id": team, "worker_id": made[0]}
        return submissions.announce(connection, phase.id, "dev", phase.config, **ids, **about)[0]

    key: int = await store.write(work)
    (folder / "uploads" / str(key)).write_bytes(b"[")
    return key


def test_nothing_to_copy_or_to_put_back(amidst: Callable[..., Any], tmp_path: Path) -> None:
    assert amidst("leaderboard", "backup", tmp_path, "-o", tmp_path / "x.db").code == 2
    assert amidst("leaderboard", "restore", tmp_path, "--from", tmp_path / "x.db").code == 2


def test_a_backup_and_back_again(amidst: Callable[..., Any], tmp_path: Path, shared_data: Path) -> None:
    truth = shared_data / "coco_mini" / "annotations" / "instances_val2017_mini.json"
    board, copy = tmp_path / "board", tmp_path / "copy.db"
    assert amidst("leaderboard", "init", board, "--ann", truth, "--name", "x").code == 0

    async def play() -> None:
        async with opened(Place(board)) as store:
            assert await announced(store, board) == 1
            made = await asyncio.to_thread(amidst, "leaderboard", "backup", board, "-o", copy)
            assert (made.code, "whole and sound" in made.err) == (0, True)
            assert await announced(store, board) == 2
            held = await asyncio.to_thread(amidst, "leaderboard", "restore", board, "--from", copy)
            assert (held.code, "in use by process" in held.err) == (2, True)

    asyncio.run(play())
    campaign = tmp_path / "other.db"
    campaign.write_bytes(b"not a database")
    assert amidst("leaderboard", "restore", board, "--from", campaign).code == 1
    back = amidst("leaderboard", "restore", board, "--from", copy)
    assert (back.code, "1 uploads that came after" in back.err) == (0, True), back.err
    assert [path.name for path in (board / "uploads").iterdir()] == ["1"]
    assert [path.name for path in (board / "uploads.before").iterdir()] == ["2"]

    async def again() -> None:
        async with opened(Place(board)) as store:
            assert [one.id for one in await store.read(submissions.listed)] == [1]
            assert await announced(store, board) == 2  # begins with no byte of the other

    asyncio.run(again())
