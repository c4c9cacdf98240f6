"""Fig. 2.4: unions of workers against experts, every worker against the others."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from amidst.config import keys
from amidst.crowd.quality import (
    Agreement,
    Labels,
    RejectionLine,
    agreement_bins,
    expert_majority,
    leave_one_out,
    reject_poor,
    rejected,
    union_curve,
)
from amidst.errors import ConfigError, DataError

# Image 1: worker 1 names dog and cat, 2 dog, 3 nothing. Image 2, which 3 has not seen: both name cup.
DOG, CAT, CUP = 10, 11, 12
SMALL = Labels.of(
    [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)],
    [(1, DOG, 1), (1, CAT, 1), (1, DOG, 2), (2, CUP, 1), (2, CUP, 2)],
)
NOTHING = Labels.of([], [])


def random_labels(seed: int, *, images: int = 12, workers: int = 6, categories: int = 5) -> Labels:
    rng = np.random.default_rng(seed)
    jobs = [(i, w) for i in range(images) for w in range(workers) if rng.random() < 0.7]
    named = [(i, c, w) for i, w in jobs for c in range(categories) if rng.random() < 0.3]
    return Labels.of(jobs, named)


def test_nobody_at_all() -> None:
    assert leave_one_out(NOTHING) == ()
    assert rejected((), RejectionLine()) == ()
    assert agreement_bins(()).workers.sum() == 0
    with pytest.raises(DataError, match="experts agree on no category"):
        union_curve(SMALL, NOTHING)


def test_a_name_needs_a_job_and_repetition_counts_once() -> None:
    with pytest.raises(DataError, match="worker 9 was never shown image 1"):
        Labels.of([(1, 1)], [(1, DOG, 9)])
    assert len(Labels.of([(1, 1), (1, 1)], [(1, DOG, 1)] * 3).positives) == 1


def test_leaving_workers_out() -> None:
    assert leave_one_out(SMALL.without([2, 3])) == (Agreement(1, 2, 3, 0.0, None),)


def test_leave_one_out_by_hand() -> None:
    one, two, three = leave_one_out(SMALL)
    # 1 named dog, cat, cup; another named dog and cup too. The others named dog and cup.
    assert one == Agreement(1, 2, 3, pytest.approx(2 / 3), 1.0)
    # 2 named dog and cup, both shared; the others named dog, cat, cup.
    assert two == Agreement(2, 2, 2, 1.0, pytest.approx(2 / 3))
    # 3 saw image 1 only and named nothing of dog and cat.
    assert three == Agreement(3, 1, 0, None, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_leave_one_out_equals_plain_sets(seed: int) -> None:
    labels = random_labels(seed)
    jobs, named = labels.jobs.tolist(), labels.positives.tolist()
    for found in leave_one_out(labels):
        images = {i for i, w in jobs if w == found.worker}
        own = {(i, c) for i, c, w in named if w == found.worker}
        others = {(i, c) for i, c, w in named if w != found.worker and i in images}
        assert found.jobs == len(images)
        assert found.precision == (pytest.approx(len(own & others) / len(own)) if own else None)
        assert found.recall == (pytest.approx(len(own & others) / len(others)) if others else None)


@pytest.mark.parametrize("least_votes", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_leave_one_out_against_some_equals_plain_sets(seed: int, least_votes: int) -> None:
    labels = random_labels(seed)
    trusted = labels.without([0, 3])
    jobs, named = labels.jobs.tolist(), labels.positives.tolist()
    for found in leave_one_out(labels, trusted, least_votes=least_votes):
        images = {i for i, w in jobs if w == found.worker}
        own = {(i, c) for i, c, w in named if w == found.worker}
        votes = Counter((i, c) for i, c, w in named if w not in (0, 3, found.worker) and i in images)
        others = {item for item, count in votes.items() if count >= least_votes}
        assert found.precision == (pytest.approx(len(own & others) / len(own)) if own else None)
        assert found.recall == (pytest.approx(len(own & others) / len(others)) if others else None)


def test_one_who_names_everything_is_rejected_and_no_longer_a_measure() -> None:
    jobs = [(i, w) for i in range(20) for w in range(4)]
    named = [(i, i % 3, w) for i in range(20) for w in range(3)] + [
        (i, c, 3) for i in range(20) for c in range(30)
    ]
    labels = Labels.of(jobs, named)
    assert leave_one_out(labels)[0].recall == pytest.approx(1 / 30)
    gone, agreement = reject_poor(labels, RejectionLine())
    assert gone == (3,)
    assert [found.recall for found in agreement] == [1.0, 1.0, 1.0, 1.0]
    assert agreement[3].precision == pytest.approx(1 / 30)
    assert reject_poor(NOTHING, RejectionLine()) == ((), ())


def test_two_who_name_everything_confirm_each_other_unless_two_must() -> None:
    jobs = [(i, w) for i in range(20) for w in range(6)]
    named = [(i, i % 3, w) for i in range(20) for w in range(4)]
    named += [(i, c, w) for i in range(20) for c in range(30) for w in (4, 5)]
    labels = Labels.of(jobs, named)
    assert reject_poor(labels, RejectionLine())[0] == ()
    assert reject_poor(labels, RejectionLine(), least_votes=2)[0] == (4, 5)


def test_experts_decide_by_more_than_half() -> None:
    experts = Labels.of(
        [(1, w) for w in range(7)] + [(2, w) for w in range(2)],
        [(1, DOG, w) for w in range(4)] + [(1, CAT, w) for w in range(3)] + [(2, CUP, 0)],
    )
    assert expert_majority(experts).tolist() == [[1, DOG]]  # one of two is not more than half


@pytest.mark.parametrize("seed", range(3))
def test_union_curve_equals_plain_sets(seed: int) -> None:
    """Everybody labels everything, so places are workers in some order and means are over all subsets."""
    rng = np.random.default_rng(seed)
    jobs = [(i, w) for i in range(6) for w in range(5)]
    crowd = Labels.of(jobs, [(i, c, w) for i, w in jobs for c in range(4) if rng.random() < 0.4])
    experts = Labels.of(jobs, [(i, c, w) for i, w in jobs for c in range(3) if rng.random() < 0.7])
    truth = set(map(tuple, expert_majority(experts).tolist()))
    curve = union_curve(crowd, experts, seed=seed)
    assert [point.subsets for point in curve.points] == [5, 10, 10, 5, 1]
    # The mean recall does not depend on the order of places where items are counted one by one.
    names = {w: {(i, c) for i, c, v in crowd.positives.tolist() if v == w} for w in range(5)}
    for k, point in enumerate(curve.points, start=1):
        unions = [set().union(*(names[w] for w in chosen)) for chosen in combinations(range(5), k)]
        assert point.recall == pytest.approx(np.mean([len(u & truth) / len(truth) for u in unions]))
    last = set().union(*names.values())
    assert curve.points[-1].precision == pytest.approx(len(last & truth) / len(last))


def test_recall_of_the_union_never_falls_and_lies_within_its_band() -> None:
    labels = random_labels(3, workers=9)
    experts = random_labels(4, workers=3)
    experts = Labels.of([(i, w) for i in range(12) for w in range(3)], experts.positives)
    curve = union_curve(labels, experts)
    recalls = [point.recall for point in curve.points]
    assert recalls == sorted(recalls)
    for point in curve.points:
        assert point.recall_band[0] <= point.recall <= point.recall_band[1]
        assert point.precision_band[0] <= point.precision <= point.precision_band[1]


def test_subsets_are_sampled_where_there_are_too_many() -> None:
    jobs = [(0, w) for w in range(16)]
    curve = union_curve(Labels.of(jobs, [(0, 1, w) for w in range(8)]), Labels.of([(0, 0)], [(0, 1, 0)]))
    assert [point.subsets for point in curve.points][:5] == [16, 120, 560, 1000, 1000]
    # Half of 16 workers name it: a subset of k misses it with the hypergeometric chance.
    for k, point in enumerate(curve.points, start=1):
        missed = math.comb(8, k) / math.comb(16, k) if k <= 8 else 0.0
        assert point.recall == pytest.approx(1 - missed, abs=0.02)


def test_an_expert_against_the_majority_he_is_part_of() -> None:
    experts = Labels.of([(1, w) for w in range(3)], [(1, DOG, 0), (1, DOG, 1), (1, CAT, 1)])
    first, second, third = union_curve(SMALL, experts).experts
    assert (first.recall, first.precision) == (1.0, 1.0)
    assert (second.recall, second.precision) == (1.0, 0.5)
    assert (third.recall, third.precision) == (0.0, 0.0)


def test_an_image_that_only_experts_saw_is_named() -> None:
    experts = Labels.of([(7, 1)], [(7, DOG, 1)])
    with pytest.raises(DataError, match="image 7"):
        union_curve(SMALL, experts)


def test_the_line_rejects_below_it() -> None:
    workers = (
        Agreement(1, 9, 9, 0.9, 0.1),
        Agreement(2, 9, 9, 0.5, 0.5),
        Agreement(3, 9, 9, 0.49, 0.9),
        Agreement(4, 1, 9, 0.1, 0.1),
        Agreement(5, 9, 0, None, 0.0),
        Agreement(6, 9, 0, None, None),
    )
    assert rejected(workers, RejectionLine()) == (3, 4, 5)
    assert rejected(workers, RejectionLine(), least_jobs=5) == (3, 5)
    assert rejected(workers, through(0.0, 0.8, 0.8, 0.0)) == (4, 5)  # precision + recall = 0.8
    assert rejected(workers, through(0.8, 0.0, 0.0, 0.8)) == (4, 5)
    for bad in (through(0.2, 0.2, 0.2, 0.2), through(0.0, 0.0, 1.0, 1.0)):
        with pytest.raises(ConfigError, match=r"\(1, 1\)"):
            rejected(workers, bad)


def through(*points: float) -> RejectionLine:
    """A line through two points of precision and recall."""
    return RejectionLine(**dict(zip(keys(RejectionLine()), points, strict=True)))


def test_bins_count_workers_and_average_their_jobs() -> None:
    workers = (
        Agreement(1, 10, 9, 1.0, 1.0),
        Agreement(2, 20, 9, 0.95, 0.92),
        Agreement(3, 4, 9, 0.05, 0.55),
        Agreement(4, 4, 0, None, 0.0),
    )
    bins = agreement_bins(workers)
    assert bins.workers.sum() == 3
    assert (bins.workers[9, 9], bins.mean_jobs[9, 9]) == (2, 15.0)
    assert (bins.workers[0, 5], bins.mean_jobs[0, 5]) == (1, 4.0)
    assert np.isnan(bins.mean_jobs[3, 3])
    assert bins.edges.tolist() == pytest.approx([k / 10 for k in range(11)])
