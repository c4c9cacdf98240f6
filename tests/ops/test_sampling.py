"""Samples with a share of positives: sizes, what is never drawn, fairness, reproducibility."""

from __future__ import annotations

import pytest
import torch

from amidst.ops.matching import BACKGROUND, IGNORED
from amidst.ops.sampling import sample


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def matched(positives: int, negatives: int, ignored: int) -> torch.Tensor:
    """Negatives first, then ignored, then positives of objects 0, 1, ..."""
    parts = ([BACKGROUND] * negatives, [IGNORED] * ignored, range(positives))
    return torch.tensor([value for part in parts for value in part], dtype=torch.int64)


# positives, negatives, ignored there are; how many of the first two are drawn out of 8 at a share of 1/4
@pytest.mark.parametrize(
    ("there", "drawn"),
    [
        ((0, 0, 0), (0, 0)),
        ((0, 0, 5), (0, 0)),
        ((0, 20, 3), (0, 8)),
        ((1, 20, 3), (1, 7)),
        ((2, 6, 0), (2, 6)),
        ((9, 20, 0), (2, 6)),
        ((9, 3, 0), (2, 3)),  # too few negatives: the sample stays smaller
        ((9, 0, 9), (2, 0)),
    ],
)
def test_sizes(there: tuple[int, int, int], drawn: tuple[int, int]) -> None:
    values = matched(*there)
    positives, negatives = sample(values, 8, 0.25, seeded())
    assert (len(positives), len(negatives)) == drawn
    assert (values[positives] >= 0).all()
    assert (values[negatives] == BACKGROUND).all()
    for chosen in (positives, negatives):
        assert chosen.tolist() == sorted(set(chosen.tolist()))


def test_the_seed_decides() -> None:
    values = matched(50, 500, 50)

    def draw(seed: int) -> list[int]:
        return torch.cat(sample(values, 64, 0.5, seeded(seed))).tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_each_candidate_is_drawn_as_often_as_any_other() -> None:
    """2,000 draws of 5 of 20: 500 each, standard deviation sqrt(2000 * .25 * .75) = 19."""
    values, counts, generator = matched(0, 20, 0), torch.zeros(20), seeded()
    for _ in range(2000):
        counts[sample(values, 5, 0.5, generator)[1]] += 1
    assert (counts - 500).abs().max() < 5 * 19
