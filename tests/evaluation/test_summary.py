"""Means over the curves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from amidst.coco.engine import Curves
from amidst.evaluation import Params
from amidst.evaluation.summary import NUMBERS, summarize


def curves(params: Params, classes: int, value: float = -1.0) -> Curves:
    t, r = len(params.iou_thresholds), len(params.recall_thresholds)
    a, m = len(params.area_ranges), len(params.max_dets)
    return Curves(
        np.full((t, r, classes, a, m), value),
        np.full((t, classes, a, m), value),
        np.zeros((t, r, classes, a, m)),
    )


@pytest.mark.parametrize("classes", [0, 2])
def test_nothing_to_find(classes: int) -> None:
    rows = [(k, f"c{k}", 0) for k in range(classes)]
    summary = summarize("bbox", curves(Params(), classes), Params(), rows)
    assert summary.stats == (-1.0,) * 12
    assert [(c.ap, c.ap50, c.ap75, c.ar) for c in summary.categories] == [(-1, -1, -1, -1)] * classes


def test_cells_without_truth_are_left_out() -> None:
    params, given = Params(), curves(Params(), 3)
    given.precision[:, :, 0, 0, 2] = 0.5
    given.precision[0, :, 0, 0, 2] = 1.0  # IoU 0.5
    given.precision[:, :, 2, 0, 2] = 0.0
    given.recall[:, 0, 0, :] = [0.1, 0.2, 0.4]
    given.recall[:, 2, 3, 2] = 0.7
    summary = summarize("bbox", given, params, [(1, "a", 4), (2, "b", 0), (5, "c", 1)])
    assert summary.ap == pytest.approx(0.55 / 2)
    assert (summary.ap50, summary.ap75) == (0.5, 0.25)
    assert (summary.ar_1, summary.ar_10, summary.ar_100) == pytest.approx((0.1, 0.2, 0.4))
    assert (summary.ap_large, summary.ar_large) == (-1, pytest.approx(0.7))
    assert [c.ap for c in summary.categories] == pytest.approx([0.55, -1, 0])
    assert [c.instances for c in summary.categories] == [4, 0, 1]


def test_other_settings() -> None:
    params = Params(
        iou_thresholds=(0.3, 0.75), max_dets=(10, 1000), area_ranges=(("all", 0, 9), ("tiny", 0, 1))
    )
    given = curves(params, 1, 0.25)
    given.recall[..., 1] = 0.5
    summary = summarize("segm", given, params, [(1, "a", 1)])
    assert (summary.ap, summary.ap50, summary.ap75, summary.ap_small) == (0.25, -1, 0.25, -1)
    assert (summary.ar_1, summary.ar_10, summary.ar_100) == (-1, 0.25, -1)
    assert summary.average_recall() == summary.average_recall(max_dets=1000, area="tiny") == 0.5
    assert summary.average_precision(iou=0.3, area="tiny", max_dets=10) == 0.25
    assert summary.average_precision(area="huge") == -1


def test_builtins() -> None:
    summary = summarize("bbox", curves(Params(), 1, 0.5), Params(), [(1, "a", 3)])
    tree = json.loads(json.dumps(summary.to_builtins()))
    assert [tree[name] for name in NUMBERS] == list(summary.stats)
    assert tree["categories"] == [
        {"category_id": 1, "name": "a", "ap": 0.5, "ap50": 0.5, "ap75": 0.5, "ar": 0.5, "instances": 3}
    ]
    assert tree["params"]["max_dets"] == [1, 10, 100]
    assert "precision" not in tree
    assert np.array(summary.to_builtins(curves=True)["precision"]).shape == (10, 101, 1, 4, 3)


def test_read_only() -> None:
    summary = summarize("bbox", curves(Params(), 1, 0.5), Params(), [(1, "a", 3)])
    with pytest.raises(ValueError, match="read-only"):
        summary.precision[0] = 1
