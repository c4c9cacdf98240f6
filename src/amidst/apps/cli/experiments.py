"""Recipes as the command line names them. Does not import torch."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from amidst.config import override
from amidst.errors import UsageError
from amidst.recipes import RECIPES, recipe
from amidst.recipes.recipe import Recipe
from amidst.training.config import Experiment


def find_recipe(name: str) -> Recipe:
    """The recipe `name`. Raises UsageError with the nearest name for one that does not exist."""
    near = difflib.get_close_matches(name, RECIPES, n=1)
    if name not in RECIPES and near:
        raise UsageError(f"no recipe called {name!r}; did you mean {near[0]!r}? (amidst recipes lists all)")
    return recipe(name)


def make_experiment(name: str, assignments: Sequence[str], seed: int | None = None) -> Experiment:
    """The configuration of recipe `name`, changed by `--set` and `--seed`.

    Raises UsageError for an unknown recipe, ConfigError for an unknown key or a value that does not fit.
    """
    seeded = [] if seed is None else [f"train.seed={seed}"]
    return override(find_recipe(name).make(), [*assignments, *seeded])
