"""The quick look takes plain files only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from amidst.coco.skim import skim
from amidst.errors import UsageError


@pytest.fixture
def plain(dataset_content: dict[str, Any]) -> dict[str, Any]:
    del dataset_content["annotations"][2]["ignore"]
    return dataset_content


def as_file(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_empty(tmp_path: Path) -> None:
    path = as_file(tmp_path / "a.json", {"images": [], "annotations": [], "categories": []})
    look = skim(path, with_masks=True)
    assert look is not None
    assert look.categories == ()
    assert look.category_ids.tolist() == []


def test_plain(plain: dict[str, Any], tmp_path: Path) -> None:
    look = skim(as_file(tmp_path / "a.json", plain), with_masks=False)
    assert look is not None
    assert [c.id for c in look.categories] == [3, 0, 90]
    assert look.category_ids.tolist() == [3, 3], "crowds do not count"


def test_masks(plain: dict[str, Any], tmp_path: Path) -> None:
    assert skim(as_file(tmp_path / "a.json", plain), with_masks=True) is None, "one has none"
    plain["annotations"].pop()
    path = as_file(tmp_path / "a.json", plain)
    assert skim(path, with_masks=True) is not None
    plain["annotations"][0]["segmentation"] = [[1, 2, 3, 4]]
    assert skim(as_file(path, plain), with_masks=True) is None


@pytest.mark.parametrize(
    ("section", "index", "fields"),
    [
        ("annotations", 0, {"id": 5}),
        ("annotations", 0, {"ignore": 1}),
        ("annotations", 0, {"image_id": 4}),
        ("annotations", 0, {"category_id": 4}),
        ("annotations", 0, {"area": None}),
        ("annotations", 0, {"bbox": [1, 2, 3]}),
        ("images", 0, {"id": 0}),
        ("categories", 0, {"id": 0}),
    ],
)
def test_not_plain(
    section: str, index: int, fields: dict[str, Any], plain: dict[str, Any], tmp_path: Path
) -> None:
    plain[section][index].update(fields)
    assert skim(as_file(tmp_path / "a.json", plain), with_masks=False) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": [], "annotations": [], "categories": [NaN]}'])
def test_not_a_dataset(text: str, tmp_path: Path) -> None:
    assert skim(as_file(tmp_path / "a.json", text), with_masks=False) is None


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        skim(tmp_path / "nowhere.json", with_masks=False)
