from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from amidst.apps.cli.reach import anchor_reach, anchor_shapes_wh
from amidst.models.config import AnchorConfig, FPNConfig, RetinaNetConfig
from amidst.ops.anchors import cell_anchors
from amidst.recipes import RECIPES


def changed(data: Any, folder: Path, section: str, index: int, **fields: object) -> Path:
    """A copy of the validation file with one record changed."""
    content = json.loads(data.val.read_text())
    content[section][index].update(fields)
    file = folder / "changed.json"
    file.write_text(json.dumps(content))
    return file


def test_clean(amidst: Any, data: Any) -> None:
    typed = amidst("dataset", "check", data.val, "--images", data.images, "--decode")
    assert typed.code == 0, typed.out
    assert "0 errors, 0 warnings" in typed.err
    assert "4 images, 4 annotations, 2 categories, 4 files" in typed.err


@pytest.mark.parametrize(
    ("section", "fields", "rule"),
    [
        ("annotations", {"image_id": 999}, "unknown-image"),
        ("annotations", {"category_id": 999}, "unknown-category"),
        ("annotations", {"bbox": [0, 0, -5, 5]}, "degenerate-box"),
        ("annotations", {"bbox": "everywhere"}, "wrong-type"),
        ("images", {"width": 65}, "image-size"),
        ("images", {"file_name": "nowhere.jpg"}, "missing-image"),
        ("categories", {"id": 7}, "duplicate-id"),
    ],
)
def test_defects_are_named(
    amidst: Any, data: Any, tmp_path: Path, section: str, fields: dict[str, object], rule: str
) -> None:
    file = changed(data, tmp_path, section, 0, **fields)
    typed = amidst("dataset", "check", file, "--images", data.images)
    assert typed.code == 1
    assert rule in typed.out
    found = amidst("dataset", "check", file, "--images", data.images, "--json")
    assert found.code == 1
    assert found.json["file"] == str(file)
    assert found.json["ok"] is False
    assert found.json["counts"][rule] >= 1
    assert rule in {finding["rule"] for finding in found.json["findings"]}


def test_a_table_shows_the_first_examples_and_counts_all(amidst: Any, data: Any, tmp_path: Path) -> None:
    content = json.loads(data.val.read_text())
    for record in content["annotations"]:
        record["image_id"] = 999
    (tmp_path / "bad.json").write_text(json.dumps(content))
    typed = amidst("dataset", "check", tmp_path / "bad.json", "--examples", 2)
    rows = [line for line in typed.out.splitlines() if "999" in line]
    assert len(rows) == 2
    assert rows[0].split()[:3] == ["error", "unknown-image", "4"]


def test_notes_are_no_findings(amidst: Any, data: Any, tmp_path: Path) -> None:
    content = json.loads(data.val.read_text())
    content["images"].append({"id": 77, "width": 64, "height": 48, "file_name": "empty.jpg"})
    (tmp_path / "notes.json").write_text(json.dumps(content))
    typed = amidst("dataset", "check", tmp_path / "notes.json")
    assert typed.code == 0
    assert "no-objects" in typed.out


def test_anchors_of_a_recipe(amidst: Any, data: Any, tmp_path: Path) -> None:
    file = changed(data, tmp_path, "annotations", 0, bbox=[5, 5, 2, 2], area=4, segmentation=[])
    typed = amidst("dataset", "check", file, "--recipe", "smoke", "--json")
    assert typed.code == 1
    assert typed.json["counts"]["unreachable"] == 1


def test_anchor_shapes_are_those_of_the_network() -> None:
    config = RetinaNetConfig(
        anchors=AnchorConfig(base=3.0, octave_scales=2, aspects=(0.5, 1.0, 3.0)), fpn=FPNConfig(max_level=6)
    )
    cells = torch.cat([cell_anchors(3.0 * 2**level, 2, (0.5, 1.0, 3.0)) for level in range(3, 7)])
    shapes = torch.tensor(anchor_shapes_wh(config), dtype=torch.float32)
    torch.testing.assert_close(shapes, cells[:, 2:] - cells[:, :2])


def test_least_iou_follows_the_matching_rule() -> None:
    assert anchor_reach(RECIPES["retinanet_r50_fpn_1x"].make()).min_iou == 0.5
    assert anchor_reach(RECIPES["retinanet_lite_320"].make()).min_iou == 0.4
    assert anchor_reach(RECIPES["retinanet_lite_320"].make()).short == 320


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 2, "nowhere.json"),
        ("hello", 1, "not valid JSON"),
        ("[1, 2]", 1, "one JSON object"),
        ("{}", 1, "missing"),
    ],
)
def test_files_that_are_no_dataset(
    amidst: Any, tmp_path: Path, content: str | None, code: int, message: str
) -> None:
    file = tmp_path / "nowhere.json"
    if content is not None:
        file.write_text(content)
    typed = amidst("dataset", "check", file)
    assert typed.code == code
    assert message in typed.out + typed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--images", "nowhere"], "nowhere"),
        (["--recipe", "smoek"], "did you mean 'smoke'?"),
        (["--examples", "0"], "--examples"),
    ],
)
def test_misuse(amidst: Any, data: Any, words: list[str], message: str) -> None:
    typed = amidst("dataset", "check", data.val, *words)
    assert typed.code == 2
    assert message in typed.err
    assert len(typed.err.splitlines()) == 1
