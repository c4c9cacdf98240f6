"""Matching from the objects' side equals COCO's matching by score, with ties, crowds and ignored objects."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.evaluation.proposal_matching import (
    NEVER,
    Pairs,
    best_overlaps,
    counting_objects,
    find_pairs,
    ranks_of_finders,
)


def pairs_of(iou: np.ndarray, min_iou: float = 0.5) -> Pairs:
    """Of one image, from its overlaps (D, G)."""
    truth, rank = np.nonzero((iou >= min_iou).transpose())
    proposal = np.unique(rank, return_inverse=True)[1]
    return Pairs(np.full(iou.shape[1], 100.0), truth, rank, proposal, iou[rank, truth])


def by_score(iou: np.ndarray, ignored: np.ndarray, crowd: np.ndarray, threshold: float) -> list[int]:
    """The rank that takes each object, by COCO's loops over detections and objects."""
    ranks, taken = [int(NEVER)] * len(ignored), set()
    order = [*np.flatnonzero(~ignored).tolist(), *np.flatnonzero(ignored).tolist()]
    for rank, row in enumerate(iou):
        best, match = min(threshold, 1 - 1e-10), -1
        for g in order:
            if g in taken and not crowd[g]:
                continue
            if match >= 0 and not ignored[match] and ignored[g]:
                break
            if row[g] >= best:
                best, match = row[g], g
        if match >= 0:
            taken.add(match)
            if not ignored[match]:
                ranks[match] = rank
    return ranks


def test_nothing_to_match() -> None:
    for shape in ((0, 0), (0, 3), (3, 0)):
        pairs = pairs_of(np.zeros(shape))
        assert ranks_of_finders(pairs, np.ones(shape[1], bool), 0.5).tolist() == [NEVER] * shape[1]
        assert best_overlaps(pairs).tolist() == [0.0] * shape[1]
    empty = find_pairs(CocoDataset(), Results.empty(), "bbox", 0.5)
    assert len(empty.area) == len(empty.truth) == 0


def test_refused_objects_ask_their_next_proposal() -> None:
    # Proposal 0 prefers object 1, which leaves object 0 to proposal 1, and object 2, refused by it, to 2.
    iou = np.array([[0.6, 0.9, 0.0], [0.8, 0.0, 0.7], [0.0, 0.0, 0.55]])
    pairs, everything = pairs_of(iou), np.ones(3, bool)
    assert ranks_of_finders(pairs, everything, 0.5).tolist() == [1, 0, 2]
    assert ranks_of_finders(pairs, everything, 0.6).tolist() == [1, 0, NEVER]
    assert ranks_of_finders(pairs, np.array([True, False, True]), 0.5).tolist() == [0, NEVER, 1]
    assert best_overlaps(pairs).tolist() == [0.8, 0.9, 0.7]


def test_of_equal_overlaps_the_later_object_is_taken() -> None:
    assert ranks_of_finders(pairs_of(np.array([[0.6, 0.6]])), np.ones(2, bool), 0.5).tolist() == [NEVER, 0]


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_equal_to_matching_by_score_for_every_number_of_proposals(levels: int) -> None:
    """With ties, crowds and ignored objects; the N best find what the matching of all gives ranks below N."""
    draw, refused = np.random.default_rng(levels), 0
    for _ in range(150):
        shape = int(draw.integers(0, 14)), int(draw.integers(0, 12))
        iou = draw.integers(0, levels + 1, shape) / levels
        crowd = draw.random(shape[1]) < 0.2
        ignored = crowd | (draw.random(shape[1]) < 0.3)
        for threshold in (0.5, 0.75, 1.0):
            found = ranks_of_finders(pairs_of(iou), ~ignored, threshold)
            assert found.tolist() == by_score(iou, ignored, crowd, threshold)
            for n in range(shape[0]):
                cut = np.array(by_score(iou[:n], ignored, crowd, threshold), np.int64)
                assert (cut < NEVER).tolist() == (found < n).tolist()
            first = np.argmax(iou >= min(threshold, 1 - 1e-10), axis=0) if shape[0] else found
            refused += int(((found < NEVER) & (found != first)).sum())
    assert refused > 100, "too few objects had to ask twice"


def test_pairs_of_a_dataset() -> None:
    objects = (
        Annotation(1, 5, 9, (0, 0, 10, 10), 100),
        Annotation(2, 5, 3, (0, 0, 10, 8), 80),
        Annotation(3, 5, 3, (0, 0, 10, 10), 100, iscrowd=True),
        Annotation(4, 5, 3, (0, 0, 10, 10), 100, ignore=True),
        Annotation(5, 2, 3, (0, 0, 10, 6), 60),
    )
    dataset = CocoDataset((Image(5, 50, 50, "a"), Image(2, 50, 50, "b"), Image(8, 9, 9, "c")), objects,
                          (Category(9, "x"), Category(3, "y")))  # fmt: skip
    assert [a.id for a in counting_objects(dataset, 5)] == [2, 1]  # by category
    results = Results(
        np.array([5, 2, 5]),
        np.ones(3),
        np.array([0.1, 0.2, 0.3]),
        np.array([[0, 0, 10, 8], [0, 0, 10, 10], [0, 0, 10, 10.0]]),
    )
    pairs = find_pairs(dataset, results, "bbox", 0.7)
    assert pairs.area.tolist() == [60, 80, 100]  # image 2 comes first; its pair overlaps by .6 only
    assert pairs.truth.tolist() == [1, 1, 2, 2]
    assert pairs.rank.tolist() == [0, 1, 0, 1]
    assert pairs.iou.tolist() == [0.8, 1.0, 1.0, 0.8]
    assert pairs.proposal[0] == pairs.proposal[2] != pairs.proposal[1] == pairs.proposal[3]
