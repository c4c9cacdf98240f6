from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
import torch

from amidst.config import from_builtins, to_builtins
from amidst.errors import UsageError
from amidst.models.build import build_model, size_divisor
from amidst.models.config import DeepMaskConfig
from amidst.recipes import RECIPES, recipe
from amidst.training.config import Experiment
from amidst.training.optim import make_optimiser


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no recipe called 'x'.*retinanet_r50_fpn_1x.*smoke"):
        recipe("x")


def test_the_recipes_of_the_thesis_and_of_small_machines() -> None:
    names = {
        "retinanet_r50_fpn_1x",
        "retinanet_r101_fpn_1.5x",
        "retinanet_r50_fpn",
        "retinanet_lite_320",
        "smoke",
    }
    assert names <= RECIPES.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_describes_itself(name: str) -> None:
    found = recipe(name)
    assert found.name == name == found.make().name
    assert all([found.summary, found.hardware, found.time, found.score])
    docstring = found.make.__doc__ or ""
    for part in ("Hardware:", "Time:", "Score:", "Command:"):
        assert part in docstring


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name: str) -> None:
    experiment = recipe(name).make()
    text = msgspec.json.encode(to_builtins(experiment))
    assert from_builtins(msgspec.json.decode(text), Experiment) == experiment


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds(name: str) -> None:
    experiment = recipe(name).make()
    with torch.device("meta"):
        model = build_model(experiment.model)
        make_optimiser(model, experiment.optim)
    divisor = size_divisor(experiment.model)
    assert divisor % 32 == 0 or (divisor == 1 and isinstance(experiment.model, DeepMaskConfig))
    assert experiment.optim.lr_batch == experiment.data.batch_size * experiment.optim.accumulate


@pytest.mark.parametrize(
    ("name", "backbone", "short", "long", "iterations", "drops"),
    [
        ("retinanet_r50_fpn_1x", "resnet50", 600, 1000, 90_000, [60_000, 80_000]),
        ("retinanet_r101_fpn_1.5x", "resnet101", 800, 1333, 135_000, [90_000, 120_000]),
    ],
)
def test_the_numbers_of_the_thesis(
    name: str, backbone: str, short: int, long: int, iterations: int, drops: list[int]
) -> None:
    """Sections 5.4.1 and 5.4.2 (I.1 to I.7)."""
    experiment = recipe(name).make()
    model, data, optim, schedule = experiment.model, experiment.data, experiment.optim, experiment.schedule
    assert (model.backbone.name, model.backbone.freeze_at, model.backbone.norm) == (backbone, 2, "frozen")
    assert (model.fpn.min_level, model.fpn.max_level, model.fpn.channels, model.fpn.extra_from) == (
        3,
        7,
        256,
        "C5",
    )
    assert (model.anchors.base, model.anchors.octave_scales, model.anchors.aspects) == (
        4.0,
        3,
        (0.5, 1.0, 2.0),
    )
    assert (model.head.convs, model.head.channels, model.head.norm, model.head.prior) == (
        4,
        256,
        "none",
        0.01,
    )
    match, loss, decode = model.match, model.loss, model.decode
    assert (match.positive_iou, match.negative_iou, match.low_quality) == (0.5, 0.4, "none")
    assert (loss.kind, loss.gamma, loss.alpha, loss.normaliser) == ("focal", 2.0, 0.25, "image")
    assert (loss.box, loss.beta, loss.box_weight) == ("smooth_l1", 0.11, 1.0)
    assert (decode.score_threshold, decode.candidates_per_level, decode.nms_iou) == (0.05, 1000, 0.5)
    assert decode.max_detections == 100
    assert (data.batch_size, data.resize.short, data.resize.long, data.flip) == (16, short, long, 0.5)
    assert (data.train_short_sides, data.crop_scale, data.colour_jitter) == ((), None, 0.0)
    assert (optim.kind, optim.lr, optim.momentum, optim.weight_decay) == ("sgd", 0.01, 0.9, 1e-4)
    assert (optim.clip_norm, experiment.train.ema_decay) == (None, None)
    assert (schedule.kind, schedule.iterations, schedule.gamma) == ("step", iterations, 0.1)
    assert [round(part * iterations) for part in schedule.milestones] == drops
    assert (schedule.warmup_iterations, schedule.warmup_factor) == (500, 1 / 3)


def test_recipes_do_not_import_torch() -> None:
    code = (
        "import sys, amidst.recipes; amidst.recipes.recipe('smoke').make(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
