"""How good workers are at naming categories (thesis section 2.4.4 and Fig. 2.4; thesis-spec K.1).

Two measures. Against experts: the truth of an image and category is what most of the experts say; how much of
it do k workers name together, and how much of what they name is right? Without experts: the truth for one
worker is what the other workers named on the same images.

Recall matters most, for a false name is weeded out by the stages that follow and a missed one never comes
back. An answer names a set of categories, so a "positive" is a triple (image, category, worker), and a "job"
a pair (image, worker): a job without a positive is an answer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from amidst.config import Config
from amidst.errors import ConfigError, DataError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Labels:
    """Who was shown what and named what. jobs: (J, 2) of image, worker; positives: (P, 3) of image, category,
    worker. Both without repetition; ids may be any integers.
    """

    jobs: Ints
    positives: Ints

    @classmethod
    def of(cls, jobs: npt.ArrayLike, positives: npt.ArrayLike) -> Labels:
        """Repeated rows count once. Raises DataError for a positive whose job is missing."""
        shown = np.unique(np.asarray(jobs, dtype=np.int64).reshape(-1, 2), axis=0)
        named = np.unique(np.asarray(positives, dtype=np.int64).reshape(-1, 3), axis=0)
        known = set(map(tuple, shown.tolist()))
        for image, _, worker in named.tolist():
            if (image, worker) not in known:
                raise DataError(f"worker {worker} was never shown image {image}", rule="labels-job")
        return cls(shown, named)

    def without(self, workers: Sequence[int]) -> Labels:
        """The same with the work of some workers left out."""
        gone = np.asarray(workers, dtype=np.int64)
        return Labels(
            self.jobs[~np.isin(self.jobs[:, 1], gone)], self.positives[~np.isin(self.positives[:, 2], gone)]
        )


# --------------------------------------------------------------------------------------- (a) against experts


@dataclass(frozen=True, slots=True)
class UnionPoint:
    """k workers together: means over subsets, and the band that holds 95 % of the subsets.

    subsets: how many were looked at, all there are or a sample.
    """

    workers: int
    subsets: int
    recall: float
    recall_band: tuple[float, float]
    precision: float
    precision_band: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ExpertPoint:
    """One expert against the majority of all."""

    worker: int
    recall: float
    precision: float


@dataclass(frozen=True)
class UnionCurve:
    """Fig. 2.4 (a). truths: pairs of image and category that most experts named."""

    points: tuple[UnionPoint, ...]
    experts: tuple[ExpertPoint, ...]
    truths: int

    def to_builtins(self) -> dict[str, Any]:
        """Nested plain values, ready for JSON."""
        return asdict(self)


def union_curve(
    crowd: Labels, experts: Labels, *, most: int = 10, max_subsets: int = 1000, seed: int = 0
) -> UnionCurve:
    """The union of k = 1..`most` workers against the majority of the experts, on the images that experts saw.

    An image was labelled by whoever came, so a subset of k is a choice of places in the order of an image's
    answers, which is drawn once; answers beyond the number that every image has are left out. All subsets are
    taken where there are at most `max_subsets`, else so many drawn ones. Raises DataError if the experts
    named nothing, or an image that they saw has no answers.
    """
    truth = expert_majority(experts)
    if not len(truth):
        raise DataError("the experts agree on no category; there is nothing to compare with", rule="experts")
    images = np.unique(experts.jobs[:, 0])
    rng = np.random.default_rng(seed)
    marks, right = _by_place(crowd, images, truth, rng)
    points = tuple(
        _union_point(k, marks, right, len(truth), max_subsets, rng)
        for k in range(1, min(most, len(marks)) + 1)
    )
    return UnionCurve(points, _expert_points(experts, truth), len(truth))


def expert_majority(experts: Labels) -> Ints:
    """Pairs (T, 2) of image and category named by more than half of the experts who saw the image."""
    pairs, votes = np.unique(experts.positives[:, :2], axis=0, return_counts=True)
    images, seen = np.unique(experts.jobs[:, 0], return_counts=True)
    most: Bools = 2 * votes > np.asarray(seen)[np.searchsorted(images, pairs[:, 0])]
    return pairs[most]


def _by_place(crowd: Labels, images: Ints, truth: Ints, rng: np.random.Generator) -> tuple[Bools, Bools]:
    """(places, items) of what was named in which place, and which items are right."""
    jobs = crowd.jobs[np.isin(crowd.jobs[:, 0], images)]
    jobs = jobs[rng.permutation(len(jobs))]
    jobs = jobs[np.argsort(jobs[:, 0], kind="stable")]
    order, first, counts = np.unique(jobs[:, 0], return_index=True, return_counts=True)
    if len(order) < len(images):
        missing = np.setdiff1d(images, order)[0]
        raise DataError(f"no worker has labelled image {missing}, which the experts saw", rule="experts")
    place = {(i, w): k for (i, w), k in zip(map(tuple, jobs.tolist()), _ranks(first, counts), strict=True)}
    named = crowd.positives[np.isin(crowd.positives[:, 0], images)]
    items, index = np.unique(np.concatenate([truth, named[:, :2]]), axis=0, return_inverse=True)
    marks = np.zeros((int(counts.max()), len(items)), dtype=bool)
    rows = [place[i, w] for i, w in named[:, [0, 2]].tolist()]
    marks[rows, index.reshape(-1)[len(truth) :]] = True
    right = np.zeros(len(items), dtype=bool)
    right[index.reshape(-1)[: len(truth)]] = True
    return marks[: counts.min()], right


def _ranks(first: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]) -> list[int]:
    """0, 1, 2 ... within each group of consecutive rows."""
    places: Ints = np.arange(int(counts.sum())) - np.repeat(first, counts)
    return [int(place) for place in places]


def _union_point(
    k: int, marks: Bools, right: Bools, truths: int, max_subsets: int, rng: np.random.Generator
) -> UnionPoint:
    subsets = _subsets(len(marks), k, max_subsets, rng)
    recalls, precisions = np.empty(len(subsets)), np.empty(len(subsets))
    for n, chosen in enumerate(subsets):
        named = marks[chosen].any(axis=0)
        hits = np.count_nonzero(named & right)
        recalls[n] = hits / truths
        precisions[n] = hits / max(int(np.count_nonzero(named)), 1)
    bands = [np.quantile(values, [0.025, 0.975]).tolist() for values in (recalls, precisions)]
    return UnionPoint(
        workers=k,
        subsets=len(subsets),
        recall=float(recalls.mean()),
        recall_band=(bands[0][0], bands[0][1]),
        precision=float(precisions.mean()),
        precision_band=(bands[1][0], bands[1][1]),
    )


def _subsets(places: int, k: int, most: int, rng: np.random.Generator) -> Ints:
    """(S, k) different choices of k places: all, or `most` drawn ones."""
    if comb(places, k) <= most:
        return np.array(list(combinations(range(places), k)), dtype=np.int64)
    return np.argsort(rng.random((most, places)), axis=1)[:, :k].astype(np.int64)


def _expert_points(experts: Labels, truth: Ints) -> tuple[ExpertPoint, ...]:
    right = set(map(tuple, truth.tolist()))
    points = []
    for worker in np.unique(experts.jobs[:, 1]).tolist():
        images = set(experts.jobs[experts.jobs[:, 1] == worker, 0].tolist())
        named = set(map(tuple, experts.positives[experts.positives[:, 2] == worker, :2].tolist()))
        shown = {pair for pair in right if pair[0] in images}
        hits = len(named & shown)
        points.append(ExpertPoint(worker, hits / max(len(shown), 1), hits / max(len(named), 1)))
    return tuple(points)


# --------------------------------------------------------------------------------------- (b) without experts


@dataclass(frozen=True, slots=True)
class Agreement:
    """One worker against all others. precision: share of his names that another gave; recall: share of the
    others' names that he gave. None where there is nothing to share. jobs: images; named: names given.
    """

    worker: int
    jobs: int
    named: int
    precision: float | None
    recall: float | None

    def to_builtins(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def leave_one_out(
    labels: Labels, against: Labels | None = None, *, least_votes: int = 1
) -> tuple[Agreement, ...]:
    """Every worker against what the others named on the images he labelled, in order of id.

    against: the answers that count as the others', all by default; leave out what was rejected, for one who
    names everything makes everybody else's recall small. least_votes: how many others must have named a
    thing. The thesis takes their union, 1; with 2, two who name everything no longer confirm each other.
    """
    truth = labels if against is None else against
    workers, owner, jobs = np.unique(labels.jobs[:, 1], return_inverse=True, return_counts=True)
    images, at = np.unique(labels.jobs[:, 0], return_inverse=True)
    inside = truth.positives[np.isin(truth.positives[:, 0], images)]
    pairs, votes = np.unique(inside[:, :2], axis=0, return_counts=True)
    enough = pairs[votes >= least_votes]
    of_image = np.bincount(np.searchsorted(images, enough[:, 0]), minlength=len(images))
    # Names given often enough on an image, summed over a worker's images, but for those that need his vote.
    total = np.bincount(owner.reshape(-1), weights=of_image[at.reshape(-1)], minlength=len(workers))
    who = np.searchsorted(workers, labels.positives[:, 2])
    counted = np.isin(labels.positives[:, 2], truth.jobs[:, 1])
    others = _votes_for(labels.positives[:, :2], pairs, votes) - counted
    named = np.bincount(who, minlength=len(workers))
    hits = np.bincount(who, weights=others >= least_votes, minlength=len(workers))
    own = np.bincount(who, weights=counted & (others == least_votes - 1), minlength=len(workers))
    return tuple(
        Agreement(int(w), int(j), int(n), _ratio(h, n), _ratio(h, o))
        for w, j, n, h, o in zip(workers, jobs, named, hits, total - own, strict=True)
    )


def _votes_for(asked: Ints, pairs: Ints, votes: npt.NDArray[np.intp]) -> Ints:
    """Votes of each asked (image, category) among sorted unique pairs, 0 where it is not there."""
    _, place = np.unique(np.concatenate([pairs, asked]), axis=0, return_inverse=True)
    table = np.zeros(int(place.max(initial=-1)) + 1, dtype=np.int64)
    place = place.reshape(-1)
    table[place[: len(pairs)]] = votes
    return table[place[len(pairs) :]]


class RejectionLine(Config, frozen=True):
    """A line through two points of precision and recall against all other workers. Who lies below it is
    proposed for voiding with all his labelling; the side of (1, 1) is kept. The thesis shows it only as a
    drawing (Fig. 2.4 b).
    """

    first_precision: float = 0.5  # ours: with the next three, precision below one half whatever the recall
    first_recall: float = 0.0  # ours
    second_precision: float = 0.5  # ours
    second_recall: float = 1.0  # ours

    def side(self, precision: float, recall: float) -> float:
        """Above 0 on the side of (1, 1), 0 on the line. Raises ConfigError if its points coincide or it
        runs through (1, 1).
        """
        kept = self._across(1.0, 1.0)
        if kept == 0:
            raise ConfigError("rejection line: its points must differ, and it must not run through (1, 1)")
        return self._across(precision, recall) * kept

    def _across(self, precision: float, recall: float) -> float:
        along = self.second_precision - self.first_precision, self.second_recall - self.first_recall
        return along[0] * (recall - self.first_recall) - along[1] * (precision - self.first_precision)


def rejected(workers: Sequence[Agreement], line: RejectionLine, *, least_jobs: int = 1) -> tuple[int, ...]:
    """Ids of the workers with at least `least_jobs` images who lie strictly on the wrong side of the line.

    A worker whose precision or recall is unknown is kept, but for one who named nothing where others named
    something: his recall is 0 and his precision counts as 0. Raises ConfigError as `RejectionLine.side`.
    """
    return tuple(
        w.worker
        for w in workers
        if w.jobs >= least_jobs and w.recall is not None and line.side(w.precision or 0.0, w.recall) < 0
    )


def reject_poor(
    labels: Labels, line: RejectionLine, *, least_jobs: int = 1, least_votes: int = 1, rounds: int = 10
) -> tuple[tuple[int, ...], tuple[Agreement, ...]]:
    """Who falls below the line, measured against those who do not, and every worker's agreement with them.

    Starts with everybody and measures again without the rejected until the same are rejected twice, or
    `rounds` are over. Raises ConfigError as `rejected`.
    """
    gone: tuple[int, ...] = ()
    agreement = leave_one_out(labels, least_votes=least_votes)
    for _ in range(rounds):
        found = rejected(agreement, line, least_jobs=least_jobs)
        if found == gone:
            break
        gone = found
        agreement = leave_one_out(labels, labels.without(gone), least_votes=least_votes)
    return gone, agreement


@dataclass(frozen=True, eq=False)
class AgreementBins:
    """Fig. 2.4 (b). edges: (B + 1,). workers: (B, B) numbers of workers, precision by recall; mean_jobs: the
    same, nan where nobody is.
    """

    edges: Floats
    workers: Ints
    mean_jobs: Floats


def agreement_bins(workers: Sequence[Agreement], bins: int = 10) -> AgreementBins:
    """Workers with both measures counted on a grid over precision and recall; the last bin holds 1."""
    both = [
        (w.precision, w.recall, w.jobs) for w in workers if w.precision is not None and w.recall is not None
    ]
    table = np.array(both, dtype=np.float64).reshape(-1, 3)
    place = np.minimum((table[:, :2] * bins).astype(np.int64), bins - 1)
    flat = place[:, 0] * bins + place[:, 1]
    counts = np.bincount(flat, minlength=bins * bins).reshape(bins, bins)
    jobs = np.bincount(flat, weights=table[:, 2], minlength=bins * bins).reshape(bins, bins)
    mean = np.divide(jobs, counts, out=np.full((bins, bins), np.nan), where=counts > 0)
    return AgreementBins(np.linspace(0, 1, bins + 1), counts.astype(np.int64), mean)


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
