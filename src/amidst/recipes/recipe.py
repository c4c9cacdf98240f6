"""What a recipe is. Does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from amidst.training.config import Experiment


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named experiment and what to expect of it."""

    name: str
    summary: str
    hardware: str  # that it is meant for
    time: str  # on that hardware
    score: str  # box AP that it reaches there, and on what
    make: Callable[[], Experiment]
