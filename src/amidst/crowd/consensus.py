"""What several people say about an item, made one: votes, weighted votes, Dawid and Skene's model.

For analysis and for rules that someone chooses; the thesis's own rules (union of eight, four of five) are
never replaced by these in silence. Labels are class numbers 0..L-1, items 0..I-1, workers 0..W-1, given as N
answers in long form; nobody has to answer everything. Ties go to the smaller class number.

Dawid and Skene: each item has one true class, drawn with the classes' frequencies, and each worker names
class l where the truth is k with a chance of his own, `confusion[w, k, l]`. One coin is the same with one
number a worker: right with chance a, else any other class. Both are fitted by expectation maximisation in the
log domain, starting from the shares of the votes.

Source: Dawid and Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amidst.config import Config
from amidst.errors import DataError, UsageError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """N answers: item, worker and label of each (N,), and how many there are of each kind."""

    items: Ints
    workers: Ints
    labels: Ints
    num_items: int
    num_workers: int
    num_labels: int

    @classmethod
    def of(
        cls,
        items: npt.ArrayLike,
        workers: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        num_items: int | None = None,
        num_workers: int | None = None,
        num_labels: int | None = None,
    ) -> Answers:
        """Counts default to one more than the largest number used.

        Raises DataError if the lengths differ, or a number is negative or beyond its count.
        """
        columns = [np.asarray(values, dtype=np.int64).reshape(-1) for values in (items, workers, labels)]
        if len({len(column) for column in columns}) > 1:
            raise DataError(f"columns of different lengths: {[len(c) for c in columns]}", rule="answers")
        counts = []
        for name, column, given in zip(
            ("item", "worker", "label"), columns, (num_items, num_workers, num_labels), strict=True
        ):
            count = int(column.max(initial=-1)) + 1 if given is None else given
            if column.min(initial=0) < 0 or column.max(initial=-1) >= count:
                raise DataError(f"expected {name} numbers in 0..{count - 1}", rule="answers")
            counts.append(count)
        return cls(columns[0], columns[1], columns[2], counts[0], counts[1], counts[2])


class ModelFit(Config, frozen=True):
    """How the models are fitted.

    smoothing: answers added to every cell of a confusion matrix before dividing, so that what never happened
    stays possible; 0 is the plain maximum likelihood. class_smoothing: the same for the classes' frequencies.
    iterations: at most so many; tolerance: stop when the log-likelihood of an answer gains less.
    """

    smoothing: float = 0.01
    class_smoothing: float = 0.0
    iterations: int = 100
    tolerance: float = 1e-7


@dataclass(frozen=True, eq=False)
class Consensus:
    """posterior: (I, L) chances of the classes; all equal for an item without answers.

    confusion: (W, L, L), truth by answer, or None for votes. class_shares: (L,). log_likelihood: of all
    answers under the model, nan for votes. iterations: done.
    """

    posterior: Floats
    confusion: Floats | None
    class_shares: Floats
    log_likelihood: float
    iterations: int

    @property
    def labels(self) -> Ints:
        """(I,) the likeliest class of each item, the smaller number where two are equal."""
        if not self.posterior.size:
            return np.zeros(len(self.posterior), dtype=np.int64)
        best: Ints = np.argmax(self.posterior, axis=1).astype(np.int64)
        return best


def majority(answers: Answers) -> Consensus:
    """Shares of the votes."""
    return weighted_majority(answers, np.ones(answers.num_workers))


def weighted_majority(answers: Answers, weights: npt.ArrayLike) -> Consensus:
    """Shares of the votes, each worth its worker's weight (W,) from 0. Raises UsageError for others."""
    value = np.asarray(weights, dtype=np.float64)
    if value.shape != (answers.num_workers,) or not (value >= 0).all():
        raise UsageError(f"expected {answers.num_workers} weights from 0, got shape {value.shape}")
    flat = answers.items * answers.num_labels + answers.labels
    size = answers.num_items * answers.num_labels
    votes = np.bincount(flat, weights=value[answers.workers], minlength=size)
    shares = _rows_to_one(votes.reshape(answers.num_items, answers.num_labels).astype(np.float64))
    return Consensus(shares, None, _shares_of(shares), float("nan"), 0)


def dawid_skene(
    answers: Answers, fit: ModelFit | None = None, gold: Mapping[int, int] | None = None
) -> Consensus:
    """The full model, a confusion matrix for each worker.

    gold: item -> class of those that are known; they stay so and teach the matrices. Raises UsageError for
    gold beyond the items or classes.
    """
    return _expectation_maximisation(answers, fit or ModelFit(), gold or {}, coin=False)


def one_coin(
    answers: Answers, fit: ModelFit | None = None, gold: Mapping[int, int] | None = None
) -> Consensus:
    """One accuracy for each worker, wrong answers spread evenly; for few answers per worker."""
    return _expectation_maximisation(answers, fit or ModelFit(), gold or {}, coin=True)


def _expectation_maximisation(
    answers: Answers, fit: ModelFit, gold: Mapping[int, int], *, coin: bool
) -> Consensus:
    known, fixed = _clamp(answers, gold)
    posterior = majority(answers).posterior.copy()
    posterior[known] = fixed
    previous, done = -np.inf, 0
    while True:
        shares = _class_shares(posterior, fit)
        confusion = _confusion(answers, posterior, fit.smoothing, coin)
        scores = _log_scores(answers, shares, confusion)
        if len(known):
            scores[known] = np.where(fixed > 0, scores[known], -np.inf)
        totals = _log_sum(scores)
        posterior = np.exp(scores - totals[:, None])
        likelihood = float(totals.sum())
        done += 1
        gain = (likelihood - previous) / max(len(answers.items), 1)
        if done >= fit.iterations or not gain > fit.tolerance:
            return Consensus(posterior, confusion, shares, likelihood, done)
        previous = likelihood


def _clamp(answers: Answers, gold: Mapping[int, int]) -> tuple[Ints, Floats]:
    """Numbers of the known items (G,) and their classes as rows (G, L) of one 1."""
    known = np.array(sorted(gold), dtype=np.int64)
    classes = np.array([gold[int(item)] for item in known], dtype=np.int64)
    if len(known) and (
        known.min() < 0
        or known.max() >= answers.num_items
        or classes.min() < 0
        or classes.max() >= answers.num_labels
    ):
        raise UsageError(
            f"gold must name items below {answers.num_items}, classes below {answers.num_labels}"
        )
    return known, np.eye(answers.num_labels)[classes]


def _confusion(answers: Answers, posterior: Floats, smoothing: float, coin: bool) -> Floats:
    """(W, L, L): how often each worker is expected to have said l where the truth is k, as shares of k."""
    workers, labels = answers.num_workers, answers.num_labels
    cell = answers.workers * labels + answers.labels
    counts = np.empty((workers * labels, labels))
    for truth in range(labels):
        weight = posterior[answers.items, truth]
        counts[:, truth] = np.bincount(cell, weights=weight, minlength=workers * labels)
    counts = counts.reshape(workers, labels, labels).transpose(0, 2, 1) + smoothing
    if not coin:
        return _rows_to_one(counts)
    right, total = np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2))
    accuracy = np.divide(right, total, out=np.full(workers, 1 / max(labels, 1)), where=total > 0)
    wrong = (1 - accuracy) / max(labels - 1, 1)
    same = np.eye(labels, dtype=bool)
    matrices: Floats = np.where(same, accuracy[:, None, None], wrong[:, None, None])
    return matrices


def _log_scores(answers: Answers, shares: Floats, confusion: Floats) -> Floats:
    """(I, L): log chance of class k and of all answers on the item."""
    tiny = np.finfo(np.float64).tiny
    logs = np.log(np.maximum(confusion, tiny))
    said = logs[answers.workers, :, answers.labels]  # (N, L)
    scores = np.empty((answers.num_items, answers.num_labels))
    for truth in range(answers.num_labels):
        scores[:, truth] = np.bincount(answers.items, weights=said[:, truth], minlength=answers.num_items)
    scores += np.log(np.maximum(shares, tiny))
    return scores


def _class_shares(posterior: Floats, fit: ModelFit) -> Floats:
    shares: Floats = _rows_to_one((posterior.sum(axis=0) + fit.class_smoothing)[None])[0]
    return shares


def _shares_of(posterior: Floats) -> Floats:
    shares: Floats = _rows_to_one(posterior.sum(axis=0)[None])[0]
    return shares


def _rows_to_one(values: Floats) -> Floats:
    """Divided by the sum over the last axis; where that is 0, all alike."""
    total = values.sum(axis=-1, keepdims=True)
    even = np.full(values.shape, 1 / max(values.shape[-1], 1))
    rows: Floats = np.divide(values, total, out=even, where=total > 0)
    return rows


def _log_sum(scores: Floats) -> Floats:
    """log of the sum of exponentials over the last axis, (I,)."""
    if not scores.shape[-1]:
        return np.zeros(len(scores))
    top = scores.max(axis=-1)
    total: Floats = top + np.log(np.exp(scores - top[:, None]).sum(axis=-1))
    return total
