"""The recipes of chapter 4: the thesis's numbers, and that every switch of its tables builds and resumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage
from safetensors.torch import load_file

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image
from amidst.config import override
from amidst.models.build import build_model
from amidst.recipes import recipe
from amidst.training.config import Experiment
from amidst.training.log import Event, Saved, read_lines
from amidst.training.loop import train

DOCS = Path(__file__).parents[2] / "docs" / "two-stage.md"
TINY = (
    'model.backbone={"name":"tiny"}',
    "model.fpn.channels=16",
    "model.roi.head.width=16",
    "init.backbone=null",
    "schedule.epochs=null",
    "schedule.iterations=4",
    "data.resize.short=48",
    "data.resize.long=64",
    "data.train_short_sides=[]",
    "data.batch_size=2",
    "data.workers=0",
    "optim.lr_batch=2",
    "train.precision=float32",
    "train.checkpoint_every=2",
    "train.log_every=1",
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Pictures of 64 pixels gain nothing from threads that wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_numbers_of_the_thesis() -> None:
    """Sections 4.5.1 and 4.5.2 (F.2, F.4, L)."""
    rpn, fast = recipe("rpn_r50_fpn").make(), recipe("fast_rcnn_r50_fpn").make()
    for experiment, iterations, drop in ((rpn, 40_000, 30_000), (fast, 80_000, 60_000)):
        assert (experiment.optim.lr, experiment.data.batch_size) == (0.02, 16)
        assert (experiment.data.resize.short, experiment.data.resize.long) == (800, 1333)
        assert experiment.schedule.iterations == iterations
        assert [round(part * iterations) for part in experiment.schedule.milestones] == [drop]
    joint, long = recipe("faster_rcnn_r50_fpn_1x").make(), recipe("faster_rcnn_r101_fpn_2x").make()
    assert [round(part * 90_000) for part in joint.schedule.milestones] == [60_000, 80_000]
    assert (joint.schedule.iterations, long.schedule.iterations) == (90_000, 180_000)
    model = joint.model
    assert (model.fpn.channels, model.fpn.min_level, model.fpn.max_level, model.fpn.extra_from) == (
        256,
        2,
        6,
        "pool",
    )
    assert model.rpn.anchors.sizes == (32, 64, 128, 256, 512)
    assert (model.rpn.loss.sampled, model.rpn.loss.positive_iou, model.rpn.loss.negative_iou) == (
        256,
        0.7,
        0.3,
    )
    decode = model.rpn.decode
    assert (decode.train_candidates, decode.train_count, decode.test_candidates, decode.test_count) == (
        2000,
        2000,
        1000,
        1000,
    )
    assert (model.roi.loss.sampled, model.roi.loss.positive_share) == (512, 0.25)
    assert (model.roi.head.fcs, model.roi.head.width, model.roi.pooling.size) == (2, 1024, 7)
    assert (model.roi.decode.score_threshold, model.roi.decode.nms_iou) == (0.05, 0.5)


def table_rows() -> list[tuple[str, str]]:
    """Recipe and settings of every row of the tables of docs/two-stage.md."""
    rows = []
    for part in DOCS.read_text(encoding="utf-8").split("**Table ")[1:4]:
        name = re.findall(r"`(\w+_lite)`", part)[0]
        rows += [(name, settings) for settings in re.findall(r"\|[^|]+\| `(model\.[^`]+)` \|", part)]
    return rows


def test_the_docs_list_the_rows_of_the_tables() -> None:
    assert len(table_rows()) == 6 + 5 + 2


@pytest.mark.parametrize(("name", "settings"), table_rows())
def test_every_row_of_the_tables_builds(name: str, settings: str) -> None:
    experiment = override(recipe(name).make(), settings.split())
    with torch.device("meta"):
        build_model(experiment.model)


@pytest.fixture
def scene(tmp_path: Path) -> tuple[CocoDataset, Path]:
    """Four photographs of noise, the last without objects."""
    folder = tmp_path / "images"
    folder.mkdir()
    torch.manual_seed(0)
    records, annotations = [], []
    for number in range(4):
        pixels = torch.randint(0, 255, (48, 64, 3), dtype=torch.uint8).numpy()
        PillowImage.fromarray(pixels).save(folder / f"{number}.png")
        records.append(Image(number, 64, 48, f"{number}.png"))
        if number < 3:
            annotations.append(Annotation(number, number, 1, (8.0 * number, 5, 24, 30), 720.0))
    return CocoDataset(tuple(records), tuple(annotations), (Category(1, "thing"),)), folder


class KilledError(Exception):
    """Stands for a process that is killed."""


def kill_after_checkpoint(event: Event) -> None:
    if isinstance(event, Saved):
        raise KilledError


def test_resuming_draws_the_same_samples(scene: tuple[CocoDataset, Path], tmp_path: Path) -> None:
    """Fewer anchors and regions are sampled than there are, so that chance has a say."""
    chance = ("model.rpn.loss.sampled=8", "model.roi.loss.sampled=8")
    experiment: Experiment = override(recipe("faster_rcnn_lite").make(), (*TINY, *chance))
    dataset, images = scene
    train(experiment, dataset, images, tmp_path / "whole", device="cpu")
    with pytest.raises(KilledError):
        train(experiment, dataset, images, tmp_path / "parts", device="cpu", report=kill_after_checkpoint)
    train(experiment, dataset, images, tmp_path / "parts", device="cpu", resume=True)
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    other = override(experiment, ["train.seed=1"])
    train(other, dataset, images, tmp_path / "other", device="cpu")
    first = [read_lines(tmp_path / name / "log.jsonl")[0]["losses"] for name in ("whole", "other")]
    assert first[0] != first[1]
