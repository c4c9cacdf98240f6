"""The outcome of an evaluation: twelve numbers, a table by category, and the curves behind them.

T IoU thresholds, R recall thresholds, K categories, A area ranges, M limits on detections. -1 stands
wherever there is no ground truth to find; means leave such cells out, and are -1 if nothing is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from amidst.coco.engine import Curves
from amidst.evaluation.params import Params

Floats = npt.NDArray[np.float64]

NUMBERS = (
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar_1",
    "ar_10",
    "ar_100",
    "ar_small",
    "ar_medium",
    "ar_large",
)
"""Names of the twelve numbers in COCO's order."""


@dataclass(frozen=True)
class CategoryScore:
    """One category over all areas, with the most detections allowed.

    ap: over all IoU thresholds; ap50, ap75: at one (-1 if it is not among them); ar: mean highest recall.
    instances: objects that count, crowds and ignored ones left out.
    """

    category_id: int
    name: str
    ap: float
    ap50: float
    ap75: float
    ar: float
    instances: int


@dataclass(frozen=True, eq=False)
class Summary:
    """COCO's twelve numbers by name, each in 0..1 or -1.

    ap: mean over IoU thresholds, recall thresholds and categories, with the most detections allowed (the
    last
        of `params.max_dets`); ap50 and ap75 at one IoU threshold; ap_small, ap_medium, ap_large by area.
    ar_1, ar_10, ar_100: mean highest recall with this many detections per image; ar_small, ar_medium,
    ar_large
        by area with the most allowed. A number whose setting was not evaluated is -1; `average_precision`
        and `average_recall` give the numbers of other settings.
    categories: in order of id; one row named "any" where categories are not compared.
    precision, scores: (T, R, K, A, M). recall: (T, K, A, M). Read-only.
    """

    kind: Literal["bbox", "segm"]
    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar_1: float
    ar_10: float
    ar_100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    categories: tuple[CategoryScore, ...]
    params: Params
    precision: Floats
    recall: Floats
    scores: Floats

    @property
    def stats(self) -> tuple[float, ...]:
        """The twelve numbers in COCO's order."""
        return tuple(getattr(self, name) for name in NUMBERS)

    def average_precision(
        self, *, iou: float | None = None, area: str = "all", max_dets: int | None = None
    ) -> float:
        """AP at one IoU threshold (or over all), in an area range, with so many detections (or the most)."""
        return _mean_precision(self.precision, self.params, iou, area, max_dets)

    def average_recall(
        self, *, iou: float | None = None, area: str = "all", max_dets: int | None = None
    ) -> float:
        """AR, likewise."""
        return _mean_recall(self.recall, self.params, iou, area, max_dets)

    def to_builtins(self, *, curves: bool = False) -> dict[str, Any]:
        """Plain values, ready for JSON; the arrays only on request."""
        tree: dict[str, Any] = {"kind": self.kind}
        tree |= {name: getattr(self, name) for name in NUMBERS}
        tree["categories"] = [asdict(category) for category in self.categories]
        tree["params"] = asdict(self.params)
        if curves:
            tree |= {name: getattr(self, name).tolist() for name in ("precision", "recall", "scores")}
        return tree


def summarize(
    kind: Literal["bbox", "segm"],
    curves: Curves,
    params: Params,
    categories: Sequence[tuple[int, str, int]],
) -> Summary:
    """The summary of the engine's curves. categories: id, name and number of instances, in order of K."""
    for array in (curves.precision, curves.recall, curves.scores):
        array.flags.writeable = False

    def ap(iou: float | None = None, area: str = "all") -> float:
        return _mean_precision(curves.precision, params, iou, area, None)

    def ar(max_dets: int | None = None, area: str = "all") -> float:
        return _mean_recall(curves.recall, params, None, area, max_dets)

    def row(k: int, category_id: int, name: str, instances: int) -> CategoryScore:
        precision, recall = curves.precision[:, :, k : k + 1], curves.recall[:, k : k + 1]
        return CategoryScore(
            category_id,
            name,
            ap=_mean_precision(precision, params, None, "all", None),
            ap50=_mean_precision(precision, params, 0.5, "all", None),
            ap75=_mean_precision(precision, params, 0.75, "all", None),
            ar=_mean_recall(recall, params, None, "all", None),
            instances=instances,
        )

    return Summary(
        kind,
        *(ap(), ap(0.5), ap(0.75), ap(area="small"), ap(area="medium"), ap(area="large")),
        *(ar(1), ar(10), ar(100), ar(area="small"), ar(area="medium"), ar(area="large")),
        categories=tuple(row(k, *category) for k, category in enumerate(categories)),
        params=params,
        precision=curves.precision,
        recall=curves.recall,
        scores=curves.scores,
    )


def _mean_precision(
    precision: Floats, params: Params, iou: float | None, area: str, max_dets: int | None
) -> float:
    t, a, m = _cells(params, iou, area, max_dets)
    return _mean(precision[t][..., a, m])


def _mean_recall(recall: Floats, params: Params, iou: float | None, area: str, max_dets: int | None) -> float:
    t, a, m = _cells(params, iou, area, max_dets)
    return _mean(recall[t][..., a, m])


def _cells(
    params: Params, iou: float | None, area: str, max_dets: int | None
) -> tuple[list[int], list[int], list[int]]:
    """Indices along T, A and M; empty where the setting was not evaluated."""
    t = [i for i, value in enumerate(params.iou_thresholds) if iou is None or abs(value - iou) < 1e-9]
    a = [i for i, name in enumerate(params.area_names) if name == area]
    last = params.max_dets[-1] if max_dets is None else max_dets
    m = [i for i, limit in enumerate(params.max_dets) if limit == last]
    return t, a[:1], m[:1]


def _mean(values: Floats) -> float:
    """Mean of the cells that have ground truth, else -1."""
    filled = values[values > -1]
    return float(filled.mean()) if filled.size else -1.0
