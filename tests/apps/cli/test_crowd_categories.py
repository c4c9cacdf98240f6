"""`amidst crowd add --categories | retire-category`: a finished campaign gets a further category."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli.root import run
from amidst.coco.dataset import CocoDataset
from amidst.crowd import engine
from amidst.crowd.store import open_store
from amidst.data import sample_dir

spec = importlib.util.spec_from_file_location("known", Path(__file__).with_name("test_crowd_known.py"))
assert spec is not None
assert spec.loader is not None
painting: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(painting)

photos, known = painting.photos, painting.known  # fixtures


def truth() -> Counter[int]:
    true = CocoDataset.load(sample_dir() / "annotations" / "train.json")
    wanted = {one.id for one in true.images if one.file_name in painting.PHOTOGRAPHS}
    return Counter(one.category_id for one in true.annotations if one.image_id in wanted)


def exported(folder: Path) -> tuple[Counter[int], set[int]]:
    """Annotations by category, and the ids of all categories; the doctor has no objection."""
    assert run(["crowd", "doctor", str(folder)]) == 0
    assert run(["crowd", "export", str(folder), "-o", str(folder / "out.json")]) == 0
    found = CocoDataset.load(folder / "out.json")
    return Counter(one.category_id for one in found.annotations), {one.id for one in found.categories}


def test_a_finished_campaign_gets_a_further_category(
    tmp_path: Path, photos: Path, known: list[str], capsys: Any
) -> None:
    folder = tmp_path / "campaign"
    everything = CocoDataset.load(sample_dir() / "annotations" / "val.json").categories
    in_known = {one.category_id for one in CocoDataset.load(known[1]).annotations}
    later = max(in_known & set(truth()))
    name = next(one.name for one in everything if one.id == later)
    some = tmp_path / "some.json"
    CocoDataset(categories=tuple(one for one in everything if one.id != later)).save(some)
    every = tmp_path / "every.json"
    CocoDataset(categories=everything).save(every)
    words = ["--images", str(photos), "--categories", str(some), *painting.FEW, *known]
    assert run(["crowd", "init", str(folder), *words]) == 0
    asyncio.run(painting.label(folder, 4))
    without = Counter({key: number for key, number in truth().items() if key != later})
    assert exported(folder) == (without, {one.id for one in everything} - {later})

    capsys.readouterr()
    assert run(["crowd", "add", str(folder), "--categories", str(every), *known]) == 0
    said = capsys.readouterr().err
    assert " known masks, 1 categories added" in said
    assert "2 images whose labelling has begun are asked about the new categories alone" in said
    assert run(["crowd", "status", str(folder), "--json"]) == 0
    labelling = {one["stage"]: one for one in json.loads(capsys.readouterr().out)["stages"]}["labelling"]
    assert (labelling["open"], labelling["needed"] - labelling["done"]) == (2, 4)
    asyncio.run(painting.label(folder, 4))
    assert exported(folder) == (truth(), {one.id for one in everything})

    capsys.readouterr()
    assert run(["crowd", "retire-category", str(folder), name]) == 0
    assert "which are kept" in capsys.readouterr().err
    assert exported(folder) == (without, {one.id for one in everything} - {later})
    assert run(["crowd", "retire-category", str(folder), name, "--undo"]) == 0
    assert exported(folder) == (truth(), {one.id for one in everything})


@pytest.fixture
def campaign(tmp_path: Path, photos: Path) -> Path:
    listed = tmp_path / "birds.txt"
    listed.write_text("robin, bird\ngreat auk, bird\n")
    folder = tmp_path / "campaign"
    assert run(["crowd", "init", str(folder), "--images", str(photos), "--categories", str(listed)]) == 0
    return folder


def test_a_text_file_is_numbered_on_above_retired_ones(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    assert run(["crowd", "retire-category", str(campaign), "great auk"]) == 0
    more = tmp_path / "more.txt"
    more.write_text("robin, bird\nwren, bird\nfox, mammal\n")
    assert run(["crowd", "add", str(campaign), "--categories", str(more)]) == 0
    assert exported(campaign)[1] == {1, 3, 4}
    capsys.readouterr()
    assert run(["crowd", "add", str(campaign), "--categories", str(more)]) == 2
    assert "all of them already" in capsys.readouterr().err
    more.write_text("great auk, bird\n")
    assert run(["crowd", "add", str(campaign), "--categories", str(more)]) == 1
    assert "take it up again instead" in capsys.readouterr().err
    assert exported(campaign)[1] == {1, 3, 4}


def test_categories_come_and_go_while_the_campaign_is_served(campaign: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("wren, bird\n")

    async def serve() -> None:
        store = await open_store(campaign / "campaign.db")
        try:
            worker = await engine.add_worker(store, "ann", 1)
            for words, asked in (
                (["add", str(campaign), "--categories", str(more)], ["robin", "great auk", "wren"]),
                (["retire-category", str(campaign), "robin"], ["great auk", "wren"]),
            ):
                assert await asyncio.to_thread(run, ["crowd", *words]) == 0
                got = await engine.lease(store, worker, "labelling", 2)
                assert [one.name for panel in got.task.panels for one in panel.categories] == asked
            assert (
                await asyncio.to_thread(run, ["crowd", "add", str(campaign), "--candidates", "thesis"]) != 0
            )
        finally:
            await store.close()

    asyncio.run(serve())


def test_the_ids_of_a_coco_file_must_be_free(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    sample = CocoDataset.load(sample_dir() / "annotations" / "val.json").categories[0]
    file = tmp_path / "more.json"
    CocoDataset(categories=(replace(sample, id=2, name="wren"),)).save(file)
    assert run(["crowd", "add", str(campaign), "--categories", str(file)]) == 1
    assert "'wren' has the id of 'great auk'" in capsys.readouterr().err
    CocoDataset(categories=(replace(sample, id=9, name="wren"),)).save(file)
    assert run(["crowd", "add", str(campaign), "--categories", str(file)]) == 0
    assert exported(campaign)[1] == {1, 2, 9}


def test_a_name_that_is_not_there_is_answered_with_those_that_are(campaign: Path, capsys: Any) -> None:
    assert run(["crowd", "retire-category", str(campaign), "auk"]) == 2
    assert "there are: robin, great auk" in capsys.readouterr().err
    assert run(["crowd", "retire-category", str(campaign), "robin"]) == 0
    assert run(["crowd", "retire-category", str(campaign), "great auk"]) == 2
    assert "the last one" in capsys.readouterr().err
    assert run(["crowd", "retire-category", str(campaign), "great auk", "--undo"]) == 2
    assert "is not retired" in capsys.readouterr().err
