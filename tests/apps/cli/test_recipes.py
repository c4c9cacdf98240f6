from __future__ import annotations

from typing import Any

import pytest

from amidst.config import from_builtins
from amidst.recipes import RECIPES
from amidst.training.config import Experiment


def test_the_list(amidst: Any) -> None:
    typed = amidst("recipes")
    assert typed.code == 0
    for name in RECIPES:
        assert name in typed.out


def test_the_list_as_json(amidst: Any) -> None:
    typed = amidst("recipes", "--json")
    assert typed.err == ""
    assert [record["name"] for record in typed.json] == list(RECIPES)
    assert all(record["hardware"] and record["time"] and record["score"] for record in typed.json)


@pytest.mark.parametrize("name", RECIPES)
def test_one_recipe(amidst: Any, name: str) -> None:
    typed = amidst("recipes", name)
    assert typed.code == 0
    assert "optim.lr" in typed.out
    assert "model.backbone.name" in typed.out
    made = from_builtins(amidst("recipes", name, "--json").json["config"], Experiment)
    assert made == RECIPES[name].make()


def test_no_such_recipe(amidst: Any) -> None:
    typed = amidst("recipes", "retinanet_lite_32")
    assert typed.code == 2
    assert "did you mean 'retinanet_lite_320'" in typed.err
