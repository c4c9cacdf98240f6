"""The cumulative distribution of the focal loss, against sorting every sample."""

from __future__ import annotations

import math

import pytest
import torch

from amidst.ops.loss_distribution import (
    BINS,
    bin_centres,
    count_logits,
    cumulative_loss,
    hardest_share,
    interpolate,
)
from amidst.ops.losses import focal_of

GAMMAS = (0.0, 0.5, 1.0, 2.0)


def test_no_samples() -> None:
    counts = count_logits(torch.zeros(0))
    assert counts.tolist() == [0] * BINS
    fractions, shares = cumulative_loss(counts, 2.0)
    assert not fractions.any()
    assert not shares.any()
    assert hardest_share(counts, 2.0, 0.2) == -1


def test_bins_hold_what_their_centres_say() -> None:
    counts = count_logits(torch.tensor([0.0, 0.0, 1.5, -31.999, -1e9, 1e9, 31.999]))
    assert int(counts.sum()) == 7
    found = [(round(float(bin_centres()[i]), 3), int(counts[i])) for i in counts.nonzero().squeeze(1)]
    assert found == [(-31.998, 2), (0.002, 2), (1.502, 1), (31.998, 2)]


def test_two_kinds_of_samples_by_hand() -> None:
    """Three samples of p = 1/2 and one of p = 1/4: losses ln 2 and ln 4 = 2 ln 2, so 3 against 2."""
    counts = count_logits(torch.tensor([0.0, 0.0, 0.0, math.log(1 / 3)]))
    assert hardest_share(counts, 0.0, 0.25) == pytest.approx(2 / 5, abs=2e-3)
    assert hardest_share(counts, 0.0, 0.5) == pytest.approx(3 / 5, abs=2e-3)
    # gamma = 2: (1/4) ln 2 and (9/16) 2 ln 2, so 3/4 against 9/8
    assert hardest_share(counts, 2.0, 0.25) == pytest.approx(9 / 8 / (9 / 8 + 3 / 4), abs=4e-3)
    assert hardest_share(counts, 2.0, 1.0) == pytest.approx(1)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_against_sorting_every_sample(gamma: float) -> None:
    torch.manual_seed(0)
    x_t = torch.randn(20_000, dtype=torch.float64) * 3 + 2
    losses = focal_of(x_t, gamma).sort().values
    expected = losses.cumsum(0) / losses.sum()
    fractions, shares = cumulative_loss(count_logits(x_t), gamma)
    at = torch.arange(1, 20_001, dtype=torch.float64) / 20_000
    assert torch.allclose(interpolate(fractions, shares, at), expected, atol=2e-4)
    for fraction in (0.2, 0.1, 0.01):
        tail = losses[int(20_000 * (1 - fraction)) :].sum() / losses.sum()
        assert hardest_share(count_logits(x_t), gamma, fraction) == pytest.approx(float(tail), abs=2e-4)


def test_curves_rise_and_a_higher_gamma_leaves_more_to_the_hardest() -> None:
    torch.manual_seed(1)
    counts = count_logits(torch.randn(5_000) * 2 + 1)
    for gamma in GAMMAS:
        fractions, shares = cumulative_loss(counts, gamma)
        assert float(fractions[0]) == float(shares[0]) == 0
        assert float(fractions[-1]) == pytest.approx(1)
        assert float(shares[-1]) == pytest.approx(1)
        assert bool((shares.diff() >= 0).all())
    hardest = [hardest_share(counts, gamma, 0.1) for gamma in GAMMAS]
    assert hardest == sorted(hardest)


def test_interpolation_takes_the_last_of_equal_positions() -> None:
    x, y = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 2.0, 4.0, 6.0])
    assert interpolate(x, y, torch.tensor([0.0, 0.5, 1.0])).tolist() == [2, 3, 6]
