"""`amidst recipes`: the named experiments, and every setting of one."""

from __future__ import annotations

import inspect
import json
from typing import Annotated, Any

import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.experiments import find_recipe
from amidst.config import keys, to_builtins
from amidst.recipes import RECIPES
from amidst.recipes.recipe import Recipe
from amidst.training.config import Experiment

app = new_app()


@app.command()
def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Show this recipe with all its settings.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the training recipes with hardware, time and score, or show one with all its settings.

    **Examples**

      amidst recipes

      amidst recipes retinanet_lite_320
    """
    if name is None:
        _list(as_json)
        return
    recipe = find_recipe(name)
    if as_json:
        print_json(_summary(recipe) | {"config": to_builtins(recipe.make())})
    else:
        _show(recipe)


def _summary(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "hardware": recipe.hardware,
        "time": recipe.time,
        "score": recipe.score,
    }


def _list(as_json: bool) -> None:
    records = [_summary(recipe) for recipe in RECIPES.values()]
    if as_json:
        print_json(records)
        return
    print_table("", tuple(records[0]), [tuple(map(str, record.values())) for record in records])
    say("\namidst recipes NAME shows the settings of one; amidst train NAME --help how to train it")


def _show(recipe: Recipe) -> None:
    experiment = recipe.make()
    rows = [(key, _text(_at(experiment, key))) for key in keys(experiment)]
    print_table(recipe.name, ("key for --set", "value"), rows)
    say("\n" + inspect.cleandoc(recipe.make.__doc__ or recipe.summary))


def _at(experiment: Experiment, key: str) -> Any:
    value: Any = to_builtins(experiment)
    for part in key.split("."):
        value = value[part]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
