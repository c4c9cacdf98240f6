from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from amidst.apps.cli import demo
from amidst.apps.cli.experiments import make_experiment
from amidst.models.build import build_model
from amidst.models.weights import ModelInfo, read_info, save_model


@pytest.fixture
def _small_built_in(monkeypatch: pytest.MonkeyPatch, model_file: Path, tmp_path: Path) -> None:
    """A small detector of persons in place of the real one, and two updates in place of dozens."""
    shape = read_info(model_file).config
    config = type(shape)(num_classes=1, backbone=shape.backbone, fpn=shape.fpn, head=shape.head)
    torch.manual_seed(0)
    info = ModelInfo(
        config,
        ({"id": 1, "name": "person", "supercategory": "person"},),
        {"resize": {"short": 96, "long": 160}},
    )
    file = tmp_path / "person.safetensors"
    save_model(file, build_model(config).state_dict(), info)
    for module in ("apps.cli.demo", "inference.opening"):
        monkeypatch.setattr(f"amidst.{module}.resolve_model", lambda name: file)
    short = (
        "schedule.iterations=2",
        "train.validate_every=1",
        "data.batch_size=4",
        "optim.lr_batch=4",
        "data.workers=0",
    )
    sizes = ("data.resize.short=96", "data.resize.long=160", "data.train_short_sides=[]")
    monkeypatch.setattr(demo, "SETTINGS", (*demo.SETTINGS, *short, *sizes))


@pytest.mark.usefixtures("_small_built_in")
def test_the_whole_job_beside_an_earlier_one(amidst: Any, tmp_path: Path) -> None:
    (tmp_path / "demo" / "run-1").mkdir(parents=True)
    typed = amidst("demo", "--out", tmp_path / "demo")
    assert typed.code == 0, typed.err
    run = tmp_path / "demo" / "run-2"
    assert "AP50" in typed.out
    assert "before" in typed.out
    assert str(run / "report.html") in typed.err
    assert (run / "report.html").stat().st_size > 10_000
    assert len(json.loads((run / "summary.json").read_text())["stats"]) == 12
    assert not list((tmp_path / "demo" / "run-1").iterdir())


def test_the_settings_fit_the_recipe() -> None:
    experiment = make_experiment(demo.RECIPE, demo.SETTINGS)
    assert experiment.name == "demo"
    assert experiment.schedule.epochs is None
