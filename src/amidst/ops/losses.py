"""Losses of dense classification and of boxes (thesis map H, I.5), element by element.

Shapes: any (...) for the element-wise functions; N boxes.

Everything about classification is a function of x_t = x for a positive and -x for a negative logit x, because
p_t = sigmoid(x_t) is the probability that the network gives to the truth:

    cross-entropy   CE  = -ln p_t                  = softplus(-x_t)
    focal           FL  = -(1 - p_t)^gamma ln p_t  = sigmoid(-x_t)^gamma softplus(-x_t)
    FL*             FL* = -ln sigmoid(gamma x_t + beta) / gamma
    hinge           max(0, margin - p_t)

each times alpha_t: alpha for a positive, 1 - alpha for a negative, 1 for both where alpha is None ("balanced"
where it is not). The softplus forms stay finite and exact where p_t rounds to 0 or 1.

Clipping (`tau` > 0) puts max(p_t, tau) in place of p_t. All four losses fall with p_t, so the value is capped
at the one of p_t = tau. `tau_mode` "hard" is the literal reading, whose gradient is zero below tau: the worst
mistakes teach nothing. "value_only" caps the value and keeps the gradient.

These functions return one value per logit and serve analysis and tests; training sums over 10^7 logits a step
with `amidst.ops.dense_losses`, which gives the same numbers faster.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from amidst.ops.boxes import paired_giou

Kind = Literal["focal", "cross_entropy", "balanced_cross_entropy", "focal_star", "hinge"]
TauMode = Literal["hard", "value_only"]


def truth_logit(logits: Tensor, positive: Tensor) -> Tensor:
    """x_t: the logit (...) of the truth, given where (...) the truth is "present" (bool)."""
    return torch.where(positive, logits, -logits)


def alpha_weight(positive: Tensor, alpha: float | None, dtype: torch.dtype = torch.float32) -> Tensor:
    """alpha_t (...) for positive (...) bool."""
    weight_of_positive, weight_of_negative = alpha_pair(alpha)
    weights = torch.full(positive.shape, weight_of_negative, dtype=dtype, device=positive.device)
    return weights.masked_fill_(positive, weight_of_positive)


def alpha_pair(alpha: float | None) -> tuple[float, float]:
    """Weights of a positive and of a negative."""
    return (1.0, 1.0) if alpha is None else (alpha, 1.0 - alpha)


def cross_entropy(logits: Tensor, positive: Tensor, alpha: float | None = None) -> Tensor:
    """CE (...), balanced if alpha is given."""
    return focal(logits, positive, gamma=0.0, alpha=alpha)


def focal(
    logits: Tensor,
    positive: Tensor,
    gamma: float,
    alpha: float | None,
    tau: float = 0.0,
    tau_mode: TauMode = "value_only",
) -> Tensor:
    """FL (...)."""
    loss = focal_of(truth_logit(logits, positive), gamma)
    if tau > 0:
        loss = _cap(loss, float(focal_of(_logit(tau), gamma)), tau_mode)
    return alpha_weight(positive, alpha, logits.dtype) * loss


def focal_star(
    logits: Tensor,
    positive: Tensor,
    gamma: float,
    beta: float,
    alpha: float | None,
    tau: float = 0.0,
    tau_mode: TauMode = "value_only",
) -> Tensor:
    """FL* (...)."""
    loss = focal_star_of(truth_logit(logits, positive), gamma, beta)
    if tau > 0:
        loss = _cap(loss, float(focal_star_of(_logit(tau), gamma, beta)), tau_mode)
    return alpha_weight(positive, alpha, logits.dtype) * loss


def hinge(
    logits: Tensor,
    positive: Tensor,
    margin: float,
    alpha: float | None = None,
    tau: float = 0.0,
    tau_mode: TauMode = "value_only",
) -> Tensor:
    """Hinge (...) on the probability of the truth."""
    loss = hinge_of(truth_logit(logits, positive), margin)
    if tau > 0:
        loss = _cap(loss, float(hinge_of(_logit(tau), margin)), tau_mode)
    return alpha_weight(positive, alpha, logits.dtype) * loss


# The same as functions of x_t alone, without weights.


def softplus(x: Tensor) -> Tensor:
    """ln(1 + exp(x)); linear only from 40, where torch's usual 20 leaves an error of 2e-9."""
    return F.softplus(x, threshold=40.0)


def focal_of(x_t: Tensor, gamma: float) -> Tensor:
    """(1 - p_t)^gamma times CE, of x_t (...)."""
    loss = softplus(-x_t)
    return loss if gamma == 0 else _miss_power(x_t, gamma) * loss


def _miss_power(x_t: Tensor, gamma: float) -> Tensor:
    """(1 - p_t)^gamma, through its logarithm: a fractional power has no derivative where 1 - p_t is 0."""
    return torch.exp(-gamma * softplus(x_t))


def focal_star_of(x_t: Tensor, gamma: float, beta: float) -> Tensor:
    """FL* of x_t (...)."""
    return softplus(-(gamma * x_t + beta)) / gamma


def hinge_of(x_t: Tensor, margin: float) -> Tensor:
    """max(0, margin - p_t) of x_t (...)."""
    return (margin - torch.sigmoid(x_t)).clamp(min=0)


def focal_slope_of(x_t: Tensor, gamma: float) -> Tensor:
    """d focal_of / d x_t = (1 - p_t)^gamma (gamma p_t ln p_t + p_t - 1)."""
    miss = torch.sigmoid(-x_t)  # 1 - p_t without cancellation
    if gamma == 0:
        return -miss
    return -_miss_power(x_t, gamma) * (gamma * torch.sigmoid(x_t) * softplus(-x_t) + miss)


def focal_star_slope_of(x_t: Tensor, gamma: float, beta: float) -> Tensor:
    """d focal_star_of / d x_t = p* - 1."""
    return -torch.sigmoid(-(gamma * x_t + beta))


def hinge_slope_of(x_t: Tensor, margin: float) -> Tensor:
    """d hinge_of / d x_t = -p_t (1 - p_t) where p_t < margin."""
    p_t = torch.sigmoid(x_t)
    return torch.where(p_t < margin, -p_t * torch.sigmoid(-x_t), torch.zeros_like(p_t))


def _logit(probability: float) -> Tensor:
    return torch.tensor(math.log(probability / (1 - probability)), dtype=torch.float64)


def _cap(loss: Tensor, highest: float, mode: TauMode) -> Tensor:
    capped = loss.clamp(max=highest)
    if mode == "hard":
        return capped
    return loss + (capped - loss).detach()


def smooth_l1(predicted: Tensor, target: Tensor, beta: float) -> Tensor:
    """0.5 d^2 / beta where |d| < beta, else |d| - 0.5 beta, element-wise (0.4); beta = 0 is |d|."""
    return F.smooth_l1_loss(predicted, target, beta=beta, reduction="none")


def giou(predicted_xyxy: Tensor, target_xyxy: Tensor) -> Tensor:
    """1 - GIoU, in [0, 2]: boxes (N, 4), (N, 4) -> (N,)."""
    return 1 - paired_giou(predicted_xyxy, target_xyxy)
