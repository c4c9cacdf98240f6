"""Single decisions at one threshold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results, masks
from amidst.evaluation import evaluate
from amidst.evaluation.matches import Matches, Outcome, match_dataset, match_image

TRUE, FALSE, IGNORED, LEFT_OUT = Outcome.TRUE, Outcome.FALSE, Outcome.IGNORED, Outcome.LEFT_OUT


def square(x: float, side: float = 10) -> tuple[float, float, float, float]:
    return (x, 0.0, side, side)


def match(found: list[tuple[float, float]], given: list[float], **options: object) -> Matches:
    """Squares at x with a score, against squares at x, all of one class."""
    crowd = options.get("crowd")
    overlap = masks.box_iou([square(x) for x, _ in found], [square(x) for x in given], crowd)  # type: ignore[arg-type]
    scores = [score for _, score in found]
    return match_image(overlap, scores, [0] * len(found), [0] * len(given), **options)  # type: ignore[arg-type]


class TestImage:
    @pytest.mark.parametrize(("found", "given"), [(0, 0), (2, 0), (0, 2)])
    def test_empty(self, found: int, given: int) -> None:
        result = match([(0.0, 0.5)] * found, [0.0] * given)
        assert (result.true_positives, result.false_positives, result.misses) == (0, found, given)
        assert result.truth.tolist() == [-1] * found

    def test_higher_score_first(self) -> None:
        result = match([(1, 0.5), (2, 0.9)], [0])
        assert result.outcome.tolist() == [FALSE, TRUE]
        assert result.truth.tolist() == [-1, 0]
        assert result.iou[1] == pytest.approx(8 / 12)
        assert result.misses == 0

    def test_equal_scores_in_order(self) -> None:
        assert match([(2, 0.5), (1, 0.5)], [0]).outcome.tolist() == [TRUE, FALSE]

    def test_best_overlap_wins(self) -> None:
        assert match([(2, 0.5)], [0, 3]).truth.tolist() == [1]

    def test_threshold(self) -> None:
        assert match([(3, 0.5)], [0], iou=7 / 13).outcome.tolist() == [TRUE]
        assert match([(3, 0.5)], [0], iou=0.54).outcome.tolist() == [FALSE]

    def test_crowd_takes_any_number(self) -> None:
        result = match([(0, 0.9), (0, 0.8), (40, 0.7)], [0], crowd=[True])
        assert result.outcome.tolist() == [IGNORED, IGNORED, FALSE]
        assert result.misses == 0

    def test_ignored_takes_one(self) -> None:
        result = match([(0, 0.9), (0, 0.8)], [0], ignore=[True])
        assert result.outcome.tolist() == [IGNORED, FALSE]

    def test_counting_object_before_ignored(self) -> None:
        assert match([(1, 0.9)], [1, 0], ignore=[True, False]).truth.tolist() == [1]

    def test_classes_do_not_mix(self) -> None:
        overlap = np.ones((2, 2))
        result = match_image(overlap, [0.9, 0.8], [3, 4], [4, 4])
        assert result.outcome.tolist() == [FALSE, TRUE]
        assert result.misses == 1

    def test_read_only(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            match([(0, 0.5)], [0]).outcome[0] = 2


class TestDataset:
    dataset = CocoDataset(
        (Image(5, 99, 99, "b"), Image(0, 99, 99, "a"), Image(7, 99, 99, "c")),
        (
            Annotation(9, 5, 2, square(0), 100.0),
            Annotation(0, 0, 1, square(0), 100.0),
            Annotation(4, 5, 1, square(50), 100.0),
            Annotation(3, 0, 1, square(50), 100.0, iscrowd=True),
        ),
        (Category(1, "a"), Category(2, "b")),
    )

    def results(self, *rows: tuple[int, int, float, float]) -> Results:
        columns = list(zip(*rows, strict=True))
        return Results(columns[0], columns[1], columns[3], [square(x) for x in columns[2]])  # type: ignore[arg-type]

    def test_no_detections(self) -> None:
        result = match_dataset(self.dataset, Results.empty())
        assert result.outcome.size == 0
        assert result.missed.tolist() == [True, True, True, False]

    def test_indices_are_those_of_the_inputs(self) -> None:
        found = self.results((0, 1, 51, 0.9), (5, 2, 1, 0.2), (5, 1, 0, 0.8), (7, 1, 0, 0.7), (0, 1, 0, 0.6))
        result = match_dataset(self.dataset, found)
        assert result.outcome.tolist() == [IGNORED, TRUE, FALSE, FALSE, TRUE]
        assert result.truth.tolist() == [3, 0, -1, -1, 1]
        assert result.missed.tolist() == [False, False, True, False]

    def test_score_threshold(self) -> None:
        found = self.results((5, 2, 1, 0.2), (5, 2, 2, 0.9))
        result = match_dataset(self.dataset, found, score_threshold=0.5)
        assert result.outcome.tolist() == [LEFT_OUT, TRUE]
        assert match_dataset(self.dataset, found, max_detections=1).outcome.tolist() == [LEFT_OUT, TRUE]


def test_agrees_with_the_curves(shared_data: Path) -> None:
    """The highest recall at IoU 0.5 is the share of objects found."""
    dataset = CocoDataset.load(shared_data / "coco_mini/annotations/instances_val2017_mini.json")
    results = Results.load(shared_data / "detections/yolox_nano_coco_mini_val2017_bbox_results.json")
    result, summary = match_dataset(dataset, results), evaluate(dataset, results)
    counted = [(c.instances, r) for c, r in zip(summary.categories, summary.recall[0, :, 0, -1], strict=True)]
    found = sum(n * recall for n, recall in counted if n)
    assert result.true_positives == pytest.approx(found)
    assert result.true_positives + result.misses == sum(n for n, _ in counted)
    assert json.dumps(result.outcome.tolist())
