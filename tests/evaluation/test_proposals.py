"""AR and AUC of proposals: hand-worked tables, and equality with a plain implementation and the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results, Rle, masks
from amidst.errors import DataError, UsageError
from amidst.evaluation.params import AREA_RANGES
from amidst.evaluation.proposals import (
    AT,
    AUC_COUNTS,
    CURVE_THRESHOLDS,
    ProposalSummary,
    score_proposals,
)

Box = tuple[float, float, float, float]

# The golden example of COCO's evaluation: image, category, box xywh, crowd.
GOLDEN_OBJECTS: list[tuple[int, int, Box, bool]] = [
    (1, 1, (10, 10, 20, 20), False),
    (1, 1, (50, 50, 60, 60), False),
    (1, 1, (200, 50, 150, 150), True),
    (1, 2, (10, 100, 100, 100), False),
    (2, 1, (30, 30, 40, 40), False),
    (2, 2, (100, 100, 30, 30), False),
    (2, 2, (105, 105, 30, 30), False),
]
GOLDEN_DETECTIONS: list[tuple[int, int, Box, float]] = [
    (1, 1, (10, 10, 20, 18), 0.9),
    (1, 1, (52, 50, 60, 60), 0.8),
    (1, 1, (50, 50, 60, 58), 0.8),
    (1, 1, (220, 60, 50, 50), 0.7),
    (1, 1, (300, 300, 20, 20), 0.6),
    (1, 2, (10, 100, 100, 90), 0.95),
    (2, 1, (30, 30, 40, 30), 0.85),
    (2, 1, (30, 30, 25, 40), 0.5),
    (2, 2, (102, 102, 30, 30), 0.9),
    (2, 2, (104, 104, 30, 30), 0.9),
    (2, 2, (0, 0, 200, 200), 0.4),
]


def dataset_of(objects: Sequence[tuple[int, int, Box, bool]], images: Sequence[int] = (1, 2)) -> CocoDataset:
    annotations = (
        Annotation(n, image, category, box, box[2] * box[3], crowd)
        for n, (image, category, box, crowd) in enumerate(objects)
    )
    pictures = tuple(Image(id, 400, 400, f"{id}.jpg") for id in images)
    return CocoDataset(pictures, tuple(annotations), (Category(1, "one"), Category(2, "two")))


def results_of(detections: Sequence[tuple[int, int, Box, float]]) -> Results:
    images, categories, boxes, scores = zip(*detections, strict=True)
    return Results(np.array(images), np.array(categories), np.array(scores), np.array(boxes, np.float64))


@pytest.mark.parametrize("dataset", [CocoDataset(), dataset_of([]), dataset_of([(1, 1, (9, 9, 9, 9), True)])])
def test_without_objects_every_number_is_missing(dataset: CocoDataset) -> None:
    some = Results.empty() if not dataset.images else results_of(GOLDEN_DETECTIONS)
    for results in (Results.empty(), some):
        summary = score_proposals(dataset, results)
        assert set(summary.numbers().values()) == {-1.0}
        assert summary.objects == summary.missed == (0, 0, 0, 0)


def test_without_proposals_nothing_is_found() -> None:
    summary = score_proposals(dataset_of(GOLDEN_OBJECTS), Results.empty(), kind="bbox")
    assert set(summary.numbers().values()) == {0.0}
    assert summary.objects == summary.missed == (6, 3, 2, 1)


def test_golden_example_without_categories() -> None:
    summary = score_proposals(
        dataset_of(GOLDEN_OBJECTS), results_of(GOLDEN_DETECTIONS), kind="bbox", at=(1, 2, 5, 100)
    )
    expected = {
        "all": (0.25, 0.5333333, 0.8, 0.8),
        "small": (0.2, 0.7666667, 0.7666667, 0.7666667),
        "medium": (0, 0, 0.8, 0.8),
        "large": (0.9, 0.9, 0.9, 0.9),
    }
    for area, values in expected.items():
        assert [summary.ar(n, area) for n in summary.at] == pytest.approx(values, abs=1e-7)
    by_iou = [1, 1, 1, 1, 1, 1, 0.6666667, 0.6666667, 0.5, 0.1666667, 0]
    assert summary.recalls(100).tolist() == pytest.approx(by_iou, abs=1e-7)


def test_perfect_proposals_give_one_and_constant_ar_gives_itself() -> None:
    perfect = [(image, 1, box, 1.0) for image, _, box, crowd in GOLDEN_OBJECTS if not crowd]
    summary = score_proposals(dataset_of(GOLDEN_OBJECTS), results_of(perfect), kind="bbox")
    assert summary.ar(10) == summary.ar() == summary.ar(1000, "small") == 1.0
    assert summary.recalls(10).tolist() == [1.0] * len(CURVE_THRESHOLDS)  # also at an IoU of 1
    assert summary.missed == (0, 0, 0, 0)
    # One object and one proposal of IoU .72: found at .5 .55 .6 .65 .7, with any number of proposals.
    one = score_proposals(
        dataset_of([(1, 1, (0, 0, 10, 10), False)]), results_of([(1, 1, (0, 0, 10, 7.2), 0.5)])
    )
    assert one.auc() == one.auc("small") == pytest.approx(0.5, abs=1e-15)
    assert one.auc("large") == -1


def test_auc_by_hand() -> None:
    # The object is the 10th proposal: AR is 0 up to N = 8 and 1 from N = 10 on, straight in log N between.
    stray = [(1, 1, (200.0, 200.0, 5.0, 5.0), 0.9)] * 9
    summary = score_proposals(
        dataset_of([(1, 1, (0, 0, 10, 10), False)]), results_of([*stray, (1, 1, (0, 0, 10, 10), 0.1)])
    )
    assert AUC_COUNTS[:9] == (1, 2, 3, 4, 5, 6, 8, 10, 13)
    assert (len(AUC_COUNTS), AUC_COUNTS[-1]) == (28, 1000)
    assert summary.auc() == pytest.approx((2 + np.log10(10 / 8) / 2) / 3)


def test_missed_means_no_proposal_above_half() -> None:
    dataset = dataset_of([(1, 1, (0, 0, 10, 10), False), (1, 1, (50, 50, 10, 10), False)])
    half = score_proposals(dataset, results_of([(1, 1, (0, 0, 10, 5), 0.9), (1, 1, (50, 50, 10, 6), 0.9)]))
    assert half.recalls(10)[0] == 1.0  # an IoU of .5 matches ...
    assert half.missed == (1, 1, 0, 0)  # ... and is not above .5


def test_numbers_by_name_and_as_json() -> None:
    summary = score_proposals(
        dataset_of(GOLDEN_OBJECTS), results_of(GOLDEN_DETECTIONS), kind="bbox", at=(5, 2)
    )
    names = list(summary.numbers())
    assert names[:4] == ["ar@2", "ar@5", "auc", "upper_bound"]
    assert names[4:8] == ["ar_small@2", "ar_small@5", "auc_small", "upper_bound_small"]
    tree = summary.to_builtins()
    assert tree["missed"] == {"all": 0, "small": 0, "medium": 0, "large": 0}
    assert tree["recall_by_iou"]["all"]["5"] == summary.recalls(5).tolist()
    assert tree["ar_by_count"]["counts"] == sorted({5, 2, *AUC_COUNTS})
    assert "ar_by_count" not in summary.to_builtins(curves=False)


def test_files_score_as_their_contents(tmp_path: Path) -> None:
    dataset, results = dataset_of(GOLDEN_OBJECTS), results_of(GOLDEN_DETECTIONS)
    dataset.save(tmp_path / "truth.json")
    results.save(tmp_path / "found.json")
    inside = score_proposals(dataset, results)
    by_file = score_proposals(tmp_path / "truth.json", str(tmp_path / "found.json"))
    assert by_file.to_builtins() == inside.to_builtins()
    assert score_proposals(dataset, results.to_builtins()).to_builtins() == inside.to_builtins()
    with pytest.raises(DataError, match=r"found\.json: not every proposal has a mask"):
        score_proposals(dataset, tmp_path / "found.json", kind="segm")


def test_masks_and_their_tight_boxes() -> None:
    """Halves of the same square: boxes of IoU .5; of a triangle in it the tight box is the square's."""
    square = np.zeros((3, 40, 40), np.uint8)
    square[0, :20, :20] = square[1, :10, :20] = square[2, :20, :20] = 1
    square[2, np.tril_indices(20, -1)[0], np.tril_indices(20, -1)[1]] = 0
    whole, half, triangle = masks.encode(square)
    truth = Annotation(1, 1, 1, (0, 0, 20, 20), 400, segmentation=whole)
    dataset = CocoDataset((Image(1, 40, 40, "a"),), (truth,), (Category(1, "one"),))

    def scored(rle: Rle, kind: Any) -> list[float]:
        one = Results(np.ones(1), np.ones(1), np.ones(1), None, (rle,))
        return score_proposals(dataset, one, kind=kind).recalls(1).tolist()

    assert scored(half, "bbox") == scored(half, "segm") == [1.0] + [0.0] * 10
    assert scored(triangle, "bbox") == [1.0] * 11
    assert scored(triangle, "segm") == [1.0] + [0.0] * 10  # 210 of 400 pixels
    assert scored(triangle, None) == scored(triangle, "segm")


def test_what_cannot_be_scored_is_refused() -> None:
    dataset, results = dataset_of(GOLDEN_OBJECTS), results_of(GOLDEN_DETECTIONS)
    with pytest.raises(UsageError, match="from 1 on"):
        score_proposals(dataset, results, at=(10, 0))
    with pytest.raises(UsageError, match="kind"):
        score_proposals(dataset, results, kind="boxes")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not evaluated"):
        score_proposals(dataset, results, kind="bbox").ar(7)
    with pytest.raises(DataError, match="not every proposal has a mask"):
        score_proposals(dataset, results, kind="segm")
    with pytest.raises(DataError, match="image 9 does not exist"):
        score_proposals(dataset, results_of([(9, 1, (0, 0, 1, 1), 0.5)]))


# ---------------------------------------------------------------- plain implementation


def plain_recall(
    dataset: CocoDataset, results: Results, overlap: Callable[[Annotation, int], float], n: int
) -> np.ndarray:
    """(T, A): the loops of COCO's matching, each image cut to its n best proposals first."""
    assert results.boxes_xywh is not None
    found, total = np.zeros((len(CURVE_THRESHOLDS), len(AREA_RANGES))), np.zeros(len(AREA_RANGES))
    for image in dataset.images:
        rows = [r for r, id in enumerate(results.image_ids.tolist()) if id == image.id]
        rows = sorted(rows, key=lambda r: (-results.scores[r], results.category_ids[r], r))[:n]
        objects = sorted(dataset.annotations_of(image.id), key=lambda a: a.category_id)
        iou = {(r, k): overlap(a, r) for r in rows for k, a in enumerate(objects)}
        for a, (_, low, high) in enumerate(AREA_RANGES):
            out = [o.iscrowd or o.ignore or o.area < low or o.area > high for o in objects]
            total[a] += out.count(False)
            for t, threshold in enumerate(CURVE_THRESHOLDS):
                taken: set[int] = set()
                for r in rows:
                    best, match = min(threshold, 1 - 1e-10), None
                    for k in sorted(range(len(objects)), key=lambda k: out[k]):
                        if k in taken and not objects[k].iscrowd:
                            continue
                        if match is not None and not out[match] and out[k]:
                            break
                        if iou[r, k] >= best:
                            best, match = iou[r, k], k
                    if match is not None:
                        taken.add(match)
                        found[t, a] += not out[match]
    return np.where(total > 0, found / np.maximum(total, 1), -1.0)


def test_equal_to_the_plain_implementation(random_set: Any, plain_iou: Any) -> None:
    filled = 0
    for seed in range(60):
        dataset, results = random_set(seed)
        boxes = results.boxes_xywh
        summary = score_proposals(dataset, results, kind="bbox", at=(1, 2, 3, 5, 1000))

        def overlap(annotation: Annotation, row: int, boxes: Any = boxes) -> float:
            return float(plain_iou(tuple(boxes[row]), annotation.bbox_xywh, annotation.iscrowd))

        for n in summary.at:
            expected = plain_recall(dataset, results, overlap, n)
            found = np.stack([summary.recalls(n, area) for area in summary.areas], axis=1)
            np.testing.assert_array_equal(found, expected, err_msg=f"seed {seed}, {n} proposals")
        filled += summary.ar(1) != summary.ar()
        assert summary.ar(None) == summary.ar(1000)
    assert filled > 20, "too few of the random sets have more than one proposal that finds something"


def test_more_proposals_never_find_less(random_set: Any) -> None:
    for seed in range(60):
        dataset, results = random_set(seed)
        summary: ProposalSummary = score_proposals(dataset, results)
        assert (np.diff(summary.recall, axis=-1) >= 0).all()
        assert list(summary.at) == sorted(AT)
        assert summary.ar(10) <= summary.ar(100) <= summary.ar(1000)
        assert summary.ar(1) - 1e-12 <= summary.auc() <= summary.ar(1000) + 1e-12
