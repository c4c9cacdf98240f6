from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from amidst.coco.dataset import CocoDataset


def test_nothing_asked_keeps_everything(amidst: Any, data: Any, tmp_path: Path) -> None:
    typed = amidst("dataset", "select", data.val, "-o", tmp_path / "all.json")
    assert typed.code == 0, typed.err
    assert CocoDataset.load(tmp_path / "all.json") == CocoDataset.load(data.val)


def test_a_category_with_its_objects(amidst: Any, data: Any, tmp_path: Path) -> None:
    whole = CocoDataset.load(data.val)
    wanted = whole.categories[0]
    out = tmp_path / "one.json"
    typed = amidst("dataset", "select", data.val, "-o", out, "--category", wanted.name, "--json")
    part = CocoDataset.load(out)
    assert [one.name for one in part.categories] == [wanted.name]
    assert [a.id for a in part.annotations] == [a.id for a in whole.annotations if a.category_id == wanted.id]
    assert len(part.images) == len(whole.images)
    counted = json.loads(typed.out)
    assert (counted["images"], counted["annotations"]) == (len(part.images), len(part.annotations))


def test_images_that_hold_a_category(amidst: Any, data: Any, tmp_path: Path) -> None:
    whole = CocoDataset.load(data.val)
    wanted = whole.categories[0]
    amidst("dataset", "select", data.val, "-o", tmp_path / "a.json", "--containing", wanted.name)
    amidst(
        "dataset", "select", data.val, "-o", tmp_path / "b.json", "--category", wanted.name, "--drop-empty"
    )
    holding = {a.image_id for a in whole.annotations if a.category_id == wanted.id}
    a, b = (CocoDataset.load(tmp_path / name) for name in ("a.json", "b.json"))
    assert {image.id for image in a.images} == {image.id for image in b.images} == holding
    assert len(a.categories) == len(whole.categories)


def test_unknown_names_and_files_that_exist_are_refused(amidst: Any, data: Any, tmp_path: Path) -> None:
    typed = amidst("dataset", "select", data.val, "-o", tmp_path / "x.json", "--category", "unicorn")
    assert typed.code == 2
    assert "no category is named 'unicorn'" in typed.err
    assert not (tmp_path / "x.json").exists()
    (tmp_path / "x.json").write_text("mine")
    assert amidst("dataset", "select", data.val, "-o", tmp_path / "x.json").code == 2
    assert (tmp_path / "x.json").read_text() == "mine"


def test_merge_refuses_equal_ids_and_renumbers_if_told_to(amidst: Any, data: Any, tmp_path: Path) -> None:
    typed = amidst("dataset", "merge", data.val, data.val, "-o", tmp_path / "twice.json")
    assert typed.code != 0
    assert "id" in typed.err
    typed = amidst("dataset", "merge", data.val, data.val, "-o", tmp_path / "twice.json", "--renumber")
    assert typed.code == 0, typed.err
    one, two = CocoDataset.load(data.val), CocoDataset.load(tmp_path / "twice.json")
    assert len(two.images) == 2 * len(one.images)
    assert len(two.annotations) == 2 * len(one.annotations)
    assert two.categories == one.categories
