"""amidst.coco.parsing: nesting beyond what can be followed is an error of the file, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from amidst.coco import CocoDataset, parsing
from amidst.coco.check import check
from amidst.coco.results import Results
from amidst.coco.skim import skim
from amidst.errors import DataError

DEEP = "[" * 200_000 + "]" * 200_000


def image(extra: str) -> str:
    return '{"id": 1, "width": 4, "height": 4, "file_name": "a.jpg", "x": ' + extra + "}"


FILES = {
    "an image": '{"images": [' + image(DEEP) + '], "annotations": [], "categories": []}',
    "the top": '{"images": [], "x": ' + DEEP + "}",
    "info": '{"images": [], "info": {"x": ' + DEEP + "}}",
    "licenses": '{"images": [], "licenses": [{"x": ' + DEEP + "}]}",
}


@pytest.mark.parametrize("where", FILES)
def test_a_dataset(where: str, tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(FILES[where])
    with pytest.raises(DataError, match="nested too deeply"):
        CocoDataset.load(path)
    assert skim(path, with_masks=False) is None


@pytest.mark.parametrize("where", ["an image", "the top"])
def test_a_check_has_a_finding(where: str, tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(FILES[where])
    assert "nested too deeply" in str(check(path).findings)


def test_what_is_nested_a_little_is_kept(tmp_path: Path) -> None:
    (found,) = parsing.parse_images(f"[{image('[[[1]]]')}]".encode(), None)
    assert found.extra == {"x": [[[1]]]}


def test_results(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(
        '[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1, "x": ' + DEEP + "}]"
    )
    with pytest.raises(DataError, match="nested too deeply"):
        Results.load(path)
