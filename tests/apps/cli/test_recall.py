"""`amidst recall`: tables, JSON and figures of one file and of several, and what a wrong call says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from amidst.coco import CocoDataset, masks


def write(file: Path, records: list[dict[str, Any]]) -> Path:
    file.write_text(json.dumps(records))
    return file


@pytest.fixture
def found(data: Any, tmp_path: Path) -> Path:
    """The validation objects as proposals with boxes, the last of them too low to be found at all."""
    truth = json.loads(data.val.read_text())["annotations"]
    records = [{"image_id": a["image_id"], "category_id": 1, "score": 0.5, "bbox": a["bbox"]} for a in truth]
    x, y, w, h = records[-1]["bbox"]
    records[-1]["bbox"] = [x, y, w, h / 3]
    return write(tmp_path / "found.json", records)


@pytest.fixture
def masked(data: Any, tmp_path: Path) -> Path:
    """All validation objects as masks without boxes."""
    records = []
    for a in CocoDataset.load(data.val).annotations:
        assert a.segmentation is not None
        rle = masks.from_segmentation(a.segmentation, (48, 64))
        outline = {"size": rle.size, "counts": rle.counts}
        records.append({"image_id": a.image_id, "category_id": 1, "score": 0.5, "segmentation": outline})
    return write(tmp_path / "masked.json", records)


def test_no_proposals_find_nothing(amidst: Any, data: Any, tmp_path: Path) -> None:
    typed = amidst("recall", data.val, write(tmp_path / "none.json", []), "--json")
    assert typed.code == 0
    assert (typed.json["kind"], typed.json["auc"], typed.json["missed"]["all"]) == ("bbox", 0, 4)


def test_one_file(amidst: Any, data: Any, found: Path) -> None:
    numbers = amidst("recall", data.val, found, "--at", "1,10", "--json").json
    assert (numbers["kind"], numbers["ar@1"], numbers["ar@10"], numbers["auc"]) == ("bbox", 0.75, 0.75, 0.75)
    assert numbers["ar_large@10"] == -1
    assert numbers["missed"]["all"] == 1
    table = amidst("recall", data.val, found)
    assert "Boxes: recall of 4 proposals in 4 images" in table.out
    assert [line.split()[0] for line in table.out.splitlines()[2:]] == [
        "AR@10", "AR@100", "AR@1000", "AUC", "bound", "missed", "objects",
    ]  # fmt: skip
    assert "-" in table.out  # there are no large objects


def test_masks_where_every_proposal_has_one(amidst: Any, data: Any, found: Path, masked: Path) -> None:
    numbers = amidst("recall", data.val, masked, "--json").json
    assert (numbers["kind"], numbers["ar@10"]) == ("segm", 1.0)
    assert amidst("recall", data.val, masked, "--kind", "bbox", "--json").json["kind"] == "bbox"
    both = amidst("recall", data.val, masked, f"boxes={found}", "--json").json
    assert {name: tree["kind"] for name, tree in both.items()} == {"masked": "bbox", "boxes": "bbox"}
    refused = amidst("recall", data.val, found, "--kind", "segm")
    assert refused.code == 1
    assert "found.json: not every proposal has a mask; score boxes" in refused.err


def test_truth_without_masks_says_to_compare_boxes(
    amidst: Any, data: Any, masked: Path, tmp_path: Path
) -> None:
    truth = json.loads(data.val.read_text())
    for annotation in truth["annotations"]:
        del annotation["segmentation"]
    (tmp_path / "boxes.json").write_text(json.dumps(truth))
    typed = amidst("recall", tmp_path / "boxes.json", masked)
    assert typed.code == 1
    assert "boxes.json: annotation 110: the object has no mask; compare boxes: --kind bbox" in typed.err
    assert amidst("recall", tmp_path / "boxes.json", masked, "--kind", "bbox").code == 0


def test_several_files_side_by_side_and_as_figures(
    amidst: Any, data: Any, found: Path, masked: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "curves"
    typed = amidst("recall", data.val, found, f"all of them={masked}", "--at", "10", "--plot", out)
    assert typed.code == 0
    assert "all of them" in typed.out
    rows = [line.split() for line in typed.out.splitlines()]
    assert ["AR@10", "all", "0.750", "1.000"] in rows
    assert ["missed", "all", "1", "0"] in rows
    assert {path.name for path in out.iterdir()} == {"recall.json", "recall.svg", "recall.png"}
    assert set(json.loads((out / "recall.json").read_text())) == {"found", "all of them"}


def test_wrong_calls(amidst: Any, data: Any, found: Path, tmp_path: Path) -> None:
    twice = amidst("recall", data.val, found, found)
    assert (twice.code, "there is a second 'found'" in twice.err) == (2, True)
    assert amidst("recall", data.val, found, "--at", "10,many").code == 2
    assert amidst("recall", data.val, found, "--at", "0").code == 2
    assert amidst("recall", data.val, tmp_path / "none.json").code == 2
    assert amidst("recall", data.val, "name=").code == 2
    bad = write(tmp_path / "bad.json", [{"image_id": 99, "category_id": 1, "score": 1, "bbox": [1, 1, 2, 2]}])
    stranger = amidst("recall", data.val, bad)
    assert stranger.code == 1
    assert "bad.json: proposal at index 0: image 99 does not exist" in stranger.err
