"""`amidst analyse`: every command on small files, and what a wrong call says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def found(data: Any, tmp_path: Path) -> Path:
    """The validation objects as detections, the last of them shifted and misnamed."""
    truth = json.loads(data.val.read_text())["annotations"]
    records = [
        {"image_id": a["image_id"], "category_id": a["category_id"], "score": 0.9 - n / 10, "bbox": a["bbox"]}
        for n, a in enumerate(truth)
    ]
    records[-1]["category_id"] = {3: 7, 7: 3}[records[-1]["category_id"]]
    file = tmp_path / "found.json"
    file.write_text(json.dumps(records))
    return file


def test_errors(amidst: Any, data: Any, found: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    typed = amidst("analyse", "errors", data.val, found, "-o", tmp_path / "out", "--json")
    assert typed.code == 0
    overall = typed.json["areas"]["all"]["overall"]
    assert 0 < overall["C75"] <= overall["C50"] <= overall["Oth"] <= overall["BG"] < overall["FN"] == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"errors.json", "errors.svg", "errors.png"}
    table = amidst("analyse", "errors", data.val, found, "--category", "square")
    assert "C75" in table.out
    assert amidst("analyse", "errors", data.val, found, "--category", "dog").code == 2


def test_pascal(amidst: Any, data: Any, found: Path) -> None:
    assert 0 < amidst("analyse", "pascal", data.val, found, "--json").json["mean"] < 1
    assert "mean" in amidst("analyse", "pascal", data.val, found, "--11-point").out


def test_shapes_from_training_to_the_table(amidst: Any, data: Any, found: Path, tmp_path: Path) -> None:
    shapes, pasted = tmp_path / "shapes.npz", tmp_path / "pasted.json"
    assert amidst("analyse", "fit-shapes", data.train, "-o", shapes).code == 0
    assert amidst("analyse", "paste-shapes", data.val, found, "--shapes", shapes, "-o", pasted).code == 0
    quality = amidst("analyse", "masks", data.val, pasted, "--json").json
    assert quality["mean_of_objects"] == pytest.approx(1)  # squares and bars fill their boxes
    assert quality["found"] == 3
    rows = amidst("analyse", "masks", data.val, found, "--shapes", shapes, "--json").json
    assert [(row["shape"], row["boxes"]) for row in rows] == [
        (shape, boxes) for boxes in ("detected", "oracle") for shape in ("box", "ellipse", "shapes")
    ]
    assert "oracle" in amidst("analyse", "masks", data.val, found, "--shapes", shapes).out
    assert "square" in amidst("analyse", "masks", data.val, pasted, "--category", "square").out
    assert amidst("analyse", "masks", data.val, pasted, "--pascal").code == 2  # these are not its categories


def test_boxes_have_no_masks_to_score(amidst: Any, data: Any, found: Path) -> None:
    typed = amidst("analyse", "masks", data.val, found)
    assert typed.code == 1
    assert "no masks" in typed.err


def test_transfer(amidst: Any, data: Any, found: Path) -> None:
    words = ["--dataset", f"a={data.val}", "--dataset", f"b={data.val}", "--results", f"a@a={found}"]
    typed = amidst("analyse", "transfer", *words, "--results", f"a@b={found}", "--json")
    assert typed.json["models"]["a"]["drop"]["b"] == 0
    assert "relative drop" in amidst("analyse", "transfer", *words, "--results", f"m@b={found}").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dataset", "nonsense", "--results", "a@a=x.json"), "NAME=VALUE"),
        (("--dataset", "a={val}", "--results", "a={found}"), "MODEL@DATASET"),
        (("--dataset", "a={val}", "--results", "a@z={found}"), "'z'"),
    ],
)
def test_wrong_calls(amidst: Any, data: Any, found: Path, words: tuple[str, ...], message: str) -> None:
    typed = amidst("analyse", "transfer", *(word.format(val=data.val, found=found) for word in words))
    assert typed.code == 2
    assert message in typed.err
