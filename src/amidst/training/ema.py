"""Exponential moving average of the weights, used for validation and for the final model.

`average = d * average + (1 - d) * weights` after each update, with d ramping up as `min(decay, (1 + t) /
(10 + t))` so that the first updates are not dominated by the random start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of a model's trainable parameters, in float32.

    Frozen parameters and constants need no average; running statistics of live norms are those of the model.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.values: dict[str, Tensor] = {
            name: value.detach().to(torch.float32, copy=True) for name, value in self._parameters.items()
        }

    @torch.no_grad()
    def update(self) -> None:
        """Take in the model's present weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        present = [value.detach().to(torch.float32) for value in self._parameters.values()]
        torch._foreach_lerp_(list(self.values.values()), present, 1 - decay)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the context the model carries the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            present = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(present)
