"""DeepMask and SharpMask through the loop: both stages, resuming, several processes, what is refused."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from safetensors.torch import load_file

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image
from amidst.config import override, to_builtins
from amidst.errors import ConfigError, DataError, Interrupted, WeightsError
from amidst.models.config import DeepMaskConfig
from amidst.models.deepmask_geometry import geometry
from amidst.recipes import recipe
from amidst.training.config import Experiment
from amidst.training.log import StepRecord
from amidst.training.loop import train

TINY = (
    "model.backbone.name=tiny",
    "model.trunk=W64-P4-D3-F12",
    "model.dropout=0.5",
    "data.batch_size=4",
    "data.patches.per_image=2",
    "data.workers=0",
    "optim.lr_batch=4",
    "schedule.epochs=null",
    "schedule.iterations=6",
    "schedule.warmup_iterations=2",
    "train.precision=float32",
    "train.log_every=1",
    "train.checkpoint_every=2",
)

SCRIPT = """
import sys
from pathlib import Path

import msgspec
import torch

from amidst.coco.dataset import CocoDataset
from amidst.config import from_builtins
from amidst.training.config import Experiment
from amidst.training.loop import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    experiment = from_builtins(msgspec.json.decode((folder / "experiment.json").read_bytes()), Experiment)
    train(experiment, CocoDataset.load(folder / "scene.json"), folder, folder / "two", device="cpu")
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def scene(tmp_path: Path) -> CocoDataset:
    """Eight images of two squares with their polygons, one object of 3 pixels and a crowd."""
    generator = np.random.default_rng(3)
    images, annotations = [], []
    for image_id in range(8):
        pixels = generator.integers(90, 160, (60, 80, 3), dtype=np.uint8)
        for x, y, side, crowd in ((4, 5, 24, 0), (40, 20, 30, 0), (70, 4, 3, 0), (0, 40, 20, 1)):
            pixels[y : y + side, x : x + side] = 230
            corners = tuple(float(v) for v in (x, y, x, y + side, x + side, y + side, x + side, y))
            annotations.append(
                Annotation(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=5,
                    bbox_xywh=(x, y, side, side),
                    area=float(side * side),
                    iscrowd=crowd,
                    segmentation=(corners,),
                )
            )
        PillowImage.fromarray(pixels).save(tmp_path / f"{image_id}.png")
        images.append(Image(image_id, 80, 60, f"{image_id}.png"))
    return CocoDataset(tuple(images), tuple(annotations), (Category(5, "square"),))


def small(name: str, *changes: str) -> Experiment:
    return override(recipe(name).make(), [*TINY, *changes])


DEEP = small("deepmask_lite", "init.backbone=null")


@pytest.mark.parametrize("name", ["deepmask_r50", "deepmask_lite", "sharpmask_r50", "sharpmask_lite"])
def test_a_trunk_fits_its_backbone_and_both_stages_agree(name: str) -> None:
    model = recipe(name).make().model
    assert isinstance(model, DeepMaskConfig)
    assert geometry(model).patch == 160
    first = recipe(name.replace("sharp", "deep")).make().model
    for key, value in to_builtins(first).items():
        if key not in ("family", "target_side"):
            assert to_builtins(model)[key] == value


def test_both_stages(scene: CocoDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events: list[object] = []
    with caplog.at_level(logging.INFO):
        train(DEEP, scene, tmp_path, tmp_path / "deep", report=events.append)
    assert "24 objects to learn from; left out: 8 of them with less than 100 pixels" in caplog.text
    assert "8 crowd regions" in caplog.text
    steps = [event for event in events if isinstance(event, StepRecord)]
    kinds = {name for step in steps for name, value in step.losses.items() if value > 0}
    assert kinds == {"mask_loss", "score_loss"}
    assert all(min(step.losses.values()) == 0 < max(step.losses.values()) for step in steps)

    sharp = small("sharpmask_lite", f"init.model={tmp_path / 'deep'}", "model.target_side=64")
    train(sharp, scene, tmp_path, tmp_path / "sharp")
    before, after = (load_file(tmp_path / run / "model.safetensors") for run in ("deep", "sharp"))
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert {name.split(".")[0] for name in after.keys() - before.keys()} == {"refine"}


def test_a_resumed_run_ends_the_same(scene: CocoDataset, tmp_path: Path) -> None:
    train(DEEP, scene, tmp_path, tmp_path / "whole")

    def stop_after_three(event: object) -> None:
        if isinstance(event, StepRecord) and event.step == 3:
            os.kill(os.getpid(), 2)

    with pytest.raises(Interrupted):
        train(DEEP, scene, tmp_path, tmp_path / "parts", report=stop_after_three)
    train(DEEP, scene, tmp_path, tmp_path / "parts", resume=True)
    whole, parts = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "parts"))
    assert all(torch.equal(parts[name], value) for name, value in whole.items())


def test_two_processes_learn_what_one_does(
    scene: CocoDataset, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Each leaves out the branch that a batch does not teach; without dropout the weights agree."""
    experiment = override(DEEP, ["model.dropout=0.0", "optim.kind=sgd", "train.ema_decay=null"])
    train(experiment, scene, tmp_path, tmp_path / "one", device="cpu")
    scene.save(tmp_path / "scene.json")
    (tmp_path / "experiment.json").write_bytes(msgspec.json.encode(to_builtins(experiment)))
    (tmp_path / "script.py").write_text(SCRIPT)
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "script.py"), str(tmp_path)],
            env={**os.environ, **place, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    one, two = (load_file(tmp_path / run / "model.safetensors") for run in ("one", "two"))
    assert all(torch.allclose(two[name], value, atol=1e-4) for name, value in one.items())


def test_a_sharpmask_wants_a_deepmask_of_its_own_trunk(scene: CocoDataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"on top of a trained DeepMask.*init\.model=PATH"):
        train(small("sharpmask_lite"), scene, tmp_path, tmp_path / "none")
    train(override(DEEP, ["schedule.iterations=1"]), scene, tmp_path, tmp_path / "deep")
    other = small("sharpmask_lite", f"init.model={tmp_path / 'deep'}", "model.trunk=W64-P4-D3-F16")
    with pytest.raises(WeightsError, match=r"differs from the experiment's in embed\.weight"):
        train(other, scene, tmp_path, tmp_path / "other")


def test_boxes_alone_are_refused(scene: CocoDataset, tmp_path: Path) -> None:
    boxes = tuple(_without_mask(a) for a in scene.annotations)
    with pytest.raises(DataError, match=r"24 of 32 annotations have no mask"):
        train(DEEP, CocoDataset(scene.images, boxes, scene.categories), tmp_path, tmp_path / "run")


def _without_mask(annotation: Annotation) -> Annotation:
    return Annotation(
        annotation.id,
        annotation.image_id,
        annotation.category_id,
        annotation.bbox_xywh,
        annotation.area,
        annotation.iscrowd,
    )
