"""The charts of the report: which numbers of a run become which lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amidst.apps.report.comparison import Comparison, Outcome
from amidst.apps.report.plots import SIZE, Series, bar_chart, line_chart, smoothed
from amidst.apps.report.run import Run, number
from amidst.apps.report.scores import Scores

Chart = tuple[str, str, str]
"""Title, a remark beside it, SVG."""

WIDE = (520, 280)  # where two charts share the width of the page
SMOOTH_FROM = 30  # logged steps; fewer are drawn as they are
LOG_FROM = 30.0  # a loss that falls by this factor gets a logarithmic axis


def training(run: Run) -> list[Chart]:
    """Loss, validation scores and learning rate over the updates, as far as the run logged them."""
    steps = [number(line, "step") for line in run.steps]
    charts = [
        ("Loss", "", _loss(run, steps)),
        ("Validation", "· during training", _validation(run)),
        (
            "Learning rate",
            "",
            line_chart(
                [Series("learning rate", steps, [number(line, "lr") for line in run.steps], 2)],
                title="Learning rate over the updates",
                x_label="update",
            ),
        ),
    ]
    return [chart for chart in charts if chart[2]]


def sizes(stats: tuple[float, ...]) -> str:
    """AP and AR of small, medium and large objects, from the twelve numbers; "" without them."""
    if len(stats) != 12:
        return ""
    groups = [
        (name, [_known(stats[3 + k]), _known(stats[9 + k])])
        for k, name in enumerate(("small", "medium", "large"))
    ]
    return bar_chart(groups, title="AP and AR by size of the object", series=["AP", "AR100"], size=(520, 330))


def precision(scores: Scores, comparisons: Sequence[Comparison]) -> list[Chart]:
    """Precision over recall: all categories together at three IoUs, then single categories; and, for the
    choice of a score threshold, precision and recall over it.
    """
    size = WIDE if len(scores.precision) == 1 else SIZE
    charts = [("By score", "· IoU 0.50", _by_score(comparisons, size))]
    for title, note, curves in scores.precision:
        series = [
            Series(name, *_until_zero(scores.recall_thresholds, values), tone)
            for tone, (name, values) in enumerate(curves)
        ]
        svg = line_chart(
            series,
            title=f"Precision over recall, {title}",
            x_label="recall",
            x_range=(0.0, 1.0),
            y_range=(0.0, 1.0),
            size=size,
        )
        charts.append((title, note, svg))
    shown = [chart for chart in charts if chart[2]]
    return shown[1:2] + shown[:1] + shown[2:]


def _until_zero(
    recall: Sequence[float], values: NDArray[np.float64]
) -> tuple[Sequence[float], Sequence[float]]:
    """The curve up to the first recall that was never reached; all of one that never left zero."""
    reached = int(np.argmin(values > 0)) if (values <= 0).any() else len(values)
    reached = reached or len(values)
    return recall[:reached], values[:reached].tolist()


def _by_score(comparisons: Sequence[Comparison], size: tuple[int, int]) -> str:
    """Precision, recall and F1 of all categories together as the score threshold rises."""
    judged = [
        (d.score, d.outcome) for c in comparisons for d in c.detections if d.outcome is not Outcome.IGNORED
    ]
    objects = sum(not item.ignored for c in comparisons for item in c.objects)
    if not judged or not objects:
        return ""
    scores = np.array([score for score, _ in judged])
    correct = np.array([outcome is Outcome.CORRECT for _, outcome in judged])
    at = np.linspace(0.02, 0.98, 49)
    kept = (scores[None] >= at[:, None]).sum(axis=1)
    right = ((scores[None] >= at[:, None]) & correct[None]).sum(axis=1)
    lines = (
        ("precision", np.where(kept > 0, right / np.maximum(kept, 1), np.nan)),
        ("recall", right / objects),
        ("F1", 2 * right / (kept + objects)),
    )
    return line_chart(
        [Series(name, at, values, tone) for tone, (name, values) in enumerate(lines)],
        title="Precision, recall and F1 over the score threshold",
        x_label="score threshold",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        size=size,
    )


def _loss(run: Run, steps: list[float]) -> str:
    total = [number(line, "loss") for line in run.steps]
    parts: dict[str, list[float]] = {}
    names = {name for line in run.steps if isinstance(line.get("losses"), dict) for name in line["losses"]}
    for name in sorted(names):
        parts[name] = [
            number(line["losses"], name) if isinstance(line.get("losses"), dict) else math.nan
            for line in run.steps
        ]
    series = []
    for tone, (name, values) in enumerate([("total", total), *list(parts.items())[:4]]):
        if len(steps) >= SMOOTH_FROM:
            series.append(Series(name, steps, values, tone, faint=True))
            series.append(Series(name, steps, smoothed(values), tone))
        else:
            series.append(Series(name, steps, values, tone, dots=True))
    finite = np.array([value for value in total if value > 0 and math.isfinite(value)])
    log = bool(finite.size and finite.max() > LOG_FROM * finite.min())
    return line_chart(series, title="Loss over the updates", x_label="update", log=log)


def _validation(run: Run) -> str:
    """AP and AP50 over the updates; "" for a single validation, whose numbers stand elsewhere."""
    if len(run.validations) < 2:
        return ""
    steps = [number(line, "step") for line in run.validations]
    scores = [{key.lower(): value for key, value in line["validation"].items()} for line in run.validations]
    series = [
        Series(name, steps, [number(values, name.lower()) for values in scores], tone, dots=True)
        for tone, name in enumerate(("AP", "AP50"))
    ]
    return line_chart(series, title="AP of the validations", x_label="update")


def _known(value: float) -> float | None:
    return value if math.isfinite(value) and value >= 0 else None
