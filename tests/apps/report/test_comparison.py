"""Outcomes of detections agree with the metric, and hold at every threshold."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.apps.report.comparison import Outcome, best_threshold, compare, worst_first
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Box, Category, Image
from amidst.coco.results import Results
from amidst.errors import DataError
from amidst.evaluation import evaluate

A, B = (10.0, 10.0, 20.0, 20.0), (60.0, 60.0, 20.0, 20.0)


def dataset(*objects: tuple[int, int, Box, bool], images: int = 2) -> CocoDataset:
    return CocoDataset(
        images=tuple(Image(k, 100, 100, f"{k}.jpg") for k in range(images)),
        annotations=tuple(
            Annotation(k, image, category, box, box[2] * box[3], iscrowd=crowd)
            for k, (image, category, box, crowd) in enumerate(objects)
        ),
        categories=(Category(0, "cat"), Category(7, "dog")),
    )


def results(*rows: tuple[int, int, Box, float]) -> Results:
    return Results.load(
        [{"image_id": i, "category_id": c, "bbox": list(b), "score": s} for i, c, b, s in rows]
    )


def test_found_missed_false_and_crowd() -> None:
    truth = dataset((0, 7, A, False), (0, 7, B, False), (1, 7, (0, 0, 100, 50), True))
    found = results((0, 7, A, 0.9), (0, 7, A, 0.8), (0, 0, B, 0.7), (1, 7, A, 0.6))
    first, second = compare(truth, found)
    assert [d.outcome for d in first.detections] == [Outcome.CORRECT, Outcome.FALSE, Outcome.FALSE]
    assert [o.found_at for o in first.objects] == [0.9, None]
    assert [d.outcome for d in second.detections] == [Outcome.IGNORED]
    assert second.errors(0.0) == 0
    assert (first.missed(0.5), first.missed(0.95), first.errors(0.75)) == (1, 2, 2)


def test_empty_is_ordinary() -> None:
    assert compare(CocoDataset(), Results.empty()) == []
    only_images = compare(dataset(), Results.empty())
    assert [c.errors(0.5) for c in only_images] == [0, 0]
    assert best_threshold([]) == 0.5
    assert best_threshold(only_images) == 0.5
    assert worst_first([], 0.5) == []


def test_unknown_categories_are_passed_over_and_unknown_images_refused() -> None:
    assert compare(dataset(), results((0, 99, A, 0.5)))[0].detections == ()
    with pytest.raises(DataError, match="12"):
        compare(dataset(), results((12, 7, A, 0.5)))


def test_threshold_balances_precision_and_recall() -> None:
    truth = dataset((0, 7, A, False), (0, 7, B, False))
    far = (40.0, 0.0, 9.0, 9.0)
    found = results((0, 7, A, 0.92), (0, 7, B, 0.63), *[(1, 7, far, 0.3 - 0.01 * k) for k in range(9)])
    assert best_threshold(compare(truth, found)) == pytest.approx(0.6)


def test_worst_comes_first() -> None:
    truth = dataset((0, 7, A, False), (1, 7, A, False), (1, 7, B, False), (2, 7, A, False), images=3)
    order = worst_first(compare(truth, results((0, 7, A, 0.9), (2, 7, B, 0.9))), 0.5)
    assert [c.image.id for c in order] == [1, 2, 0]


def test_agrees_with_the_metric_on_random_boxes() -> None:
    rng = np.random.default_rng(5)

    def boxes(n: int) -> list[Box]:
        corner, side = rng.uniform(0, 60, (n, 2)), rng.uniform(10, 40, (n, 2))
        return [(x, y, w, h) for (x, y), (w, h) in zip(corner.tolist(), side.tolist(), strict=True)]

    objects = boxes(120)
    truth = dataset(
        *[(k % 10, (0, 7)[k % 3 == 0], box, k % 17 == 0) for k, box in enumerate(objects)], images=10
    )
    jittered = [tuple(v + float(rng.normal(0, 3)) for v in box) for box in objects]
    found = results(
        *[
            (k % 10, (0, 7)[k % 3 == 0], (b[0], b[1], abs(b[2]), abs(b[3])), float(rng.uniform()))
            for k, b in enumerate(jittered)
        ]
    )
    comparisons = compare(truth, found)
    for category_id, row in zip((0, 7), evaluate(truth, found).categories, strict=True):
        judged = [
            (d.score, d.outcome is Outcome.CORRECT)
            for c in comparisons
            for d in c.detections
            if d.category_id == category_id and d.outcome is not Outcome.IGNORED
        ]
        right = np.array([correct for _, correct in sorted(judged, reverse=True)])
        recall = right.cumsum() / row.instances
        precision = np.maximum.accumulate((right.cumsum() / np.arange(1, len(right) + 1))[::-1])[::-1]
        at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
        ap50 = np.append(precision, 0)[at].mean()
        assert ap50 == pytest.approx(row.ap50, abs=1e-9)
