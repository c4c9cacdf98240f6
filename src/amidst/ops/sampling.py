"""Random samples with a share of positives: which anchors or regions of an image a loss looks at.

Shapes: N anchors or regions of one image, P positives and Q negatives among the sample.

    positives    at most `count * positive_share` of them
    negatives    as many as are left of `count`

Both are drawn uniformly without replacement. Where positives are few, negatives fill their places; where
negatives are few, the sample stays smaller: positives never exceed their share.

The generator is an argument and lives on the CPU: the same seed gives the same sample on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from amidst.ops.matching import BACKGROUND


def sample(
    matched: Tensor, count: int, positive_share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Indices of the sampled positives (P,) and negatives (Q,), each ascending.

    `matched` (N,) is what `ops.matching.match` gives: the index of an object, BACKGROUND or IGNORED.
    """
    positives = _draw((matched >= 0).nonzero().squeeze(1), int(count * positive_share), generator)
    negatives = _draw((matched == BACKGROUND).nonzero().squeeze(1), count - len(positives), generator)
    return positives, negatives


def _draw(candidates: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` of the candidates (C,), or all where there are no more."""
    if len(candidates) <= count:
        return candidates
    chosen = torch.randperm(len(candidates), generator=generator)[:count].sort().values
    return candidates[chosen.to(candidates.device)]
