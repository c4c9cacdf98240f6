"""A tiny generated dataset, and a model trained on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amidst.apps.cli.root import run
from amidst.apps.cluster import local
from amidst.apps.cluster.parts import Done, Job, PartWorker, Plan
from amidst.models.build import build_model
from amidst.models.config import BackboneConfig, DecodeConfig, FPNConfig, HeadConfig, RetinaNetConfig
from amidst.models.weights import ModelInfo, save_model

CATEGORIES = [{"id": 3, "name": "square", "supercategory": ""}, {"id": 7, "name": "bar", "supercategory": ""}]
FAST = (
    "schedule.iterations=4",
    "data.resize.short=64",
    "data.resize.long=96",
    "data.batch_size=2",
    "optim.lr_batch=2",
)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small networks gain nothing by threads, and lose much where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def engine_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """--engine local does its parts in this process: for tests of what is done, not of who does it."""

    def run_parts(job: Job, plan: Plan, numbers: list[int], _workers: int) -> Iterator[Done]:
        return map(PartWorker(job, plan).do_part, numbers)

    monkeypatch.setattr(local, "run_parts", run_parts)


@dataclass(frozen=True)
class Data:
    """A generated dataset on disk."""

    images: Path
    train: Path
    val: Path


def write_split(folder: Path, name: str, ids: range, seed: int) -> Path:
    """Grey images of 48 x 64 pixels, each with a bright square or bar; the file's path."""
    random = np.random.default_rng(seed)
    images, annotations = [], []
    for number in ids:
        pixels = np.full((48, 64, 3), 60, np.uint8)
        category = int(random.integers(0, 2))
        height, width = (20, 20) if category == 0 else (10, 40)
        y, x = int(random.integers(0, 48 - height)), int(random.integers(0, 64 - width))
        pixels[y : y + height, x : x + width] = random.integers(150, 255, 3)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.jpg")
        images.append({"id": number, "width": 64, "height": 48, "file_name": f"{number}.jpg"})
        box = [x, y, width, height]
        polygon = [x, y, x + width, y, x + width, y + height, x, y + height]
        annotations.append(
            {
                "id": 100 + number,
                "image_id": number,
                "category_id": (3, 7)[category],
                "bbox": box,
                "area": width * height,
                "iscrowd": 0,
                "segmentation": [polygon],
            }
        )
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))
    return file


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Six images to train on, four to validate on; read only."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    train, val = write_split(folder, "train", range(6), 1), write_split(folder, "val", range(10, 14), 2)
    return Data(folder / "images", train, val)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with random weights that finds something in every image."""
    config = RetinaNetConfig(
        num_classes=2,
        backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
        fpn=FPNConfig(channels=32, max_level=5),
        head=HeadConfig(convs=1, channels=32, norm="group"),
        decode=DecodeConfig(score_threshold=0.0, max_detections=3),
    )
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    notes = {"resize": {"short": 64, "long": 96}}
    save_model(path, build_model(config).state_dict(), ModelInfo(config, tuple(CATEGORIES), notes))
    return path


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Path:
    """The folder of a finished run of four updates; read only."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    sets = [word for setting in FAST for word in ("--set", setting)]
    words = ["train", "smoke", "--train", data.train, "--val", data.val, "--images", data.images]
    assert run([str(word) for word in [*words, "--run", folder, *sets]]) == 0
    return folder
