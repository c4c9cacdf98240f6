"""amidst.evaluation.parts: the same to the last bit as all at once, however the images are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from amidst.coco import CocoDataset, Results, masks
from amidst.evaluation import evaluate, score_proposals
from amidst.evaluation.parts import evaluate_parts, score_proposal_parts

Set = tuple[CocoDataset, Results]


def cut(dataset: CocoDataset, results: Results, size: int) -> Iterator[tuple[list[int], Results]]:
    ids = sorted(image.id for image in dataset.images)
    for begin in range(0, len(ids), size):
        some = ids[begin : begin + size]
        yield some, results.take(np.isin(results.image_ids, some))


def with_masks(dataset: CocoDataset, results: Results) -> Results:
    boxes = results.boxes_xywh
    assert boxes is not None
    rles = tuple(masks.from_box(box, (160, 160)) for box in boxes.tolist())
    return Results(results.image_ids, results.category_ids, results.scores, None, rles)


def test_no_image_and_no_detection() -> None:
    nothing = CocoDataset((), (), ())
    assert set(evaluate_parts(nothing, [], "bbox").stats) == {-1.0}
    assert score_proposal_parts(nothing, [], "bbox").auc() == -1.0


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_parts_give_the_curves_of_the_whole(random_set: Callable[..., Set], kind: str) -> None:
    for seed in range(60):
        dataset, results = random_set(seed, segmented=kind == "segm")
        found = with_masks(dataset, results) if kind == "segm" else results
        whole = evaluate(dataset, found, kind)  # type: ignore[arg-type]
        for size in (1, 2, 5):
            summary = evaluate_parts(dataset, cut(dataset, found, size), kind)  # type: ignore[arg-type]
            for name in ("precision", "recall", "scores"):
                assert np.array_equal(getattr(summary, name), getattr(whole, name)), (seed, size, name)
            assert summary.stats == whole.stats
            assert summary.categories == whole.categories or any(a.ignore for a in dataset.annotations)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_proposals_in_parts(random_set: Callable[..., Set], kind: str) -> None:
    for seed in range(40):
        dataset, results = random_set(seed, segmented=kind == "segm")
        found = with_masks(dataset, results) if kind == "segm" else results
        whole = score_proposals(dataset, found, kind=kind)  # type: ignore[arg-type]
        for size in (1, 3):
            summary = score_proposal_parts(dataset, cut(dataset, found, size), kind)  # type: ignore[arg-type]
            assert np.array_equal(summary.recall, whole.recall)
            assert summary.numbers() == whole.numbers()
            assert (summary.missed, summary.images, summary.proposals) == (
                whole.missed,
                whole.images,
                whole.proposals,
            )


def test_real_detections(shared_data: Path) -> None:
    dataset = CocoDataset.load(shared_data / "coco_mini" / "annotations" / "instances_val2017_mini.json")
    results = Results.load(shared_data / "detections" / "yolox_nano_coco_mini_val2017_bbox_results.json")
    whole, parts = evaluate(dataset, results), evaluate_parts(dataset, cut(dataset, results, 17), "bbox")
    assert np.array_equal(parts.precision, whole.precision)
    assert parts.stats == whole.stats
    assert parts.categories == whole.categories
