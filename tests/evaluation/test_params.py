"""Settings of the metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from amidst.errors import UsageError
from amidst.evaluation import Params


def test_defaults_are_those_of_coco() -> None:
    params = Params()
    assert params.iou_thresholds == tuple(np.linspace(0.5, 0.95, 10))
    assert params.recall_thresholds == tuple(np.linspace(0, 1, 101))
    assert params.max_dets == (1, 10, 100)
    assert params.area_names == ("all", "small", "medium", "large")
    assert [(lo, hi) for _, lo, hi in params.area_ranges] == [
        (0, 1e10),
        (0, 1024),
        (1024, 9216),
        (9216, 1e10),
    ]


def test_arrays_become_tuples_and_limits_are_sorted() -> None:
    params = Params(np.array([0.5]), np.array([0, 1]), [("all", 0, 10)], [100, np.int64(1)])  # type: ignore[arg-type]
    assert params == Params((0.5,), (0.0, 1.0), (("all", 0.0, 10.0),), (1, 100))
    assert type(params.max_dets[0]) is int


@pytest.mark.parametrize(
    "bad",
    [
        {"iou_thresholds": ()},
        {"iou_thresholds": (1.5,)},
        {"iou_thresholds": (float("nan"),)},
        {"recall_thresholds": (-0.1,)},
        {"max_dets": ()},
        {"max_dets": (0, 1)},
        {"area_ranges": ()},
        {"area_ranges": (("all", 5, 4),)},
        {"area_ranges": (("all", -1, 4),)},
        {"area_ranges": (("all", 0, float("inf")),)},
        {"area_ranges": (("all", 0, 4), ("all", 0, 5))},
    ],
)
def test_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Params(**bad)
