"""`evaluate` against pycocotools, cell by cell, on random datasets full of ties, crowds and empty images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.coco import CocoDataset
from amidst.evaluation import evaluate

TOLERANCE = 1e-9
AREAS = (("all", 0, 1e10), ("tiny", 0, 100), ("rest", 100, 1e10), ("narrow", 50, 60))

# What the reference is set to, and the same in our words.
SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"maxDets": [1, 10, 1000]}, {"max_dets": (1, 10, 1000)}),
    ({"maxDets": [5]}, {"max_dets": (5,)}),
    ({"maxDets": [1, 2, 5, 10, 100, 300]}, {"max_dets": (300, 1, 2, 5, 10, 100)}),
    ({"useCats": 0, "maxDets": [10, 100, 1000]}, {"class_agnostic": True, "max_dets": (10, 100, 1000)}),
    (
        {"iouThrs": np.array([0.1, 0.5, 0.999, 1.0]), "recThrs": np.linspace(0, 1, 11)},
        {"iou_thresholds": (0.1, 0.5, 0.999, 1.0), "recall_thresholds": np.linspace(0, 1, 11)},
    ),
    (
        {"areaRng": [list(a[1:]) for a in AREAS], "areaRngLbl": [a[0] for a in AREAS]},
        {"area_ranges": AREAS},
    ),
    (
        {"useCats": 0, "maxDets": [3, 7], "iouThrs": np.linspace(0.5, 1, 51)},
        {"class_agnostic": True, "max_dets": (3, 7), "iou_thresholds": np.linspace(0.5, 1, 51)},
    ),
]


def as_file(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("settings", range(len(SETTINGS)))
def test_equal_to_reference(kind: str, settings: int, make_case: Any, reference: Any, tmp_path: Path) -> None:
    theirs, ours = SETTINGS[settings]
    filled = 0
    for seed in range(settings, 200, len(SETTINGS)):
        case = make_case(seed, kind)
        expected = reference(case, **theirs)
        dataset_file = as_file(tmp_path / "gt.json", case.dataset)
        dataset = CocoDataset.load(dataset_file)
        by_file = evaluate(dataset_file, as_file(tmp_path / "dt.json", case.detections), kind, **ours)
        in_memory = evaluate(dataset, case.detections, kind, **ours)
        for summary in (by_file, in_memory):
            for name, wanted in zip(("precision", "recall", "scores"), expected, strict=True):
                found = getattr(summary, name)
                assert found.shape == wanted.shape, (seed, name)
                assert np.abs(found - wanted).max(initial=0) <= TOLERANCE, (seed, name)
        assert in_memory.stats == by_file.stats
        filled += bool((expected[1] > 0).any())
    assert filled >= 10, "too few of the random datasets have matches"


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_reference_as_engine(kind: str, make_case: Any) -> None:
    for seed in range(6):
        case = make_case(seed, kind)
        dataset = dataset_of(case)
        fast = evaluate(dataset, case.detections, kind)
        slow = evaluate(dataset, case.detections, kind, engine="pycocotools")
        np.testing.assert_allclose(fast.precision, slow.precision, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(fast.recall, slow.recall, rtol=0, atol=TOLERANCE)


def dataset_of(case: Any) -> CocoDataset:
    from_file = json.dumps(case.dataset).encode()
    return CocoDataset.from_json(from_file)


def test_boxes_of_masks_equal_reference(make_case: Any, reference: Any) -> None:
    """Results with masks alone, compared by box: tight boxes, but the area of the mask."""
    for seed in range(12):
        case = make_case(seed, "segm")
        case.kind = "bbox"
        expected = reference(case)
        summary = evaluate(dataset_of(case), case.detections, "bbox")
        assert np.abs(summary.precision - expected[0]).max(initial=0) <= TOLERANCE
