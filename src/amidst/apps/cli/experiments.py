"""Recipes as the command line names them. Does not import torch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from amidst.config import override
from amidst.errors import UsageError
from amidst.recipes import RECIPES, recipe
from amidst.recipes.recipe import Recipe
from amidst.training.config import Experiment


def find_recipe(name: str) -> Recipe:
    """The recipe `name`. Raises UsageError with the nearest name for one that does not exist."""
    if name not in RECIPES and (hint := nearest(name, RECIPES)):
        raise UsageError(f"no recipe called {name!r}{hint} (amidst recipes lists all)")
    return recipe(name)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: "; did you mean 'x'?", or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def make_experiment(name: str, assignments: Sequence[str], seed: int | None = None) -> Experiment:
    """The configuration of recipe `name`, changed by `--set` and `--seed`.

    Raises UsageError for an unknown recipe, ConfigError for an unknown key or a value that does not fit.
    """
    seeded = [] if seed is None else [f"train.seed={seed}"]
    return override(find_recipe(name).make(), [*assignments, *seeded])
