"""The grids of the thesis's tables."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from amidst.config import override
from amidst.models.config import RetinaNetConfig
from amidst.recipes import recipe
from amidst.recipes.studies import STUDIES, Cell


def scores(study: str, name: str) -> dict[str, dict[str, float]]:
    (cell,) = [cell for cell in STUDIES[study].cells if cell.name == name]
    return {p.setting: p.scores for p in cell.published}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_a_grid_that_its_recipe_can_be_set_to(name: str) -> None:
    study = STUDIES[name]
    assert study.cells
    assert all([study.title, study.source])
    names = [cell.name for cell in study.cells]
    assert len(set(names)) == len(names)
    assert all(set(cell_name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-") for cell_name in names)
    base = recipe(study.recipe).make()
    made = [override(base, [*study.base, *cell.settings]) for cell in study.cells]
    assert len(set(map(repr, made))) == len(made)  # no two cells are the same


@pytest.mark.parametrize("name", STUDIES)
def test_published_scores_are_fractions(name: str) -> None:
    for cell in STUDIES[name].cells:
        for published in cell.published:
            assert all(0 <= value <= 1 for key, value in published.scores.items() if key != "ms")


def test_numbers_as_the_tables_print_them() -> None:
    assert scores("focal-gamma", "gamma-2-alpha-0.25") == {
        "R50-600": {"ap": 0.34, "ap50": 0.525, "ap75": 0.365}
    }
    assert scores("ce-alpha", "alpha-0.75")["R50-600"]["ap75"] == 0.33
    assert scores("anchor-density", "2-scales-3-aspects")["R50-600"]["ap"] == 0.342
    assert scores("ohem", "ohem-1-3-512-nms-0.5") == {"R101-600": {"ap": 0.24}}
    assert scores("speed-accuracy", "r101-800")["test-dev"]["ms"] == 198


def test_the_best_of_each_table_is_the_one_the_thesis_chose() -> None:
    def best(study: str) -> str:
        return max(STUDIES[study].cells, key=lambda cell: _ap(cell)).name

    assert best("ce-alpha") == "alpha-0.75"
    assert best("focal-gamma") == "gamma-2-alpha-0.25"
    assert best("anchor-density") == "2-scales-3-aspects"
    assert best("ohem") == "focal"
    assert best("speed-accuracy") == "r101-800"


def _ap(cell: Cell) -> float:
    return max((p.scores["ap"] for p in cell.published), default=-math.inf)


def test_settings_reach_the_network() -> None:
    def model(study: str, name: str) -> RetinaNetConfig:
        (cell,) = [cell for cell in STUDIES[study].cells if cell.name == name]
        found = override(recipe(STUDIES[study].recipe).make(), [*STUDIES[study].base, *cell.settings]).model
        assert isinstance(found, RetinaNetConfig)
        return found

    assert model("anchor-density", "1-scales-1-aspects").anchors.aspects == (1.0,)
    assert model("focal-gamma", "gamma-0.5-alpha-0.5").loss.gamma == 0.5
    mined = model("ohem", "ohem-256-nms-0.7")
    assert (mined.backbone.name, mined.loss.kind) == ("resnet101", "cross_entropy")
    assert (mined.loss.mining.kind, mined.loss.mining.batch, mined.loss.mining.nms_iou) == ("ohem", 256, 0.7)


def test_importing_does_not_import_torch() -> None:
    code = "import sys, amidst.recipes.studies; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
