"""How far a worker is to be trusted: gold, discarded masks, speed (spec 7; thesis section 2.4.4).

Items whose answer is known ("gold") give a Beta posterior of a worker's share of right answers. The surer it
is, the less gold he gets, but never none; and the last fifty are held against all before, for people change.
Masks that verification discards give a lower bound of the share of a drawer's bad work; above a limit all of
it is proposed to be voided, as the thesis did with consistently poor segmenters. Answers that come too fast
are flagged and nothing else. All limits are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, lgamma
from typing import Any

import numpy as np
import numpy.typing as npt

from amidst.config import Config
from amidst.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GRID = 4001  # points of the numeric Beta distribution


class QualityConfig(Config, frozen=True):
    """Limits of this page.

    prior: right and wrong answers assumed before any is seen. gold_most, gold_least: share of gold for a
    stranger, and for a worker who is known as well as one can be. window: last gold answers held against
    the ones before, of which there must be window_before; change: chance below which a fall is called
    sudden. least_masks: decided masks before a drawer is judged; discard_limit: of the lower bound.
    z: normal quantile of the two-sided bounds, 1.96 for 95 %. speed_quantile, speed_divisor: the floor is
    this quantile of the experts' seconds, divided.
    """

    prior: tuple[float, float] = (1.0, 1.0)
    gold_most: float = 0.10
    gold_least: float = 0.02
    window: int = 50
    window_before: int = 20
    change: float = 0.001
    least_masks: int = 20
    discard_limit: float = 0.4
    z: float = 1.959964
    speed_quantile: float = 0.05
    speed_divisor: float = 3.0


@dataclass(frozen=True, slots=True)
class Reputation:
    """What gold says about a worker in one stage.

    mean, low, high: of the share of right answers, with the central 95 % of the posterior. gold_share: of the
    coming items. fall: chance of as few right ones among the last `window` if nothing had changed, None while
    there is too little before them. changed: that chance is too small to believe.
    """

    right: int
    wrong: int
    mean: float
    low: float
    high: float
    gold_share: float
    fall: float | None
    changed: bool

    def to_builtins(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def reputation(correct: Sequence[bool], config: QualityConfig | None = None) -> Reputation:
    """From a worker's gold answers in one stage, oldest first; an empty history gives the prior."""
    config = config or QualityConfig()
    right = sum(bool(value) for value in correct)
    wrong = len(correct) - right
    a, b = config.prior[0] + right, config.prior[1] + wrong
    low, high = beta_quantiles(a, b, (0.025, 0.975))
    fall = _fall(correct, config)
    return Reputation(
        right=right,
        wrong=wrong,
        mean=a / (a + b),
        low=low,
        high=high,
        gold_share=gold_share(right, wrong, config),
        fall=fall,
        changed=fall is not None and fall < config.change,
    )


def gold_share(right: int, wrong: int, config: QualityConfig | None = None) -> float:
    """Share of gold among the worker's coming items: falls with the spread of the posterior."""
    config = config or QualityConfig()
    a, b = config.prior
    spread = _beta_spread(a + right, b + wrong) / _beta_spread(a, b)
    return config.gold_least + (config.gold_most - config.gold_least) * min(1.0, spread)


def beta_quantiles(a: float, b: float, shares: Sequence[float]) -> tuple[float, ...]:
    """Quantiles of the Beta distribution, to about 1e-4, by adding up its density.

    Raises UsageError for parameters that are not positive.
    """
    if a <= 0 or b <= 0:
        raise UsageError(f"a Beta distribution needs positive parameters, got {a} and {b}")
    # Even steps in the angle crowd the points where the density may be steep: near 0 and 1.
    angle = (np.arange(_GRID) + 0.5) / _GRID * np.pi / 2
    x = np.sin(angle) ** 2
    log_density = (a - 0.5) * np.log(x) + (b - 0.5) * np.log1p(-x)  # per angle
    weight = np.exp(log_density - log_density.max())
    reached = (np.cumsum(weight) - weight / 2) / weight.sum()
    return tuple(float(np.interp(share, reached, x)) for share in shares)


def _fall(correct: Sequence[bool], config: QualityConfig) -> float | None:
    """Chance that the last answers hold as few right ones, as predicted from those before (beta-binomial)."""
    before, last = correct[: -config.window], correct[-config.window :]
    if len(last) < config.window or len(before) < config.window_before:
        return None
    right = sum(bool(value) for value in before)
    a, b = config.prior[0] + right, config.prior[1] + len(before) - right
    n = len(last)
    seen = sum(bool(value) for value in last)
    logs = [_log_choose(n, k) + _log_beta(a + k, b + n - k) - _log_beta(a, b) for k in range(seen + 1)]
    return min(1.0, sum(exp(value) for value in logs))


# ------------------------------------------------------------------------------------------------ masks


@dataclass(frozen=True, slots=True)
class VoidProposal:
    """A drawer whose masks are discarded too often. low: lower bound of the discard rate."""

    worker: int
    decided: int
    discarded: int
    low: float

    def to_builtins(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def wilson_bounds(
    hits: npt.ArrayLike, trials: npt.ArrayLike, z: float = QualityConfig().z
) -> tuple[Floats, Floats]:
    """Lower and upper bound of a share after `hits` of `trials`, elementwise; (0, 1) without a trial.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    n = np.asarray(trials, dtype=np.float64)
    k = np.asarray(hits, dtype=np.float64)
    safe = np.maximum(n, 1)
    share = k / safe
    middle = (share + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(share * (1 - share) / safe + z**2 / (4 * safe**2))
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def propose_voiding(
    drawers: npt.ArrayLike, discarded: npt.ArrayLike, config: QualityConfig | None = None
) -> tuple[VoidProposal, ...]:
    """The drawers whose work should be voided, worst first.

    drawers: (N,) who drew each decided mask. discarded: (N,) whether verification threw it away.
    """
    config = config or QualityConfig()
    who = np.asarray(drawers, dtype=np.int64).reshape(-1)
    ids, index = np.unique(who, return_inverse=True)
    decided = np.bincount(index, minlength=len(ids))
    bad = np.bincount(index, weights=np.asarray(discarded, dtype=bool).reshape(-1), minlength=len(ids))
    low, _ = wilson_bounds(bad, decided, config.z)
    chosen = np.flatnonzero((decided >= config.least_masks) & (low > config.discard_limit))
    chosen = chosen[np.argsort(-low[chosen], kind="stable")]
    return tuple(VoidProposal(int(ids[k]), int(decided[k]), int(bad[k]), float(low[k])) for k in chosen)


# ------------------------------------------------------------------------------------------------ speed


@dataclass(frozen=True, slots=True)
class SpeedFlag:
    """A worker with answers below the floor. too_fast of answers; median in seconds."""

    worker: int
    answers: int
    too_fast: int
    median_s: float

    def to_builtins(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def speed_floor(expert_seconds: npt.ArrayLike, config: QualityConfig | None = None) -> float:
    """Seconds below which an answer is too fast; 0 without experts, which flags nobody."""
    config = config or QualityConfig()
    seconds = np.asarray(expert_seconds, dtype=np.float64).reshape(-1)
    if not len(seconds):
        return 0.0
    return float(np.quantile(seconds, config.speed_quantile)) / config.speed_divisor


def speed_flags(workers: npt.ArrayLike, seconds: npt.ArrayLike, floor_s: float) -> tuple[SpeedFlag, ...]:
    """Workers with at least one answer below the floor, most such answers first.

    workers, seconds: (N,) of all answers of one stage.
    """
    who, taken = np.asarray(workers, dtype=np.int64).reshape(-1), np.asarray(seconds, dtype=np.float64)
    flags = []
    for worker in np.unique(who[taken < floor_s]).tolist():
        own = taken[who == worker]
        fast = int(np.count_nonzero(own < floor_s))
        flags.append(SpeedFlag(worker, len(own), fast, float(np.median(own))))
    return tuple(sorted(flags, key=lambda flag: (-flag.too_fast, flag.worker)))


# ------------------------------------------------------------------------------------------------ votes


def vote_outcomes(approve: npt.ArrayLike) -> Floats:
    """What the rule of three and two votes does to a mask that each voter approves with chance q (spec 6.6).

    approve: (Q,). Returns (Q, 3): the share accepted, the mean number of votes by the thesis's rule, and
    with an early stop. Accepted: all three approve, or one of three does not and both further ones do,
    q^3 + 3 q^4 (1 - q). With an early stop nobody is asked once two have disapproved.
    """
    q = np.asarray(approve, dtype=np.float64).reshape(-1)
    one_bad = 3 * q**2 * (1 - q)
    accepted = q**3 + one_bad * q**2
    early = 3 - (1 - q) ** 2 + one_bad * (1 + q)
    return np.stack([accepted, 5 - 2 * q**3, early], axis=1)


def _beta_spread(a: float, b: float) -> float:
    """Standard deviation of the Beta distribution."""
    return float(np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1))))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
