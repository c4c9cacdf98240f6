"""`amidst leaderboard settings`: shown, changed while it is served, refused in one line; noted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from amidst.apps.cli.root import run as type_command
from amidst.leaderboard.schema import accounts
from amidst.leaderboard.store import open_store

Run = Callable[..., Any]
TRUTH = {
    "images": [{"id": 1, "width": 9, "height": 9, "file_name": "a.jpg"}],
    "categories": [{"id": 1, "name": "c"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "area": 25}],
}


@pytest.fixture
def board(amidst: Run, tmp_path: Path) -> str:
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    words = ("--ann", tmp_path / "truth.json", "--name", "Birds", "--phase", "all:1")
    made = amidst("leaderboard", "init", tmp_path / "board", *words, "--contact", "Olga")
    assert made.code == 0, made.err
    return str(tmp_path / "board")


def test_settings_are_shown(amidst: Run, board: str) -> None:
    tree = amidst("leaderboard", "settings", board, "--json").json
    assert (tree["name"], tree["description"], tree["config"]["contact"]) == ("Birds", "", "Olga")
    shown = amidst("leaderboard", "settings", board).out
    assert "Birds" in shown
    assert "uploads.max_per_image" in shown


def test_settings_are_changed_while_it_is_served_and_it_is_noted(board: str, capsys: Any) -> None:
    words = ["--name", "Birds 2027", "--description", "New.", "--contact", "mailto:o@e.org"]
    change = ["leaderboard", "settings", board, *words, "--set", "uploads.max_per_image=3"]

    async def serve() -> list[Any]:
        store = await open_store(Path(board) / "benchmark.db")
        try:
            assert await asyncio.to_thread(type_command, change) == 0
            rows = select(accounts.audit.c.action, accounts.audit.c.worker_id, accounts.audit.c.details_json)
            return list(await store.read(lambda c: c.execute(rows).all()))
        finally:
            await store.close()

    ((action, who, details),) = asyncio.run(serve())
    assert (action, who) == ("benchmark.settings", None)
    assert json.loads(details)["before"]["name"] == "Birds"
    assert json.loads(details)["after"]["uploads"]["max_per_image"] == 3
    said = capsys.readouterr().err
    for line in ("name is Birds 2027", "contact is mailto:o@e.org", "uploads.max_per_image is 3"):
        assert line in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--set", "kind=segm"), "kind stays bbox"),
        (("--set", "phases=dev:0.5"), "phases stays: scores come from the annotations"),
        (("--set", "annotations=other.json"), "annotations stays"),
        (("--set", "uploads.max_ratio=0"), "max_ratio"),
        (("--set", "uploads.max_rato=5"), "did you mean uploads.max_ratio?"),
        (("--name", " "), "needs a name"),
        (("--contact", "mailto:o@e.org?subject=x"), "mailto:name@host"),
        (("--contact", "a\nb"), "contact"),
    ],
)
def test_what_must_not_change_is_refused_in_one_line(
    amidst: Run, board: str, words: tuple[str, ...], why: str
) -> None:
    before = amidst("leaderboard", "settings", board, "--json").json
    found = amidst("leaderboard", "settings", board, *words)
    assert (found.code, found.out, why in " ".join(found.err.split())) == (2, "", True), found.err
    assert amidst("leaderboard", "settings", board, "--json").json == before


def test_a_place_without_a_benchmark(amidst: Run, tmp_path: Path) -> None:
    found = amidst("leaderboard", "settings", tmp_path, "--name", "x")
    assert (found.code, "no benchmark here" in found.err) == (2, True)
    assert list(tmp_path.iterdir()) == []
