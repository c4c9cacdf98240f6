"""Votes and Dawid and Skene's model, against hand-worked tables and a slow plain EM."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from amidst.crowd.consensus import Answers, ModelFit, dawid_skene, majority, one_coin, weighted_majority
from amidst.errors import DataError, UsageError

PLAIN = ModelFit(smoothing=0.0, iterations=40, tolerance=0.0)


def simulate(seed: int, *, items: int = 150, workers: int = 12, labels: int = 3, each: int = 5):
    """Answers of workers of very different skill, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(labels, items, p=rng.dirichlet(np.full(labels, 3.0)))
    matrices = np.array(
        [
            [rng.dirichlet(np.eye(labels)[k] * rng.uniform(0, 8) + 0.6) for k in range(labels)]
            for _ in range(workers)
        ]
    )
    who = np.array([rng.permutation(workers)[:each] for _ in range(items)]).ravel()
    what = np.repeat(np.arange(items), each)
    said = np.array([rng.choice(labels, p=matrices[w, truth[i]]) for i, w in zip(what, who, strict=True)])
    return Answers.of(what, who, said, num_items=items, num_workers=workers, num_labels=labels), truth


def slow_em(answers: Answers, smoothing: float, iterations: int, coin: bool = False) -> list[list[float]]:
    """The model as the paper writes it: products of probabilities, item by item, in plain Python."""
    items, workers, labels = (range(n) for n in (answers.num_items, answers.num_workers, answers.num_labels))
    triples = list(
        zip(answers.items.tolist(), answers.workers.tolist(), answers.labels.tolist(), strict=True)
    )
    belief = []
    for i in items:
        votes = [float(sum(1 for a, _, said in triples if a == i and said == k)) for k in labels]
        total = sum(votes)
        belief.append([v / total if total else 1 / len(labels) for v in votes])
    for _ in range(iterations):
        prior = [sum(row[k] for row in belief) / len(items) for k in labels]
        table = [[[smoothing] * len(labels) for _ in labels] for _ in workers]
        for i, w, said in triples:
            for k in labels:
                table[w][k][said] += belief[i][k]
        for w in workers:
            if coin:
                everything = sum(map(sum, table[w]))
                right = sum(table[w][k][k] for k in labels) / everything
                table[w] = [
                    [right if k == m else (1 - right) / (len(labels) - 1) for m in labels] for k in labels
                ]
            else:
                table[w] = [
                    [value / sum(row) if sum(row) else 1 / len(labels) for value in row] for row in table[w]
                ]
        belief = []
        for i in items:
            row = [prior[k] for k in labels]
            for a, w, said in triples:
                if a == i:
                    row = [row[k] * table[w][k][said] for k in labels]
            total = math.fsum(row)
            belief.append([value / total for value in row])
    return belief


def test_nothing_at_all() -> None:
    empty = Answers.of([], [], [])
    for model in (majority, dawid_skene, one_coin):
        assert model(empty).labels.shape == (0,)


def test_an_item_without_answers_is_open() -> None:
    answers = Answers.of([0], [0], [1], num_items=2, num_labels=2)
    assert majority(answers).posterior.tolist() == [[0, 1], [0.5, 0.5]]
    found = dawid_skene(answers)
    assert found.posterior[1] == pytest.approx(found.class_shares)


def test_columns_are_checked() -> None:
    with pytest.raises(DataError, match="different lengths"):
        Answers.of([0, 1], [0], [0])
    with pytest.raises(DataError, match=r"label numbers in 0\.\.1"):
        Answers.of([0], [0], [2], num_labels=2)


def test_majority_and_weights_by_hand() -> None:
    answers = Answers.of([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 1])
    assert majority(answers).posterior[0] == pytest.approx([1 / 3, 2 / 3])
    assert majority(answers).labels.tolist() == [1, 0]  # the tie goes to the smaller number
    assert weighted_majority(answers, [1, 1, 3]).labels.tolist() == [0, 0]
    assert weighted_majority(answers, [1, 2, 0]).labels.tolist() == [1, 1]
    with pytest.raises(UsageError, match="3 weights"):
        weighted_majority(answers, [1, -1, 1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("smoothing", [0.0, 0.01])
def test_dawid_skene_equals_the_plain_em(seed: int, smoothing: float) -> None:
    answers, _ = simulate(seed, items=60, workers=8)
    fit = ModelFit(smoothing=smoothing, iterations=6, tolerance=-1.0)
    assert dawid_skene(answers, fit).posterior == pytest.approx(
        np.array(slow_em(answers, smoothing, 6)), abs=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
def test_one_coin_equals_the_plain_em(seed: int) -> None:
    answers, _ = simulate(seed, items=60, workers=8)
    fit = ModelFit(iterations=6, tolerance=-1.0)
    assert one_coin(answers, fit).posterior == pytest.approx(
        np.array(slow_em(answers, fit.smoothing, 6, coin=True)), abs=1e-9
    )


def test_labels_of_twenty_sets_equal_those_of_the_plain_em() -> None:
    same = total = 0
    for seed in range(20):
        answers, _ = simulate(seed, items=40, workers=7, each=4)
        ours = dawid_skene(answers, ModelFit(smoothing=0.0, iterations=10, tolerance=-1.0)).labels
        slow = np.argmax(slow_em(answers, 0.0, 10), axis=1)
        same, total = same + int((ours == slow).sum()), total + len(slow)
    assert same >= 0.995 * total


def test_the_likelihood_never_falls() -> None:
    answers, _ = simulate(5)
    values = [
        dawid_skene(answers, ModelFit(smoothing=0.0, iterations=n, tolerance=-1.0)).log_likelihood
        for n in range(1, 15)
    ]
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(values))


def test_models_learn_whom_to_trust() -> None:
    """Two careful workers against three who answer by lot: the model beats the vote."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 400)
    said = [np.where(rng.random(400) < 0.95, truth, 1 - truth) for _ in range(2)]
    said += [rng.integers(0, 2, 400) for _ in range(3)]
    answers = Answers.of(np.tile(np.arange(400), 5), np.repeat(np.arange(5), 400), np.concatenate(said))
    votes = (majority(answers).labels == truth).mean()
    for model in (dawid_skene, one_coin):
        found = model(answers)
        assert (found.labels == truth).mean() > votes + 0.05
        assert found.confusion is not None
        right = found.confusion[:, [0, 1], [0, 1]].mean(axis=1)
        assert right[:2].min() > 0.9 > 0.6 > right[2:].max()


def test_gold_stays_as_it_is_and_turns_the_rest() -> None:
    """Everybody is wrong the same way; a few known items are enough to see it."""
    truth = np.tile([0, 1], 20)
    answers = Answers.of(np.tile(np.arange(40), 3), np.repeat(np.arange(3), 40), np.tile(1 - truth, 3))
    assert (dawid_skene(answers).labels == 1 - truth).all()
    known = {k: int(truth[k]) for k in range(30)}
    found = dawid_skene(answers, gold=known)
    assert (found.labels == truth).all()
    assert found.posterior[0].tolist() == [1.0, 0.0]
    with pytest.raises(UsageError, match="gold"):
        dawid_skene(answers, gold={0: 7})


def test_more_answers_than_a_product_of_probabilities_can_hold() -> None:
    """2,000 answers on one item underflow a product; the log domain does not care."""
    answers = Answers.of(np.zeros(2000, int), np.arange(2000), np.r_[np.zeros(1200, int), np.ones(800, int)])
    found = one_coin(answers, ModelFit(smoothing=1.0))
    assert np.isfinite(found.log_likelihood)
    assert found.posterior.sum() == pytest.approx(1)
    assert found.labels.tolist() == [0]
