"""PASCAL's average precision: by hand, and on random sets against a plain implementation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.evaluation.pascal import average_precision, pascal_ap

MakeSet = Callable[..., tuple[CocoDataset, Results]]
Iou = Callable[..., float]


def hits(*flags: int) -> np.ndarray:
    return np.array(flags, bool)


def test_nothing() -> None:
    assert average_precision(hits(), 0) is None
    assert average_precision(hits(1, 0), 0) is None
    assert average_precision(hits(), 3) == 0
    score = pascal_ap(CocoDataset(), Results.empty())
    assert score.categories == ()
    assert score.mean is None


def test_the_area_by_hand() -> None:
    # recall .5 at precision 1, recall 1 at 2/3
    assert average_precision(hits(1, 0, 1), 2) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # a dip is filled: precision at recall 1/3 is raised to 2/3
    assert average_precision(hits(0, 1, 1), 3) == pytest.approx(2 / 3 * 2 / 3)


def test_eleven_points_by_hand() -> None:
    assert average_precision(hits(1, 0, 1), 2, "11-point") == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)
    assert average_precision(hits(1, 1, 1), 10, "11-point") == pytest.approx(4 / 11)  # recall .3 counts


def scene(*annotations: Annotation) -> CocoDataset:
    return CocoDataset((Image(1, 99, 99, "a"),), annotations, (Category(1, "dog"),))


def found(*boxes: tuple[float, ...]) -> Results:
    count = len(boxes)
    return Results(np.ones(count), np.ones(count), np.linspace(1, 0.5, count), np.array(boxes, float))


def test_a_second_detection_of_one_object_is_a_false_alarm() -> None:
    two = scene(Annotation(1, 1, 1, (0, 0, 10, 10), 100), Annotation(2, 1, 1, (50, 0, 10, 10), 100))
    score = pascal_ap(two, found((0, 0, 10, 10), (0, 0, 10, 9), (50, 0, 10, 10)))
    assert score.mean == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_detection_belongs_to_its_nearest_object_only() -> None:
    """Unlike COCO, which would give the second detection the object that is left."""
    close = scene(Annotation(1, 1, 1, (0, 0, 10, 10), 100), Annotation(2, 1, 1, (3, 0, 10, 10), 100))
    score = pascal_ap(close, found((0, 0, 10, 10), (1, 0, 10, 10)))
    assert score.categories[0].recall == 0.5


def test_difficult_objects_and_crowds_count_neither_way() -> None:
    objects = scene(
        Annotation(1, 1, 1, (0, 0, 10, 10), 100, ignore=True),
        Annotation(2, 1, 1, (40, 40, 50, 50), 2500, iscrowd=True),
        Annotation(3, 1, 1, (20, 0, 10, 10), 100),
    )
    score = pascal_ap(objects, found((0, 0, 10, 10), (45, 45, 10, 10), (20, 0, 10, 10)))
    assert score.categories[0].objects == 1
    assert score.mean == 1


def plain_ap(plain_iou: Iou, dataset: CocoDataset, results: Results, category_id: int) -> float | None:
    truths = [a for a in dataset.annotations if a.category_id == category_id]
    count = sum(not (a.iscrowd or a.ignore) for a in truths)
    rows = [n for n in range(len(results)) if results.category_ids[n] == category_id]
    # equal scores: by image, then in file order
    rows.sort(key=lambda n: (-results.scores[n], results.image_ids[n], n))
    used, points, right, total = set(), [(0.0, 0.0)], 0, 0
    for n in rows:
        at = tuple(results.boxes_xywh[n].tolist())  # type: ignore[index]
        here = [a for a in truths if a.image_id == results.image_ids[n]]
        single = [(plain_iou(at, a.bbox_xywh), a) for a in here if not a.iscrowd]
        best = max(single, key=lambda pair: pair[0], default=(0.0, None))
        if best[1] is not None and best[0] >= 0.5:
            if best[1].ignore:
                continue
            right += best[1].id not in used
            used.add(best[1].id)
        elif any(plain_iou(at, a.bbox_xywh, True) >= 0.5 for a in here if a.iscrowd):
            continue
        total += 1
        points.append((right / count if count else 0.0, right / total))
    if not count:
        return None
    area = 0.0
    for (before, _), (recall, _) in pairwise(points):
        area += (recall - before) * max(p for r, p in points if r >= recall)
    return area


@pytest.mark.parametrize("seed", range(100))
def test_random_sets_against_a_plain_implementation(seed: int, random_set: MakeSet, plain_iou: Iou) -> None:
    dataset, results = random_set(seed)
    for row in pascal_ap(dataset, results).categories:
        expected = plain_ap(plain_iou, dataset, results, row.category_id)
        assert row.ap == (None if expected is None else pytest.approx(expected, abs=1e-12))
