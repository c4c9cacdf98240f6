from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from amidst.coco import masks


@pytest.fixture
def perfect(data: Any, tmp_path: Path) -> Path:
    """Results that repeat the truth."""
    records: list[dict[str, Any]] = []
    for record in json.loads(data.val.read_text())["annotations"]:
        rle = masks.compress(masks.from_polygons(record["segmentation"], (48, 64)))
        mask = {"size": list(rle.size), "counts": rle.counts}
        kept = {key: record[key] for key in ("image_id", "category_id", "bbox")}
        records.append(kept | {"segmentation": mask, "score": 0.9})
    file = tmp_path / "perfect.json"
    file.write_text(json.dumps(records))
    return file


def test_a_table(amidst: Any, data: Any, perfect: Path) -> None:
    typed = amidst("evaluate", data.val, perfect)
    assert (typed.code, typed.err) == (0, "")
    words = [line.split() for line in typed.out.splitlines()]
    assert ["AP", "1.000", "IoU", ".50", "to", ".95"] in words
    assert ["AP", "large", "-", "objects", "above"] in words
    assert any(line[:1] == ["square"] for line in words)


@pytest.mark.parametrize("engine", ["fast", "pycocotools"])
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_json(amidst: Any, data: Any, perfect: Path, kind: str, engine: str) -> None:
    typed = amidst("evaluate", data.val, perfect, "--kind", kind, "--engine", engine, "--json")
    assert (typed.code, typed.err) == (0, "")
    assert typed.json["kind"] == kind
    assert len(typed.json["stats"]) == 12
    assert typed.json["stats"][:3] == pytest.approx([1, 1, 1])
    assert typed.json["ap"] == typed.json["stats"][0]
    assert {row["name"] for row in typed.json["categories"]} == {"square", "bar"}


def test_no_detection_at_all(amidst: Any, data: Any, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]")
    typed = amidst("evaluate", data.val, tmp_path / "none.json", "--json")
    assert typed.code == 0
    assert typed.json["stats"][0] == 0
    assert all(math.isfinite(value) for value in typed.json["stats"])


def test_the_real_detections(amidst: Any, shared_data: Path) -> None:
    folder = shared_data / "detections"
    (expected,) = folder.glob("*expected*.json")
    (results,) = set(folder.glob("*.json")) - {expected}
    typed = amidst(
        "evaluate",
        shared_data / "coco_mini" / "annotations" / "instances_val2017_mini.json",
        results,
        "--json",
    )
    assert f"{typed.json['stats'][0]:.6f}"[:6] in expected.read_text()


@pytest.mark.parametrize(
    ("truth", "results", "code", "message"),
    [
        ("nowhere.json", "{perfect}", 2, "nowhere.json"),
        ("{val}", "nowhere.json", 2, "nowhere.json"),
        ("{folder}", "{perfect}", 2, "cannot read"),
        ("{text}", "{perfect}", 1, "not valid JSON"),
        ("{val}", "{text}", 1, "not valid JSON"),
        ("{perfect}", "{val}", 1, "a dataset is one JSON object"),
        ("{val}", "{val}", 1, "a results file is a list"),
        ("{val}", "{stranger}", 1, "image"),
        ("{val}", "{scoreless}", 1, "score"),
        ("{val}", "{nan}", 1, "finite"),
    ],
)
def test_bad_input(
    amidst: Any, data: Any, perfect: Path, tmp_path: Path, truth: str, results: str, code: int, message: str
) -> None:
    record = {"image_id": 10, "category_id": 3, "bbox": [0, 0, 5, 5], "score": 0.5}
    contents = {
        "text": "hello",
        "stranger": json.dumps([record | {"image_id": 999}]),
        "scoreless": json.dumps([{key: record[key] for key in ("image_id", "category_id", "bbox")}]),
        "nan": json.dumps([record | {"score": math.nan}]),
    }
    places = {"val": data.val, "perfect": perfect, "folder": tmp_path}
    for name, content in contents.items():
        places[name] = tmp_path / f"{name}.json"
        places[name].write_text(content)
    typed = amidst("evaluate", truth.format(**places), results.format(**places))
    assert typed.code == code, typed.err
    assert message in typed.err
    assert typed.out == ""
    assert len(typed.err.splitlines()) == 1


def test_masks_are_wanted_but_there_are_boxes_only(amidst: Any, data: Any, tmp_path: Path) -> None:
    record = {"image_id": 10, "category_id": 3, "bbox": [0, 0, 5, 5], "score": 0.5}
    (tmp_path / "boxes.json").write_text(json.dumps([record]))
    typed = amidst("evaluate", data.val, tmp_path / "boxes.json", "--kind", "segm")
    assert typed.code in (0, 1)  # boxes count as filled masks, or are refused; never a traceback
