"""COCO's greedy matching, and detections brought together with their images."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.errors import DataError
from amidst.evaluation.matching import Match, greedy, overlapping, rank_in_group, scenes


def dataset(*annotations: Annotation) -> CocoDataset:
    return CocoDataset(
        (Image(4, 9, 9, "a"), Image(0, 9, 9, "b")), annotations, (Category(5, "x"), Category(0, "y"))
    )


def test_images_without_anything_are_scenes() -> None:
    found = list(scenes(dataset(), Results.empty()))
    assert [scene.image_id for scene in found] == [0, 4]
    assert all(len(scene.rows) == 0 and scene.truth_xywh.shape == (0, 4) for scene in found)
    assert list(scenes(CocoDataset(), Results.empty())) == []


def test_detections_by_descending_score_and_ties_in_file_order() -> None:
    results = Results(
        np.array([4, 0, 4, 4]), np.array([0, 0, 5, 0]), np.array([0.5, 0.9, 0.7, 0.5]), np.zeros((4, 4))
    )
    by_image = {scene.image_id: scene for scene in scenes(dataset(), results)}
    assert by_image[4].rows.tolist() == [2, 0, 3]
    assert by_image[4].class_index.tolist() == [1, 0, 0]  # classes in order of id
    assert by_image[0].rows.tolist() == [1]


def test_only_the_best_hundred_of_a_category_are_kept() -> None:
    count = 130
    results = Results(
        np.full(count, 4), np.repeat([0, 5], [110, 20]), np.linspace(1, 0, count), np.zeros((count, 4))
    )
    scene = next(s for s in scenes(dataset(), results) if s.image_id == 4)
    assert np.bincount(scene.class_index).tolist() == [100, 20]
    assert scene.rows.max() == count - 1
    everything = next(s for s in scenes(dataset(), results, max_detections=None) if s.image_id == 4)
    assert len(everything.rows) == count


def test_detections_without_boxes_are_refused() -> None:
    with pytest.raises(DataError, match="no boxes"):
        list(scenes(dataset(), Results(np.zeros(0), np.zeros(0), np.zeros(0), None, ())))


def test_rank_in_group() -> None:
    assert rank_in_group(np.array([], np.int64)).tolist() == []
    assert rank_in_group(np.array([7, 2, 7, 7, 2])).tolist() == [0, 0, 1, 2, 1]


def test_no_pairs_no_matches() -> None:
    assert greedy([], [], [], []) == {}


def test_the_best_free_object_is_taken_and_a_counting_one_first() -> None:
    iou = np.array([[0.9, 0.6, 0.95], [0.8, 0.7, 0.0], [0.5, 0.5, 0.0]])
    pairs = overlapping(iou, np.ones_like(iou, bool), 0.5)
    ignored = [truth == 2 for _, truth, _ in pairs]
    matches = greedy(pairs, ignored, [False, False, True], [0, 0, 0])
    assert matches == {0: Match(0, 0.9, False), 1: Match(1, 0.7, False)}


def test_of_equal_overlaps_the_later_object_wins() -> None:
    pairs = overlapping(np.array([[0.6, 0.6]]), np.ones((1, 2), bool), 0.5)
    assert greedy(pairs, [False, False], [False, False], [0])[0].truth == 1


def test_a_crowd_takes_any_number_and_groups_do_not_compete() -> None:
    pairs = overlapping(np.ones((2, 1)), np.ones((2, 1), bool), 0.5)
    assert len(greedy(pairs, [True, True], [True], [0, 0])) == 2
    assert len(greedy(pairs, [False, False], [False], [0, 0])) == 1
    assert len(greedy(pairs, [False, False], [False], [0, 1])) == 2
