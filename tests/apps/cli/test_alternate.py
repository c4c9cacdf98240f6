"""Training in steps: the folders it leaves, going on, one network at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from amidst.models.config import FasterRCNNConfig
from amidst.models.weights import load_model

BOTH = (
    'model.backbone={"name":"tiny"}',
    "model.fpn.channels=16",
    "init.backbone=null",
    "schedule.epochs=null",
    "schedule.iterations=2",
    "schedule.warmup_iterations=1",
    "data.resize.short=64",
    "data.resize.long=96",
    "data.train_short_sides=[]",
    "data.batch_size=2",
    "data.workers=0",
    "optim.lr_batch=2",
    "train.precision=float32",
)
FAST = ("model.roi.head.width=16", "model.roi.loss.proposals=30", "model.roi.decode.proposals=20")
STEPS = ["1-rpn", "2-fast", "3-rpn", "4-fast"]


def words(data: Any, run: Path, *more: str) -> list[str]:
    recipes = ["--rpn", "rpn_lite", "--fast", "fast_rcnn_lite"]
    places = ["--train", data.train, "--val", data.val, "--images", data.images, "--run", run]
    sets = [w for s in BOTH for w in ("--set", s)] + [w for s in FAST for w in ("--set-fast", s)]
    return ["alternate", *recipes, *map(str, places), *sets, *more]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alternate") / "steps"


def test_stops_after_step_two_and_goes_on_to_one_network(amidst: Any, data: Any, steps: Path) -> None:
    apart = amidst(*words(data, steps, "--separate"))
    assert apart.code == 0, apart.err
    assert sorted(path.name for path in steps.iterdir()) == STEPS[:2]
    first = (steps / "1-rpn" / "model.safetensors").stat().st_mtime_ns

    together = amidst(*words(data, steps))
    assert together.code == 0, together.err
    assert "step 1-rpn: finished already" in together.err
    assert (steps / "1-rpn" / "model.safetensors").stat().st_mtime_ns == first
    assert sorted(path.name for path in steps.iterdir() if path.is_dir()) == STEPS
    assert (steps / "results.json").is_file()

    model, info = load_model(steps / "model.safetensors")
    assert isinstance(info.config, FasterRCNNConfig)
    assert [category["name"] for category in info.categories] == ["square", "bar"]
    state = model.state_dict()
    two, four = (
        load_model(steps / name / "model.safetensors")[0].state_dict() for name in ("2-fast", "4-fast")
    )
    for name, value in two.items():
        shared = name.startswith(("backbone.", "fpn."))
        assert torch.equal(value, four[name]) == shared or not value.any(), name
        assert torch.equal(state[name], four[name])
    three = load_model(steps / "3-rpn" / "model.safetensors")[0].state_dict()
    assert all(torch.equal(state[name], value) for name, value in three.items())


def test_a_finished_step_is_not_taken_for_another(amidst: Any, data: Any, steps: Path) -> None:
    typed = amidst(*words(data, steps, "--set-rpn", "optim.lr=0.5"))
    assert typed.code == 2
    assert "optim.lr was 0.001, now 0.5" in typed.err


def test_recipes_that_do_not_belong_together(amidst: Any, data: Any, tmp_path: Path) -> None:
    typed = amidst(*words(data, tmp_path / "run", "--rpn", "faster_rcnn_lite"))
    assert typed.code == 2
    assert "a recipe of an RPN and one of Fast R-CNN" in typed.err
    typed = amidst(*words(data, tmp_path / "run", "--set-rpn", "model.maps=C5"))
    assert typed.code == 1
    assert "share no maps: maps is C5 against pyramid" in typed.err
    assert not (tmp_path / "run").exists()
