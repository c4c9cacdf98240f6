from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.report.run import read_run
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image


def write_run(folder: Path, family: str, summary: dict[str, Any]) -> Path:
    dataset = CocoDataset(
        (Image(1, 20, 10, "a.png"),),
        (Annotation(1, 1, 4, (1, 1, 5, 5), 25.0), Annotation(2, 1, 9, (8, 1, 5, 5), 25.0, iscrowd=True)),
        (Category(4, "cat"), Category(9, "dog")),
    )
    folder.mkdir()
    dataset.save(folder / "val.json")
    (folder / "config.json").write_text(json.dumps({"name": "x", "model": {"family": family}}))
    (folder / "run.json").write_text(json.dumps({"val_annotations": str(folder / "val.json")}))
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.mark.parametrize("family", ["rpn", "deepmask", "sharpmask", "fpn_masks"])
def test_proposals_are_held_against_objects_of_one_category(tmp_path: Path, family: str) -> None:
    run = read_run(write_run(tmp_path / "run", family, {"ar@100": 0.25, "auc": 0.125}))
    assert run.truth is not None
    assert [(a.id, a.category_id, a.iscrowd) for a in run.truth.annotations] == [(1, 1, False), (2, 1, True)]
    assert [category.name for category in run.truth.categories] == ["object"]
    (note,) = [note for note in run.notes if "any category" in note]
    assert "AR@100 0.250, AUC 0.125." in note


def test_without_a_summary_the_recall_is_not_written(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", "rpn", {}))
    assert any("Recall as the run measured it: not written." in note for note in run.notes)


def test_detections_keep_the_categories(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", "faster_rcnn", {}))
    assert run.truth is not None
    assert [category.name for category in run.truth.categories] == ["cat", "dog"]
    assert not any("any category" in note for note in run.notes)
