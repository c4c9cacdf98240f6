"""Recall of proposals against pycocotools with useCats=0, cell by cell, on random datasets full of ties."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from amidst.coco import CocoDataset, Results
from amidst.evaluation.params import AREA_RANGES
from amidst.evaluation.proposals import CURVE_THRESHOLDS, score_proposals

AT = (1, 2, 3, 5, 10, 20, 1000)
AREAS = (*AREA_RANGES, ("tiny", 0.0, 100.0), ("narrow", 50.0, 60.0), ("rest", 100.0, 1e10))


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_equal_to_reference_on_100_sets(kind: Any, make_case: Any, reference: Any) -> None:
    filled = 0
    for seed in range(1000, 1100):
        case = make_case(seed, kind)
        # The reference leaves out detections of categories that the dataset lacks; we do not.
        case.detections = [d for d in case.detections if d["category_id"] in case.category_ids]
        _, recall, _ = reference(
            case,
            useCats=0,
            maxDets=list(AT),
            iouThrs=np.array(CURVE_THRESHOLDS),
            areaRng=[list(area[1:]) for area in AREAS],
            areaRngLbl=[area[0] for area in AREAS],
        )
        summary = score_proposals(
            CocoDataset.from_json(json.dumps(case.dataset).encode()),
            Results.load(case.detections),
            kind=kind,
            at=AT,
            area_ranges=AREAS,
        )
        found = np.stack([[summary.recalls(n, area[0]) for n in AT] for area in AREAS])  # (A, M, T)
        np.testing.assert_array_equal(found.transpose(2, 0, 1), recall[:, 0], err_msg=f"seed {seed}")
        filled += bool((recall > 0).any())
    assert filled > 50, "too few of the random datasets have matches"
