"""`amidst crowd settings`: shown, changed while it is served, refused with the reason; noted in the audit."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from sqlalchemy import select

from amidst.apps.cli.root import run
from amidst.crowd import engine
from amidst.crowd.results import NoWork, Ticket
from amidst.crowd.schema import metadata
from amidst.crowd.store import open_store


@pytest.fixture
def campaign(tmp_path: Path) -> str:
    (tmp_path / "photos").mkdir()
    PillowImage.new("RGB", (8, 6)).save(tmp_path / "photos" / "a.png")
    folder = str(tmp_path / "campaign")
    assert run(["crowd", "init", folder, "--images", str(tmp_path / "photos")]) == 0
    return folder


def test_all_settings_are_shown_with_what_they_mean(campaign: str, capsys: Any) -> None:
    assert run(["crowd", "settings", campaign, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labelling"]["workers"] == 8
    assert run(["crowd", "settings", campaign]) == 0
    shown = capsys.readouterr().out
    assert "labelling.workers" in shown
    assert "ours: of an hour of a worker's time" in " ".join(shown.split())


def test_numbers_are_changed_while_it_is_served_and_it_is_noted(campaign: str, capsys: Any) -> None:
    async def serve() -> list[str]:
        store = await open_store(Path(campaign) / "campaign.db")
        try:
            worker = await engine.add_worker(store, "ann", 1)
            words = ["crowd", "settings", campaign, "--set", "labelling.workers=5", "--pause"]
            assert await asyncio.to_thread(run, words) == 0
            assert (await engine.campaign_config(store)).labelling.workers == 5
            assert await engine.lease(store, worker, "labelling", 2) == NoWork(reason="stage_off")
            assert await asyncio.to_thread(run, ["crowd", "status", campaign]) == 0
            assert await asyncio.to_thread(run, ["crowd", "settings", campaign, "--go-on"]) == 0
            assert isinstance(await engine.lease(store, worker, "labelling", 3), Ticket)
            assert await engine.doctor(store) == []
            actions = select(metadata.tables["audit"].c.action)
            return list(await store.read(lambda c: c.execute(actions).scalars().all()))
        finally:
            await store.close()

    assert asyncio.run(serve()) == ["settings", "campaign.state", "campaign.state"]
    said = capsys.readouterr().err
    assert "labelling.workers is 5" in said
    assert "paused, nobody gets work" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("labelling.wokers=5", "did you mean labelling.workers"),
        ("labelling.workers=0", "expected 1 or more"),
        ("labelling", "expected key=value"),
    ],
)
def test_what_makes_no_sense_changes_nothing(campaign: str, capsys: Any, change: str, words: str) -> None:
    assert run(["crowd", "settings", campaign, "--set", "captions.workers=2", "--set", change]) == 2
    assert words in capsys.readouterr().err
    assert run(["crowd", "settings", campaign, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["captions"]["workers"] == 5
