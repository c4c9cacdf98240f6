"""The scores that the report shows, taken from an evaluation of the run's final detections.

The detections are scored anew where they and the truth are at hand, because the report also wants the
precision curves; otherwise the twelve numbers that the run wrote down must do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from amidst.apps.report.run import Run, number
from amidst.errors import AmidstError
from amidst.evaluation import Summary, evaluate
from amidst.evaluation.summary import NUMBERS

Floats = NDArray[np.float64]

# The twelve numbers in their order: label, what it is measured at.
TWELVE = (
    ("AP", "IoU 0.50 to 0.95"),
    ("AP50", "IoU 0.50"),
    ("AP75", "IoU 0.75"),
    ("AP small", "area under 32²"),
    ("AP medium", "area from 32² to 96²"),
    ("AP large", "area over 96²"),
    ("AR1", "at most 1 detection a photograph"),
    ("AR10", "at most 10 detections"),
    ("AR100", "at most 100 detections"),
    ("AR small", "area under 32²"),
    ("AR medium", "area from 32² to 96²"),
    ("AR large", "area over 96²"),
)
MOST_CATEGORIES = 7  # with a precision chart of their own, those with most objects
IOUS = (0.5, 0.75, 0.9)

Curves = tuple[str, str, list[tuple[str, Floats]]]
"""Title, a remark, and (name, precision at each recall threshold)."""


@dataclass(frozen=True)
class Scores:
    """What the page's tables and precision charts are made of.

    stats: the twelve numbers, -1 for nothing to measure; () where the run has none. by_category: AP and AP50.
    """

    stats: tuple[float, ...] = ()
    by_category: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    recall_thresholds: Sequence[float] = ()
    precision: Sequence[Curves] = ()

    @property
    def rows(self) -> list[dict[str, str]]:
        """The table of the twelve numbers."""
        return [
            {"label": label, "value": shown(value), "note": note}
            for (label, note), value in zip(TWELVE, self.stats, strict=False)
        ]


def score_run(run: Run, notes: list[str]) -> Scores:
    """The scores of a run; what is missing is left out, and said in `notes`."""
    if run.truth is not None and run.results is not None:
        try:
            return _from_summary(evaluate(run.truth, run.results))
        except AmidstError as error:
            notes.append(f"The detections cannot be scored: {error}.")
    stats = _written_stats(run)
    if not stats:
        notes.append("There is no final score: neither summary.json nor detections with their truth.")
    return Scores(stats)


def shown(value: float) -> str:
    """A score with three decimals, or a dash where there was nothing to measure."""
    return f"{value:.3f}" if math.isfinite(value) and value >= 0 else "–"


def _written_stats(run: Run) -> tuple[float, ...]:
    """The twelve numbers as the run wrote them; () where one is missing."""
    stats = tuple(number(run.summary, name) for name in NUMBERS)
    return stats if all(math.isfinite(value) for value in stats) else ()


def _from_summary(summary: Summary) -> Scores:
    return Scores(
        stats=summary.stats,
        by_category={row.category_id: (row.ap, row.ap50) for row in summary.categories},
        recall_thresholds=summary.params.recall_thresholds,
        precision=_curves(summary),
    )


def _curves(summary: Summary) -> list[Curves]:
    """All categories together, then single ones; a lone category has the first chart only."""
    precision = summary.precision[:, :, :, 0, -1]  # (T, R, K): objects of all sizes, most detections
    lines = [
        (t, f"IoU {iou:.2f}")
        for t, iou in enumerate(summary.params.iou_thresholds)
        if any(math.isclose(iou, wanted) for wanted in IOUS)
    ]
    measured = [k for k, row in enumerate(summary.categories) if row.instances]
    if not measured:
        return []
    together = [(name, _mean_curve(precision[t][:, measured])) for t, name in lines]
    if len(measured) == 1:
        return [(summary.categories[measured[0]].name, "", together)]
    curves: list[Curves] = [("All categories", f"· mean of {len(measured)}", together)]
    for k in sorted(measured, key=lambda k: -summary.categories[k].instances)[:MOST_CATEGORIES]:
        row = summary.categories[k]
        single = [(name, _mean_curve(precision[t][:, [k]])) for t, name in lines[:2]]
        curves.append((row.name, f"· {row.instances:,} objects", single))
    return curves


def _mean_curve(values: Floats) -> Floats:
    """(R, K) -> (R,): the mean over categories that have been measured."""
    measured = values > -1
    mean: Floats = np.where(measured, values, 0).sum(axis=1) / np.maximum(measured.sum(axis=1), 1)
    return mean
