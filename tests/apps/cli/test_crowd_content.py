"""`amidst crowd add | votes`, and where photographs come from, kept to the exported file."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

from amidst.apps.cli.root import run
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Image
from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.results import Ticket
from amidst.crowd.store import open_store
from amidst.curation.origins import photographer_days


def photographs(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for number, name in enumerate(names):
        PillowImage.new("RGB", (8, 6), (20 * number, 0, 0)).save(folder / name)
    return folder


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    folder = tmp_path / "campaign"
    photos = photographs(tmp_path / "photos", ["a.png"])
    words = ["--set", "category_votes.voters=2", "--set", "category_votes.target=2"]
    assert run(["crowd", "init", str(folder), "--images", str(photos), *words]) == 0
    return folder


def test_there_must_be_something_to_add(campaign: Path, capsys: Any) -> None:
    assert run(["crowd", "add", str(campaign)]) == 2
    assert "nothing to add" in capsys.readouterr().err
    assert run(["crowd", "add", str(campaign / "none"), "--candidates", "thesis"]) == 2


def test_the_help_promises_as_many_candidates_as_are_added(campaign: Path, capsys: Any) -> None:
    words = ["--set", "category_votes.target=91"]
    folder = campaign.parent / "again"
    assert run(["crowd", "init", str(folder), "--images", str(campaign.parent / "photos"), *words]) == 0
    assert run(["crowd", "add", str(folder), "--candidates", "thesis"]) == 0
    assert "269 candidates added" in capsys.readouterr().err
    assert run(["crowd", "add", "--help"]) == 0
    assert "269" in capsys.readouterr().out


def test_more_photographs_with_their_origin(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    more = photographs(tmp_path / "more", ["b.png", "c.png"])
    extra = {"photographer": "ann", "date_captured": "2014-05-01T10:00:00", "source": "flickr"}
    records = CocoDataset((Image(1, 8, 6, "b.png", 4, extra),), licenses=({"id": 4, "name": "cc-by"},))
    records.save(tmp_path / "collection.json")
    words = ["--images", str(more), "--records", str(tmp_path / "collection.json")]
    assert run(["crowd", "add", str(campaign), *words]) == 0
    assert "2 images" in capsys.readouterr().err
    assert run(["crowd", "export", str(campaign), "-o", str(tmp_path / "out.json")]) == 0
    found = CocoDataset.load(tmp_path / "out.json")
    assert [image.file_name for image in found.images] == ["a.png", "b.png", "c.png"]
    assert found.images[1].extra == extra
    assert found.licenses[0]["name"] == "cc-by"
    days, unknown = photographer_days(found.images)
    assert days == {found.images[1].id: ("ann", "2014-05-01")}
    assert len(unknown) == 2
    assert run(["crowd", "add", str(campaign), *words]) == 1  # the same names again
    assert "is there already" in capsys.readouterr().err


def test_photographs_to_be_filtered_first(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    more = photographs(tmp_path / "more", ["b.png", "c.png"])
    assert run(["crowd", "add", str(campaign), "--images", str(more), "--filter"]) == 0
    capsys.readouterr()
    assert run(["crowd", "status", str(campaign), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == {"candidate": 2, "kept": 1}


async def vote(campaign: Path, points: dict[str, int], number: int) -> None:
    """`number` voters who agree."""
    store = await open_store(campaign / "campaign.db")
    for one in range(number):
        voter = await engine.add_worker(store, f"voter {one}", 0)
        got = await engine.lease(store, voter, "category_votes", 1)
        assert isinstance(got, Ticket)
        scores = [{"candidate": c.id, "score": points.get(c.name, 1)} for c in got.task.candidates]
        sending = (got.id, got.token, f"key {got.id}", {"scores": scores}, Client(), 1)
        await engine.submit(store, voter, *sending)
    assert await engine.doctor(store) == []
    await store.close()


def test_from_candidates_to_the_chosen_categories(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    listed = tmp_path / "candidates.csv"
    listed.write_text("name,supercategory,mandatory\nant,insect,1\nbee,insect,0\ncow,farm,0\n")
    assert run(["crowd", "add", str(campaign), "--candidates", str(listed)]) == 0
    assert run(["crowd", "votes", str(campaign), "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["complete"] is False
    asyncio.run(vote(campaign, {"cow": 5, "bee": 3}, 2))
    assert run(["crowd", "votes", str(campaign), "--json", "-o", str(tmp_path / "votes.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["taken"]) == {"ant", "cow"}  # one is mandatory, the other has most points
    assert found["reasons"]["bee"]
    rows = list(csv.DictReader((tmp_path / "votes.csv").read_text().splitlines()))
    assert len(rows) == 6
    assert run(["crowd", "votes", str(campaign)]) == 0
    said = capsys.readouterr()
    assert "2 of 2 have voted on 3 candidates" in said.err
    words = ["--candidates", str(listed), "--set", "target=2", "--json"]
    assert run(["collect", "select", str(tmp_path / "votes.csv"), *words]) == 0
    assert set(json.loads(capsys.readouterr().out)["taken"]) == {"ant", "cow"}


def test_more_mandatory_candidates_than_places_are_refused(
    campaign: Path, tmp_path: Path, capsys: Any
) -> None:
    listed = tmp_path / "candidates.csv"
    listed.write_text("name,supercategory,mandatory\na,x,1\nb,x,1\nc,x,1\n")
    assert run(["crowd", "add", str(campaign), "--candidates", str(listed)]) == 1
    assert "3 are mandatory" in capsys.readouterr().err
    assert run(["crowd", "add", str(campaign), "--candidates", "thesis"]) == 1  # twenty of PASCAL
