"""The one door to the libraries: what it refuses, and that it is quiet."""

from __future__ import annotations

import builtins
import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.coco import engine
from amidst.errors import MissingExtra

SETTINGS: dict[str, Any] = {
    "kind": "bbox",
    "iou_thresholds": (0.5,),
    "recall_thresholds": (0.0, 1.0),
    "area_ranges": ((0, 1e10),),
    "max_dets": (100,),
    "use_categories": True,
}
TRUTH = {
    "images": [{"id": 1, "width": 9, "height": 9, "file_name": "a"}],
    "categories": [{"id": 1, "name": "x"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "area": 16, "iscrowd": 0}
    ],
}
FOUND = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "score": 0.5}]


def as_file(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("found", [[], FOUND, np.array([[1, 0, 0, 4, 4, 0.5, 1.0]])])
@pytest.mark.parametrize("name", ["fast", "pycocotools"])
def test_quiet(found: Any, name: Any, capfd: pytest.CaptureFixture[str]) -> None:
    if name == "pycocotools":
        pytest.importorskip("pycocotools")
    curves = engine.curves(json.loads(json.dumps(TRUTH)), found, engine=name, **SETTINGS)
    assert curves.precision.shape == (1, 2, 1, 1, 1)
    assert curves.recall.ravel().tolist() == [1.0 if len(found) else 0.0]
    assert capfd.readouterr() == ("", "")


def test_quiet_from_many_threads(capfd: pytest.CaptureFixture[str]) -> None:
    stdout = sys.stdout

    def work() -> None:
        for _ in range(20):
            engine.curves(json.loads(json.dumps(TRUTH)), np.array([[1, 0, 0, 4, 4, 0.5, 1.0]]), **SETTINGS)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is stdout
    assert capfd.readouterr() == ("", "")


def test_plain_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    curves = engine.curves(
        as_file(tmp_path / "gt.json", TRUTH), as_file(tmp_path / "dt.json", FOUND), **SETTINGS
    )
    assert curves.recall.ravel().tolist() == [1.0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "change",
    [
        {"score": float("nan")},
        {"score": None},
        {"score": "1"},
        {"score": ...},
        {"bbox": [1, 2, 3]},
        {"bbox": ...},
        {"bbox": [1, 2, float("inf"), 4]},
        {"image_id": 4},
        {"image_id": 1.5},
    ],
)
def test_files_that_are_not_plain(change: dict[str, Any], tmp_path: Path) -> None:
    bad = {name: value for name, value in (FOUND[0] | change).items() if value is not ...}
    truth, found = as_file(tmp_path / "gt.json", TRUTH), as_file(tmp_path / "dt.json", [*FOUND, bad])
    with pytest.raises(engine.Unplain):
        engine.curves(truth, found, **SETTINGS)


def test_reference_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name.startswith("pycocotools"):
            raise ImportError(name)
        return import_(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match=r"amidst\[reference\]"):
        engine.curves(TRUTH, FOUND, engine="pycocotools", **SETTINGS)
